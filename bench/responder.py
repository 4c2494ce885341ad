"""A hundred Modbus TCP meters in a process of their own, answering as fast as Python can.

One port is one meter. Every answer is cut from bytes prepared at the start with only the transaction
id filled in, so that what is measured is who asks. Request counts are written to a pipe on demand.

    python -m bench.responder METERS REGISTERS
    → "READY first_port" on standard output; each line on standard input is answered by the total
      number of requests served so far; end of input ends the process
"""

import asyncio
import struct
import sys

_HEADER = struct.Struct(">HHHBBHH")


class Meter(asyncio.Protocol):
    """One connection to one meter."""

    served = 0  # over all meters of the process

    def __init__(self, registers: bytes) -> None:
        self._registers = registers
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers go to."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole read request; anything else is answered with exception 1."""
        data = self._pending + data
        while len(data) >= _HEADER.size:
            transaction, protocol, _, unit, function, address, count = _HEADER.unpack_from(data)
            data = data[_HEADER.size :]
            values = self._registers[2 * address : 2 * (address + count)]
            if function == 3 and len(values) == 2 * count:
                pdu = bytes((3, len(values))) + values
            else:
                pdu = bytes((function | 0x80, 1))
            head = struct.pack(">HHHB", transaction, protocol, len(pdu) + 1, unit)
            self._transport.write(head + pdu)
            Meter.served += 1
        self._pending = data


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
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(Meter.served, flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
