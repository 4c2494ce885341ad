"""A hundred Modbus TCP meters in a process of their own, answering as fast as Python can.

One port is one meter. Every answer is cut from bytes prepared at the start with only the transaction
id filled in, so that what is measured is who asks. Figures are written to a pipe on demand.

    python -m bench.responder METERS REGISTERS
    → "READY port …" on standard output; then lines on standard input are answered:
      "served"           the number of requests served so far
      "jitter PERIOD_S"  p99 and maximum of how many ms two requests to a meter were further apart or
                         closer together than that, since this was last asked
      end of input ends the process
"""

import asyncio
import struct
import sys
import time
from typing import ClassVar

_HEADER = struct.Struct(">HHHBBHH")


class Meter(asyncio.Protocol):
    """One connection to one meter."""

    served = 0  # over all meters of the process
    intervals_s: ClassVar[list[float]] = []  # between two requests to one meter

    def __init__(self, registers: bytes) -> None:
        self._registers = registers
        self._answers: dict[bytes, bytes] = {}  # by question, both without their transaction id
        self._pending = b""
        self._asked_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers go to."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole read request; anything else is answered with exception 1."""
        data = self._pending + data
        while len(data) >= _HEADER.size:
            question, rest = data[2 : _HEADER.size], data[_HEADER.size :]
            answer = self._answers.get(question)
            if answer is None:
                answer = self._answers[question] = self._answer(question)
            self._transport.write(data[:2] + answer)
            data = rest
            Meter.served += 1
            now = time.monotonic()
            if self._asked_at:
                Meter.intervals_s.append(now - self._asked_at)
            self._asked_at = now
        self._pending = data

    def _answer(self, question: bytes) -> bytes:
        protocol, _, unit, function, address, count = _HEADER.unpack(b"\0\0" + question)[1:]
        values = self._registers[2 * address : 2 * (address + count)]
        is_served = function == 3 and len(values) == 2 * count
        pdu = bytes((3, len(values))) + values if is_served else bytes((function | 0x80, 1))
        return struct.pack(">HHB", protocol, len(pdu) + 1, unit) + pdu


async def main(meters: int, registers: int) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    # Two registers a reading: a rising 32-bit count that differs from meter to meter.
    ports = []
    for number in range(meters):
        image = b"".join(struct.pack(">I", number * 1000 + k) for k in range(registers // 2))
        server = await loop.create_server(lambda image=image: Meter(image), "127.0.0.1", 0)  # type: ignore[misc]
        ports.append(server.sockets[0].getsockname()[1])
    print("READY", *ports, flush=True)
    while question := await loop.run_in_executor(None, sys.stdin.readline):
        match question.split():
            case ["served"]:
                print(Meter.served, flush=True)
            case ["jitter", period_s]:
                off_ms = sorted(abs(1000 * (took - float(period_s))) for took in Meter.intervals_s)
                Meter.intervals_s.clear()
                print(off_ms[int(0.99 * len(off_ms))], off_ms[-1], flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
