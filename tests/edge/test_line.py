"""The line on real pseudo-terminals and sockets: whose answer is whose, and what failures cost."""

import asyncio
import contextlib
import socket
import termios
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import serial

from edge.driver import Ask, Priority
from edge.drivers.modbus import ModbusReceiver
from edge.errors import BadFrame, LineDown, NoReply, Offline
from edge.line import Line
from edge.transport import SerialTransport, TcpTransport
from protocol.errors import Refused
from protocol.fieldbus import modbus
from protocol.fieldbus.modbus import Framing, FunctionCode
from provisioning.lines import Parity
from tests.edge.building_blocks import Answer, ToldClock, Wire, bus_settings, rng, serial_wire, tcp_wire


def rtu_request(unit_id: int = 1, start: int = 0, quantity: int = 2) -> modbus.Request:
    return modbus.Request(unit_id, FunctionCode.READ_HOLDING_REGISTERS, start, quantity)


def rtu_reply(request: modbus.Request, *values: int) -> bytes:
    return modbus.encode_reply(request, Framing.RTU, values)


def ask_for(request: modbus.Request) -> Ask:
    identity = (request.unit_id, request.function_code, request.quantity)
    return Ask(
        str(request.unit_id),
        modbus.encode_request(request, Framing.RTU),
        modbus.reply_length(request, Framing.RTU),
        ModbusReceiver(request, Framing.RTU),
        identity,
        request.start,
    )


async def values(line: Line, request: modbus.Request) -> tuple[int, ...]:
    ask = ask_for(request)
    await line.exchange(ask)
    assert isinstance(ask.receiver, ModbusReceiver)
    return ask.receiver.values


@contextlib.asynccontextmanager
async def serial_line(answer: Answer, **settings: object) -> AsyncIterator[tuple[Line, Wire]]:
    async with serial_wire(answer) as (config, wire):
        line = Line(bus_settings(**settings), SerialTransport(config), ToldClock(), rng())
        try:
            yield line, wire
        finally:
            line.close()


async def test_an_answer_is_heard_with_its_bytes_and_round_trip() -> None:
    request = rtu_request()
    reply = rtu_reply(request, 7, 8)
    async with serial_line(lambda _: [0.02, reply]) as (line, _):
        heard = await line.exchange(ask_for(request))

    assert heard.reply == reply
    assert heard.request == modbus.encode_request(request, Framing.RTU)
    assert 20_000 <= heard.round_trip_us < 150_000


async def test_an_answer_in_pieces_is_put_together() -> None:
    request = rtu_request()
    reply = rtu_reply(request, 7, 8)
    pieces: list[bytes | float] = [part for byte in reply for part in (bytes((byte,)), 0.003)]
    async with serial_line(lambda _: pieces) as (line, _):
        assert await values(line, request) == (7, 8)


async def test_our_own_echo_and_noise_before_the_answer_are_passed_over() -> None:
    request = rtu_request()
    async with serial_line(lambda heard: heard + b"\x00\xff" + rtu_reply(request, 7, 8)) as (line, _):
        assert await values(line, request) == (7, 8)


async def test_an_answer_with_a_wrong_checksum_is_a_bad_frame() -> None:
    request = rtu_request()
    reply = rtu_reply(request, 7, 8)
    async with serial_line(lambda _: reply[:-1] + bytes((reply[-1] ^ 1,))) as (line, _):
        with pytest.raises(BadFrame, match="crc"):
            await line.exchange(ask_for(request))

        assert line.device("1").bad_frame == 1


async def test_a_truncated_answer_is_a_bad_frame() -> None:
    request = rtu_request()
    async with serial_line(lambda _: rtu_reply(request, 7, 8)[:-2]) as (line, _):
        with pytest.raises(BadFrame):
            await line.exchange(ask_for(request))


async def test_the_answer_of_another_device_is_not_ours() -> None:
    foreign = rtu_reply(rtu_request(unit_id=2), 66, 66)
    async with serial_line(lambda _: foreign) as (line, _):
        with pytest.raises(BadFrame):
            await line.exchange(ask_for(rtu_request(unit_id=1)))


async def test_our_answer_is_found_behind_another_devices() -> None:
    request = rtu_request(unit_id=1)
    foreign = rtu_reply(rtu_request(unit_id=2), 66, 66)
    async with serial_line(lambda _: [foreign, 0.01, rtu_reply(request, 7, 8)]) as (line, _):
        assert await values(line, request) == (7, 8)


async def test_silence_is_no_reply_after_the_timeout() -> None:
    async with serial_line(lambda _: b"", timeout_ms=60) as (line, _):
        began = time.monotonic()
        with pytest.raises(NoReply):
            await line.exchange(ask_for(rtu_request()))

        assert 0.06 <= time.monotonic() - began < 0.3


async def test_a_refusal_is_an_answer() -> None:
    request = rtu_request()
    refusal = modbus.encode_exception(request, Framing.RTU, 2)
    async with serial_line(lambda _: refusal) as (line, _):
        with pytest.raises(Refused) as refused:
            await line.exchange(ask_for(request))

        assert refused.value.code == 2
        assert line.device("1").refused == 1
        assert not line.device("1").breaker.is_open


async def test_a_late_answer_is_not_taken_for_the_next_question_of_the_same_shape() -> None:
    first, second = rtu_request(start=0), rtu_request(start=100)
    wires = {modbus.encode_request(r, Framing.RTU): r for r in (first, second)}

    def answer(heard: bytes) -> bytes | list[bytes | float]:
        if wires[heard] is first:
            return [0.15, rtu_reply(first, 1, 1)]  # too late: the timeout is 80 ms
        return [0.03, rtu_reply(second, 2, 2)]

    async with serial_line(answer, timeout_ms=80, late_limit_ms=240) as (line, _):
        with pytest.raises(NoReply):
            await line.exchange(ask_for(first))

        assert await values(line, second) == (2, 2)
        assert line.counters.held_back == 1


async def test_a_question_of_another_shape_need_not_wait_for_a_late_answer() -> None:
    first, second = rtu_request(unit_id=1), rtu_request(unit_id=2)

    def answer(heard: bytes) -> bytes | list[bytes | float]:
        return [0.2, rtu_reply(first, 1, 1)] if heard[0] == 1 else rtu_reply(second, 2, 2)

    async with serial_line(answer, timeout_ms=80, late_limit_ms=10_000) as (line, _):
        with pytest.raises(NoReply):
            await line.exchange(ask_for(first))
        began = time.monotonic()

        assert await values(line, second) == (2, 2)
        assert time.monotonic() - began < 0.5


async def test_two_failures_open_the_breaker_and_a_dead_device_is_not_asked() -> None:
    async with serial_line(lambda _: b"", timeout_ms=30, late_limit_ms=0) as (line, wire):
        for _ in range(2):
            with pytest.raises(NoReply):
                await line.exchange(ask_for(rtu_request()))
        asked = len(wire.heard)
        with pytest.raises(Offline):
            await line.exchange(ask_for(rtu_request()))

        assert len(wire.heard) == asked
        assert line.ready_at("1") > asyncio.get_running_loop().time()


async def test_a_returning_device_closes_its_breaker_with_one_answer() -> None:
    is_dead = True
    request = rtu_request()

    async with serial_line(
        lambda _: b"" if is_dead else rtu_reply(request, 7, 8), timeout_ms=30, late_limit_ms=0
    ) as (line, _):
        for _ in range(2):
            with pytest.raises(NoReply):
                await line.exchange(ask_for(request))
        is_dead = False
        await asyncio.sleep(max(0.0, line.ready_at("1") - asyncio.get_running_loop().time()))

        assert await values(line, request) == (7, 8)
        assert line.ready_at("1") == 0


async def test_the_same_address_on_two_lines_has_two_breakers() -> None:
    request = rtu_request()
    async with (
        serial_line(lambda _: b"", timeout_ms=30, late_limit_ms=0) as (dead, _),
        serial_line(lambda _: rtu_reply(request, 7, 8)) as (alive, _),
    ):
        for _ in range(2):
            with pytest.raises(NoReply):
                await dead.exchange(ask_for(request))

        assert await values(alive, request) == (7, 8)


async def test_a_cancelled_exchange_gives_the_bus_back_and_guards_against_its_answer() -> None:
    first, second = rtu_request(start=0), rtu_request(start=100)
    wires = {modbus.encode_request(r, Framing.RTU): r for r in (first, second)}

    def answer(heard: bytes) -> bytes | list[bytes | float]:
        return [0.08, rtu_reply(first, 1, 1)] if wires[heard] is first else rtu_reply(second, 2, 2)

    async with serial_line(answer, late_limit_ms=200) as (line, _):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await line.exchange(ask_for(first))

        assert await values(line, second) == (2, 2)


async def test_waiting_questions_go_by_priority() -> None:
    done: list[str] = []
    request = rtu_request()

    async def ask(line: Line, name: str, priority: Priority) -> None:
        await line.exchange(ask_for(request), priority)
        done.append(name)

    async with (
        serial_line(lambda _: [0.03, rtu_reply(request, 7, 8)]) as (line, _),
        asyncio.TaskGroup() as group,
    ):
        group.create_task(ask(line, "first come", Priority.TELEMETRY))
        await asyncio.sleep(0)
        group.create_task(ask(line, "telemetry", Priority.TELEMETRY))
        group.create_task(ask(line, "billing", Priority.BILLING))
        group.create_task(ask(line, "alarm", Priority.ALARM))
        group.create_task(ask(line, "command", Priority.COMMAND))

    assert done == ["first come", "command", "alarm", "billing", "telemetry"]


async def test_a_pulled_cable_is_a_line_down_and_heals_when_it_is_back() -> None:
    request = rtu_request()
    async with tcp_wire(lambda _: rtu_reply(request, 7, 8)) as (host, port, wire):
        line = Line(bus_settings(), TcpTransport(host, port), ToldClock(), rng())
        assert await values(line, request) == (7, 8)

        wire.answer = lambda _: [0.01]
        asking = asyncio.ensure_future(line.exchange(ask_for(request)))
        await asyncio.sleep(0.05)
        wire.hang_up()
        with pytest.raises(LineDown):
            await asking

        wire.answer = lambda _: rtu_reply(request, 9, 9)
        assert await values(line, request) == (9, 9)
        line.close()


async def test_a_port_that_cannot_be_opened_says_why_and_is_left_alone_for_a_while() -> None:
    line = Line(bus_settings(), TcpTransport("127.0.0.1", 1), ToldClock(), rng())

    for _ in range(2):
        with pytest.raises(LineDown, match=r"127\.0\.0\.1:1: "):
            await line.exchange(ask_for(rtu_request()))

    assert line.is_down
    assert line.ready_at("1") > asyncio.get_running_loop().time()


async def test_parity_that_the_port_refuses_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise termios.error(22, "Invalid argument")  # what some kernels say of parity on a pseudo-terminal

    monkeypatch.setattr(serial, "Serial", refuse)
    async with serial_wire(lambda _: b"") as (config, _):
        line = Line(bus_settings(), SerialTransport(replace(config, parity=Parity.EVEN)), ToldClock(), rng())
        with pytest.raises(LineDown, match="set parity = 'none'"):
            await line.exchange(ask_for(rtu_request()))


async def test_two_programs_on_one_serial_port_are_refused() -> None:
    request = rtu_request()
    async with serial_wire(lambda _: rtu_reply(request, 7, 8)) as (config, _):
        first = Line(bus_settings(), SerialTransport(config), ToldClock(), rng())
        second = Line(bus_settings(), SerialTransport(config), ToldClock(), rng())
        assert await values(first, request) == (7, 8)

        with pytest.raises(LineDown, match="lock"):
            await second.exchange(ask_for(request))

        first.close()


async def test_a_babbling_bus_does_not_hold_the_line_for_ever() -> None:
    request = rtu_request()
    babble: list[bytes | float] = [part for _ in range(400) for part in (b"\xaa", 0.01)]
    async with serial_line(lambda _: babble, timeout_ms=50, late_limit_ms=0) as (line, _):
        # On a busy machine the babble has pauses long enough to count as silence; then it is heard again,
        # or the device seems to say nothing. Never is it an answer, and never does it take for ever.
        for _ in range(2):
            async with asyncio.timeout(30):
                with pytest.raises((BadFrame, LineDown, NoReply)):
                    await line.exchange(ask_for(request))


async def test_a_half_open_connection_is_opened_anew_after_some_silence() -> None:
    request = rtu_request(unit_id=9)
    async with tcp_wire(lambda _: b"") as (host, port, wire):
        line = Line(
            bus_settings(timeout_ms=20, late_limit_ms=0), TcpTransport(host, port), ToldClock(), rng()
        )
        for unit_id in range(1, 5):
            with pytest.raises(NoReply):
                await line.exchange(ask_for(rtu_request(unit_id=unit_id)))
        wire.answer = lambda _: rtu_reply(request, 7, 8)

        assert await values(line, request) == (7, 8)
        assert line.counters.opened == 2
        line.close()


async def test_a_black_holed_line_delays_no_other() -> None:
    request = rtu_request()
    # 192.0.2.0/24 is reserved for documentation: nothing answers there, and nothing refuses.
    hole = Line(bus_settings(), TcpTransport("192.0.2.1", 502), ToldClock(), rng())
    async with serial_line(lambda _: rtu_reply(request, 7, 8)) as (line, _):
        stuck = asyncio.ensure_future(hole.exchange(ask_for(request)))
        await asyncio.sleep(0.01)
        began = time.monotonic()
        for _ in range(20):
            assert await values(line, request) == (7, 8)
        took = time.monotonic() - began
        stuck.cancel()

    assert took < 1.0


async def test_a_device_s_turnaround_is_what_it_takes_besides_the_wire() -> None:
    request = rtu_request()
    answer: list[bytes | float] = [0.05, rtu_reply(request, 1, 2)]
    async with serial_line(lambda _: answer, timeout_ms=5_000) as (line, _):
        for _ in range(7):
            await values(line, request)
        unknown = line.turnaround_s("1")
        await values(line, request)
        known = line.turnaround_s("1")

    assert unknown is None
    assert known is not None
    assert known >= 0.045  # a busy machine makes it more, never less


async def test_a_name_that_does_not_resolve_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    request, resolved = rtu_request(), threading.Event()
    real = socket.getaddrinfo

    def hanging(host: object, *rest: object, **named: object) -> object:
        if host == "nobody.example":
            resolved.wait(60)  # as a resolver whose server is gone
        return real(host, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    lost = Line(bus_settings(), TcpTransport("nobody.example", 502), ToldClock(), rng())
    try:
        async with serial_line(lambda _: rtu_reply(request, 7, 8), timeout_ms=5_000) as (line, _):
            stuck = asyncio.ensure_future(lost.exchange(ask_for(request)))
            await asyncio.sleep(0.01)
            found = [await values(line, request) for _ in range(20)]
            was_stuck = not stuck.done()
            stuck.cancel()
    finally:
        resolved.set()

    assert found == [(7, 8)] * 20
    assert was_stuck  # all twenty were read while the name was being looked for


async def test_a_device_that_answers_a_byte_a_second_is_given_up_and_delays_no_other() -> None:
    request = rtu_request()
    drip = [part for byte in rtu_reply(request, 1, 2) for part in (bytes((byte,)), 1.0)]
    async with (
        serial_line(lambda _: drip, timeout_ms=300) as (slow, _),
        serial_line(lambda _: rtu_reply(request, 7, 8), timeout_ms=5_000) as (line, _),
    ):
        stuck = asyncio.ensure_future(slow.exchange(ask_for(request)))
        await asyncio.sleep(0.01)
        found = [await values(line, request) for _ in range(20)]
        with pytest.raises(BadFrame):
            await stuck

    assert found == [(7, 8)] * 20
