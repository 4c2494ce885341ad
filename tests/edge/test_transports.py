"""Datagrams and serial servers that call us, on real sockets: whose bytes are whose, and who is put off."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import edge.dial_in
from edge.dial_in import DialInPorts
from edge.driver import EvidenceKeeper
from edge.drivers.modbus import ModbusDriver
from edge.errors import LineDown
from edge.line import Line
from edge.transports import transport_for
from protocol.fieldbus.modbus import Framing
from protocol.quantity import MICRO
from protocol.reading import Quality
from provisioning.lines import DialInLine, LineId, UdpLine
from provisioning.profiles import load_profile
from provisioning.strict import Malformed
from tests.edge.building_blocks import Registers, ToldClock, bus_settings, config_of, device_of, rng

METER = load_profile("acrel_ddsy1352")


def registers(volts: int, unit_id: int = 1) -> Registers:
    return Registers(unit_id, Framing.RTU, dict.fromkeys(range(17), 0) | {11: volts * 10})


def line_on(config: UdpLine | DialInLine, ports: DialInPorts) -> Line:
    return Line(config.bus, transport_for(config, ports), ToldClock(), rng())


async def voltage(line: Line) -> tuple[Quality, int | None]:
    driver = ModbusDriver(device_of(METER, "1"), line, EvidenceKeeper(ZoneInfo("UTC")))
    readings = {reading.point_key: reading for reading in await driver.poll("all")}
    reading = readings["d/voltage"]
    return reading.quality, None if reading.value_micro is None else reading.value_micro // MICRO


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes], list[bytes]]) -> None:
        self._answer = answer
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        for part in self._answer(data):
            self._transport.sendto(part, addr)


@contextlib.asynccontextmanager
async def udp_server(answer: Callable[[bytes], list[bytes]]) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Datagrams(answer), local_addr=("127.0.0.1", 0)
    )
    try:
        yield int(transport.get_extra_info("sockname")[1])
    finally:
        transport.close()


@pytest.mark.parametrize("parts", [1, 2])
async def test_a_meter_is_read_by_datagrams_whole_or_in_parts(parts: int) -> None:
    meter = registers(230)

    def answer(data: bytes) -> list[bytes]:
        reply = meter.answer(data)
        return [reply] if parts == 1 else halves(reply)

    async with udp_server(answer) as port:
        line = line_on(UdpLine(bus_settings(), "127.0.0.1", port), DialInPorts())

        assert await voltage(line) == (Quality.GOOD, 230)
        line.close()


def halves(data: bytes) -> list[bytes]:
    return [data[: len(data) // 2], data[len(data) // 2 :]]


async def test_a_datagram_nobody_takes_is_a_line_down_or_silence_never_a_value() -> None:
    async with udp_server(lambda _: []) as port:
        silent = line_on(UdpLine(bus_settings(timeout_ms=50), "127.0.0.1", port), DialInPorts())
        assert (await voltage(silent))[0] is Quality.NO_REPLY
        silent.close()
    closed = line_on(UdpLine(bus_settings(timeout_ms=200), "127.0.0.1", port), DialInPorts())

    assert await voltage(closed) == (Quality.OFFLINE, None)
    closed.close()


@contextlib.asynccontextmanager
async def dtu(port: int, meter: Registers, registration: bytes = b"") -> AsyncIterator[asyncio.StreamWriter]:
    """A DTU that has called: forwards to its meter, and sends a heartbeat now and then."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(registration)

    async def serve() -> None:
        while data := await reader.read(1000):
            writer.write(b"ping")
            await asyncio.sleep(0.01)
            writer.write(meter.answer(data))

    task = asyncio.ensure_future(serve())
    try:
        yield writer
    finally:
        task.cancel()
        writer.close()


async def listening(line: Line, ports: DialInPorts) -> int:
    """Make the line listen; return the port it was given."""
    with contextlib.suppress(LineDown):
        await line._transport.open(lambda _: None, lambda _: None)
    (port,) = ports._ports.values()
    return port.port


def called_line(registration: bytes = b"", port: int = 0) -> DialInLine:
    return DialInLine(bus_settings(timeout_ms=500), "127.0.0.1", port, registration, b"ping")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge.dial_in, "CONNECT_TIMEOUT_S", 0.3)


async def test_a_dtu_that_calls_is_a_bus_and_its_heartbeats_are_left_out() -> None:
    ports = DialInPorts()
    line = line_on(called_line(), ports)
    port = await listening(line, ports)

    async with dtu(port, registers(231)):
        assert await voltage(line) == (Quality.GOOD, 231)

    line.close()
    ports.close()


async def test_two_dtus_on_one_port_are_told_apart_by_their_first_bytes() -> None:
    ports = DialInPorts()
    lines = [line_on(called_line(name), ports) for name in (b"DTU-A", b"DTU-B")]
    port = await listening(lines[0], ports)

    # in the other order than configured, and the name in two pieces
    async with dtu(port, registers(222), b"DTU-") as b, dtu(port, registers(111), b"DTU-A"):
        await asyncio.sleep(0.05)
        b.write(b"B")

        assert await voltage(lines[0]) == (Quality.GOOD, 111)
        assert await voltage(lines[1]) == (Quality.GOOD, 222)

    for line in lines:
        line.close()
    ports.close()


async def test_who_does_not_register_is_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge.dial_in, "_REGISTER_TIMEOUT_S", 0.2)
    ports = DialInPorts()
    line = line_on(called_line(b"DTU-A"), ports)
    port = await listening(line, ports)

    ends: list[bytes] = []
    for said in (b"GET / HTTP/1.1", b"", b"DTU-"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionError):
                ends.append(await reader.read())
        writer.close()

    assert set(ends) <= {b""}
    assert (await voltage(line))[0] is Quality.OFFLINE
    line.close()
    ports.close()


async def test_a_dtu_that_calls_again_takes_the_place_of_its_earlier_call() -> None:
    ports = DialInPorts()
    line = line_on(called_line(b"DTU-A"), ports)
    port = await listening(line, ports)

    async with dtu(port, registers(1), b"DTU-A"):
        assert await voltage(line) == (Quality.GOOD, 1)
        async with dtu(port, registers(2), b"DTU-A"):
            await asyncio.sleep(0.1)
            assert await voltage(line) == (Quality.GOOD, 2)

    line.close()
    ports.close()


async def test_a_dtu_that_has_not_called_is_named_in_the_reason() -> None:
    ports = DialInPorts()
    line = line_on(called_line(b"DTU-A"), ports)

    with pytest.raises(LineDown, match=r"no DTU has called port \d+ as b'DTU-A'"):
        await line._transport.open(lambda _: None, lambda _: None)

    line.close()
    ports.close()


async def test_a_dtu_that_hangs_up_is_a_line_down_and_its_next_call_heals_it() -> None:
    ports = DialInPorts()
    line = line_on(called_line(), ports)
    port = await listening(line, ports)
    async with dtu(port, registers(1)):
        assert await voltage(line) == (Quality.GOOD, 1)
    await asyncio.sleep(0.1)

    assert (await voltage(line))[0] is Quality.OFFLINE
    async with dtu(port, registers(3)):
        await asyncio.sleep(max(0.1, line.ready_at("1") - asyncio.get_running_loop().time()))
        assert await voltage(line) == (Quality.GOOD, 3)

    line.close()
    ports.close()


HEAD = '[gateway]\ncode = "g"\ntime_zone = "UTC"\n'
CALLED = '[[lines]]\nid = "{name}"\ntransport = "dial-in"\nport = 9000\nregistration = "{packet}"\n'


def test_the_new_lines_are_configured_like_the_others(tmp_path: Path) -> None:
    text = HEAD + CALLED.format(name="a", packet="hex:0102") + CALLED.format(name="b", packet="DTU")
    text += '[[lines]]\nid = "c"\ntransport = "udp"\nhost = "192.0.2.1"\nport = 8899\nbaud = 2400\n'

    config = config_of(text, tmp_path)

    first, second, third = (config.lines[LineId(name)] for name in "abc")
    assert isinstance(first, DialInLine)
    assert isinstance(second, DialInLine)
    assert isinstance(third, UdpLine)
    assert (first.registration, second.registration, third.bus.baud) == (b"\x01\x02", b"DTU", 2400)


@pytest.mark.parametrize(
    ("packets", "told"),
    [
        (("A", "A"), "'a', 'b' share port 9000 and need different registrations"),
        (("A", ""), "'a', 'b' share port 9000 and need different registrations"),
        (("hex:zz", "A"), "'hex:zz' is not hexadecimal after hex:"),
    ],
)
def test_callers_that_could_not_be_told_apart_are_refused(
    tmp_path: Path, packets: tuple[str, str], told: str
) -> None:
    text = HEAD + "".join(CALLED.format(name=name, packet=p) for name, p in zip("ab", packets, strict=True))

    with pytest.raises(Malformed, match=told):
        config_of(text, tmp_path)
