"""The running building on a real pseudo-terminal, real sockets and a real broker."""

import asyncio
import contextlib
import json
import os
import socket
import time
import tty
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiomqtt
import pytest
from pymodbus.client import AsyncModbusTcpClient

from protocol.fieldbus import cjt188, dlt645, modbus
from protocol.fieldbus.modbus import Framing, FunctionCode
from simulator.faults import Fault, FaultKind
from simulator.simulation import Settings, Simulation, free_port
from simulator.wireless import Action
from tests.simulator.building import AT_MS, device_called, shown

DEADLINE_S = 10.0


class RealTime:
    """A real clock that a test moves."""

    def __init__(self) -> None:
        self.now_ms = AT_MS

    def __call__(self) -> int:
        return self.now_ms


@contextlib.asynccontextmanager
async def running(**settings: object) -> AsyncIterator[Simulation]:
    async with Simulation(Settings(**settings), RealTime()) as simulation:  # type: ignore[arg-type]
        simulation.clock.stand_at(AT_MS)
        yield simulation


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


class SerialPort:
    """A master at the pseudo-terminal."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._fd)

    async def ask(self, request: bytes, complete: Callable[[bytes], bool]) -> bytes:
        os.write(self._fd, request)
        heard = b""
        async with asyncio.timeout(DEADLINE_S):
            while not complete(heard):
                with contextlib.suppress(BlockingIOError):
                    heard += os.read(self._fd, 4096)
                await asyncio.sleep(0.001)
        return heard

    def close(self) -> None:
        os.close(self._fd)


def ends_with_16(heard: bytes) -> bool:
    return heard.endswith(b"\x16")


async def test_two_protocols_and_modbus_rtu_share_one_pseudo_terminal(tmp_path: Path) -> None:
    link = tmp_path / "bus-1"
    water = cjt188.read_request(0x10, device_called("wm-main").address)
    energy = dlt645.read_request(device_called("em-301").address, "00010000")
    public = modbus.Request(1, FunctionCode.READ_HOLDING_REGISTERS, 0, 17)

    async with running(bus_1_link=link) as simulation:
        port = SerialPort(link)
        water_reply = await port.ask(cjt188.encode_frame(water), ends_with_16)
        energy_reply = await port.ask(dlt645.encode_frame(energy), ends_with_16)
        public_reply = await port.ask(
            modbus.encode_request(public, Framing.RTU),
            lambda heard: len(heard) == modbus.reply_length(public, Framing.RTU),
        )
        port.close()

        assert cjt188.check_reply(water, cjt188.decode_frame(water_reply))
        assert dlt645.check_reply(energy, dlt645.decode_frame(energy_reply))
        assert modbus.ReplyReader(public, Framing.RTU).feed(public_reply) is not None
        assert len(simulation.ledger) == 3 + 1 + 9
    assert not link.is_symlink()


async def test_a_master_that_goes_away_finds_the_line_again(tmp_path: Path) -> None:
    request = dlt645.encode_frame(dlt645.read_request(device_called("em-101").address, "00010000"))

    async with running(bus_1_link=tmp_path / "bus-1") as simulation:
        for _ in range(3):
            port = SerialPort(simulation.places.bus_1_path)
            assert await port.ask(request, ends_with_16)
            port.close()

        assert simulation.ledger.count_by_device() == {"em-101": 3}


async def test_the_serial_server_is_transparent() -> None:
    request = dlt645.read_request(device_called("em-604").address, "0001FF00")

    async with running() as simulation:
        reader, writer = await asyncio.open_connection("127.0.0.1", simulation.places.bus_2_port)
        wire = dlt645.encode_frame(request)
        writer.write(wire[:9])
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(wire[9:])
        reply = dlt645.decode_frame(await asyncio.wait_for(reader.readuntil(b"\x16"), DEADLINE_S))
        writer.close()

        assert len(dlt645.values_from_reply(reply)) == 5
        assert len(simulation.ledger) == 5


@pytest.fixture
async def simulation() -> AsyncIterator[Simulation]:
    async with running() as simulation:
        yield simulation


async def test_pymodbus_reads_the_master_meters_floats(simulation: Simulation) -> None:
    client = AsyncModbusTcpClient("127.0.0.1", port=simulation.places.meters_port)
    assert await client.connect()
    reply = await client.read_input_registers(0, count=74, device_id=1)
    client.close()

    def value_at(address: int) -> float:
        words = reply.registers[address : address + 2]
        value = client.convert_from_registers(words, client.DATATYPE.FLOAT32, word_order="big")
        assert isinstance(value, float)
        return value

    values = shown(simulation.building, "em-main", AT_MS)
    assert value_at(72) == values["active_energy_import"] / 1e6
    assert value_at(0) == pytest.approx(values["voltage_a"] / 1e6, rel=1e-6)
    assert value_at(52) == values["active_power"] / 1e3  # watts on the wire
    assert {item.point: item.value_micro for item in simulation.ledger.items()} == values


async def test_pymodbus_reads_the_pump_meters_swapped_words(simulation: Simulation) -> None:
    client = AsyncModbusTcpClient("127.0.0.1", port=simulation.places.meters_port)
    assert await client.connect()
    reply = await client.read_input_registers(66, count=2, device_id=2)
    client.close()

    value = client.convert_from_registers(reply.registers, client.DATATYPE.INT32, word_order="little")

    assert isinstance(value, int)
    assert value * 100_000 == shown(simulation.building, "em-pump", AT_MS)["active_energy_import"]


async def test_two_connections_do_not_disturb_each_other(simulation: Simulation) -> None:
    clients = [AsyncModbusTcpClient("127.0.0.1", port=simulation.places.lift_port) for _ in range(2)]
    for client in clients:
        assert await client.connect()

    replies = [await client.read_holding_registers(0, count=10, device_id=1) for client in clients]
    for client in clients:
        client.close()

    assert replies[0].registers == replies[1].registers
    assert len(simulation.ledger) == 2 * 7


async def test_a_fire_appears_in_its_zone_and_goes(simulation: Simulation) -> None:
    client = AsyncModbusTcpClient("127.0.0.1", port=simulation.places.fire_port)
    assert await client.connect()
    fire = Fault(fault_id=0, device_id="", kind=FaultKind.FIRE_ALARM, since_ms=0, zone=5)

    fault = await simulation.add_fault("fire-1", fire)
    burning = (await client.read_discrete_inputs(0, count=24, device_id=1)).bits[:24]
    await simulation.end_fault(fault.fault_id)
    quiet = (await client.read_discrete_inputs(0, count=24, device_id=1)).bits[:24]
    client.close()

    assert [address for address, is_on in enumerate(burning) if is_on] == [0, 20]
    assert not any(quiet)


async def test_a_stream_out_of_step_is_closed(simulation: Simulation) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", simulation.places.fire_port)
    writer.write(b"\x00\x01\xff\xff\x00\x06")

    heard = await asyncio.wait_for(reader.read(100), DEADLINE_S)

    assert heard == b""
    writer.close()


async def test_answers_take_their_turnaround_only_while_time_runs() -> None:
    request = dlt645.encode_frame(dlt645.read_request(device_called("em-401").address, "00010000"))

    async with running(turnaround_ms=200) as simulation:
        reader, writer = await asyncio.open_connection("127.0.0.1", simulation.places.bus_2_port)

        async def round_trip_s() -> float:
            began_s = time.monotonic()
            writer.write(request)
            await asyncio.wait_for(reader.readuntil(b"\x16"), DEADLINE_S)
            return time.monotonic() - began_s

        standing_s = await round_trip_s()
        simulation.clock.follow(from_ms=AT_MS)
        following_s = await round_trip_s()
        writer.close()

    assert standing_s < 0.15
    assert following_s >= 0.2


async def test_what_could_not_be_sent_was_not_issued() -> None:
    request = dlt645.encode_frame(dlt645.read_request(device_called("em-401").address, "00010000"))

    async with running(turnaround_ms=100) as simulation:
        simulation.clock.follow(from_ms=AT_MS)
        with socket.create_connection(("127.0.0.1", simulation.places.bus_2_port)) as connection:
            connection.sendall(request)
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)

        assert len(simulation.ledger) == 0


async def test_a_taken_port_is_named_and_everything_is_closed_again(tmp_path: Path) -> None:
    link = tmp_path / "bus-1"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(OSError, match=str(port)):
            async with running(bus_1_link=link, lift_port=port):
                pass

    assert not link.is_symlink()


@contextlib.asynccontextmanager
async def radio() -> AsyncIterator[tuple[Simulation, aiomqtt.Client, list[tuple[str, dict[str, object]]]]]:
    """A simulation with its own broker, and everything a subscriber has heard."""
    port = free_port("127.0.0.1")
    heard: list[tuple[str, dict[str, object]]] = []

    async def listen(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            heard.append((message.topic.value, json.loads(message.payload)))

    async with (
        running(mqtt_port=port, has_broker=True) as simulation,
        aiomqtt.Client("127.0.0.1", port) as client,
    ):
        await client.subscribe("zigbee2mqtt/#", qos=1)
        task = asyncio.create_task(listen(client))
        try:
            yield simulation, client, heard
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, aiomqtt.MqttError):
                await task


async def test_radio_is_silent_while_the_clock_stands_and_tells_all_when_it_runs() -> None:
    async with radio() as (simulation, _, heard):
        assert simulation.zigbee is not None
        await until(lambda: simulation.zigbee is not None and simulation.zigbee.is_connected)
        silent = list(heard)
        simulation.clock.follow(from_ms=AT_MS)
        simulation.zigbee.wake()
        await until(lambda: len(heard) >= 4)

        told = dict(heard)
        counts = simulation.ledger.count_by_device()

    zigbee = {name: count for name, count in counts.items() if name in ("leak-1", "lock-1")}
    assert silent == []
    assert told["zigbee2mqtt/lock-1/availability"] == {"state": "online"}
    assert told["zigbee2mqtt/leak-1"]["water_leak"] is False
    assert told["zigbee2mqtt/lock-1"]["lock_state"] in ("locked", "unlocked")
    assert zigbee == {"leak-1": 6, "lock-1": 5}


async def test_a_leak_and_a_key_are_told_at_once() -> None:
    async with radio() as (simulation, _, heard):
        simulation.clock.follow(from_ms=AT_MS)
        await until(lambda: len(heard) >= 4)
        assert simulation.zigbee is not None

        await simulation.add_fault("leak-1", Fault(fault_id=0, device_id="", kind=FaultKind.LEAK, since_ms=0))
        simulation.zigbee.do(Action("lock-1", "unlock_failure_invalid_pin_or_id", 7))
        await until(lambda: len(heard) >= 6)

    wet = next(body for topic, body in heard if body.get("water_leak"))
    denied = next(body for topic, body in heard if body.get("action"))
    assert wet["water_leak"] is True
    assert denied["action"] == "unlock_failure_invalid_pin_or_id"
    assert denied["action_user"] == 7


def zigbee_issued(simulation: Simulation) -> int:
    counts = simulation.ledger.count_by_device()
    return counts.get("leak-1", 0) + counts.get("lock-1", 0)


async def test_a_broker_that_goes_offline_comes_back_and_tells_new_listeners_everything() -> None:
    async with radio() as (simulation, _, heard):
        simulation.clock.follow(from_ms=AT_MS)
        await until(lambda: len(heard) >= 4)
        offline = Fault(fault_id=0, device_id="", kind=FaultKind.BROKER_OFFLINE, since_ms=0)
        zigbee, port = simulation.zigbee, simulation.places.mqtt_port
        assert zigbee is not None
        assert port is not None

        fault = await simulation.add_fault("lock-1", offline)
        await until(lambda: not zigbee.is_connected)
        issued = zigbee_issued(simulation)
        await simulation.end_fault(fault.fault_id)
        async with asyncio.timeout(DEADLINE_S), aiomqtt.Client("127.0.0.1", port) as late:
            await late.subscribe("zigbee2mqtt/leak-1", qos=1)
            first = await anext(aiter(late.messages))

        assert issued == 11
        assert first.topic.value == "zigbee2mqtt/leak-1"
        await until(lambda: zigbee_issued(simulation) >= 22)


async def test_a_broker_without_listeners_is_told_nothing() -> None:
    async with running(mqtt_port=free_port("127.0.0.1"), has_broker=True) as simulation:
        zigbee = simulation.zigbee
        assert zigbee is not None
        await until(lambda: zigbee.is_connected)
        simulation.clock.follow(from_ms=AT_MS)
        zigbee.wake()
        await asyncio.sleep(0.5)

        assert len(simulation.ledger) == 0


async def test_a_broker_that_is_not_ours_cannot_be_taken_offline(simulation: Simulation) -> None:
    offline = Fault(fault_id=0, device_id="", kind=FaultKind.BROKER_OFFLINE, since_ms=0)

    with pytest.raises(ValueError, match="needs the simulator's own broker"):
        await simulation.add_fault("lock-1", offline)
