"""For the person at the box: reading, raw frames, finding what is on a bus, listening, the report."""

import asyncio
import contextlib
import operator
import os
import stat
import tarfile
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

import edge.tools.scan
from edge.__main__ import edge as edge_command
from edge.agent import run_agent
from edge.errors import EdgeError
from edge.hatch import ReadDevices, SendRaw, ask_hatch, hatch_path
from edge.line import Line
from edge.tools.direct import read_devices
from edge.tools.doctor import examine, without_secrets
from edge.tools.raw import send_raw
from edge.tools.scan import Found, proposal, scan, variants
from edge.tools.scan_meters import mbus_meters, old_electricity
from edge.tools.sniff import Overheard, sniff, understand
from edge.transport import SerialTransport
from protocol.errors import FrameError
from protocol.fieldbus import cjt188, dlt645, dlt645_1997, mbus, modbus
from protocol.fieldbus.mbus_records import encode_record
from protocol.fieldbus.modbus import Framing, FunctionCode
from provisioning.config import Config
from provisioning.config_file import load_config
from provisioning.lines import BusLine, LineId, ModbusTcpLine, Parity, SerialLine, TcpLine
from tests.edge.building_blocks import (
    Registers,
    ToldClock,
    bus_settings,
    config_of,
    rng,
    serial_wire,
    tcp_wire,
)
from tests.fieldbus.golden import golden_frames

OLD_METER = "199707000101"
METERS = ("202607000101", "202607000102", "202607009902")


def meter_answer(wire: bytes, addresses: tuple[str, ...] = METERS) -> bytes:
    """Answer as meters on one bus do: all that are meant, at once; several together are garbage."""
    replies: list[bytes] = []
    for frame in dlt645.FrameReader().feed(wire):
        di = frame.data[3::-1].hex().upper()
        for address in addresses:
            if dlt645.is_addressed(frame.meter_address, address):
                reply = dlt645.abnormal_reply(frame, address)
                if di == "00010000":
                    payload = dlt645.encode_items(dlt645.data_identifier(di), [Decimal("123.45")])
                    reply = dlt645.read_reply(address, di, payload)
                replies.append(dlt645.encode_frame(reply))
    if len(replies) < 2:
        return b"".join(replies)
    return bytes(a & b for a, b in zip(replies[0], replies[1], strict=False))  # a zero wins on the wire


async def found_on(line: BusLine, units: tuple[int, ...] = ()) -> list[Found]:
    return [found async for found in scan(line, ToldClock(), units, lambda _: None)]


async def test_a_single_meter_is_found_by_wildcard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge.tools.scan, "_METER_TIMEOUT_MS", 60)
    async with serial_wire(lambda wire: meter_answer(wire, METERS[:1])) as (line, _):
        found = await found_on(line)

    assert [(one.protocol, one.address, one.profiles[0]) for one in found] == [
        ("dlt645-2007", METERS[0], "dlt645_single_phase")
    ]


async def test_meters_that_answer_at_once_are_found_pair_by_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge.tools.scan, "_METER_TIMEOUT_MS", 40)
    async with serial_wire(meter_answer) as (line, _):
        found = await found_on(line)

    assert sorted(one.address for one in found) == sorted(METERS)


def old_meter_answer(wire: bytes) -> bytes:
    """A meter of 1997: silent to everything but a read of two-byte identifiers."""
    for frame in dlt645.FrameReader().feed(wire):
        if frame.control_code == 0x01 and dlt645.is_addressed(frame.meter_address, OLD_METER):
            payload = dlt645.encode_items(dlt645_1997.data_identifier("9010"), [Decimal("12.34")])
            return dlt645.encode_frame(dlt645_1997.read_reply(OLD_METER, "9010", payload))
    return b""


async def test_a_meter_of_1997_is_found_by_its_own_edition_and_a_known_one_not_again() -> None:
    async def hear(wire: bytes) -> bytes:
        return old_meter_answer(wire)

    found = [one async for one in old_electricity(hear, (), lambda _: None)]
    again = [one async for one in old_electricity(hear, {OLD_METER}, lambda _: None)]

    assert (found, again) == ([OLD_METER], [])


async def test_a_scan_tries_the_old_edition_and_m_bus_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge.tools.scan, "_METER_TIMEOUT_MS", 300)
    async with serial_wire(old_meter_answer) as (line, wire):
        found = await found_on(line)

    assert [(one.protocol, one.address, one.profiles[0]) for one in found] == [
        ("dlt645-1997", OLD_METER, "dlt645_1997_single_phase")
    ]
    assert wire.heard[-1] == mbus.encode_frame(mbus.select_request())


class MbusMeters:
    """Meters on an M-Bus: those a selection means acknowledge it, and answer all at once."""

    def __init__(self, *identifications: str) -> None:
        self.identifications = identifications
        self.chosen: list[str] = []

    def answer(self, wire: bytes) -> bytes:
        try:
            frame = mbus.decode_frame(wire)
        except FrameError:
            return b""
        if frame.control_information == mbus.CI_SELECT:
            asked = frame.data[3::-1].hex()
            self.chosen = [
                one
                for one in self.identifications
                if all(a in ("f", d) for a, d in zip(asked, one, strict=True))
            ]
            return mbus.ACK if self.chosen else b""
        if frame.address != mbus.SELECTED or not self.chosen:
            return b""
        replies = [
            mbus.encode_frame(
                mbus.telegram_reply(0, mbus.Header(one, "GWF", 1, 7), [encode_record(b"\x16", 5)])
            )
            for one in self.chosen
        ]
        return replies[0] if len(replies) == 1 else bytes(map(operator.and_, replies[0], replies[1]))


async def test_mbus_meters_are_found_digit_by_digit() -> None:
    meters = MbusMeters("12345678", "12345979", "87654321")

    async def hear(wire: bytes) -> bytes:
        return meters.answer(wire)

    found = {one async for one in mbus_meters(hear, lambda _: None)}

    assert found == {(identification, "mbus_cold_water_meter") for identification in meters.identifications}


async def test_a_modbus_unit_is_recognised_by_what_it_shows() -> None:
    # volts of three phases in 0.1 V, low word first; power factor and frequency
    words = dict.fromkeys(range(80), 0) | {0: 2301, 2: 2302, 4: 2303, 53: 980, 55: 500}
    meter = Registers(2, Framing.TCP, words)
    async with tcp_wire(meter.answer) as (host, port, _):
        line = ModbusTcpLine(bus_settings(baud=0), host, port)
        found = await found_on(line, (1, 2))

    assert [(one.protocol, one.address) for one in found] == [("modbus", "2")]
    assert "carlo_gavazzi_em24" in found[0].profiles
    assert "eastron_sdm630" not in found[0].profiles  # the same words as floats are no volts


def test_a_serial_port_is_tried_with_the_usual_settings_the_configured_ones_first() -> None:
    line = SerialLine(bus_settings(baud=9600), "/dev/ttyS0", Parity.EVEN, 1)

    tried = [(one.bus.baud, one.parity) for one in variants(line) if isinstance(one, SerialLine)]

    assert tried[0] == (9600, Parity.EVEN)
    assert (2400, Parity.EVEN) in tried
    assert len(tried) == len(set(tried))


def test_what_was_found_becomes_a_configuration_that_loads(tmp_path: Path) -> None:
    line = SerialLine(replace(bus_settings(baud=2400), line_id=LineId("bus-1")), "/dev/ttyS0", Parity.EVEN, 1)
    found = [
        Found(line, "dlt645-2007", "202607000101", ("dlt645_single_phase", "dlt645_four_rate")),
        Found(line, "cjt188", "20260700000103", ("cjt188_cold_water",)),
        Found(line, "modbus", "7", ("acrel_ddsy1352",)),
    ]

    text = "\n".join(proposal(found, "bus-1"))
    config = config_of(f'[gateway]\ncode = "g"\ntime_zone = "UTC"\n{text}', tmp_path)

    assert [(device.profile.name, device.address) for device in config.devices] == [
        ("dlt645_single_phase", "202607000101"),
        ("cjt188_cold_water", "20260700000103"),
        ("acrel_ddsy1352", "7"),
    ]
    assert config.lines[LineId("bus-1")] == replace(line, bus=config.lines[LineId("bus-1")].bus)  # type: ignore[union-attr]


async def test_a_raw_frame_brings_back_whatever_came_and_opens_no_breaker() -> None:
    async with serial_wire(lambda wire: [0.01, b"\x01\x02", 0.01, b"\x03"] if wire == b"?" else b"") as (
        config,
        _,
    ):
        line = Line(bus_settings(), SerialTransport(config), ToldClock(), rng())
        answers = [await send_raw(line, b"?", 100), *[await send_raw(line, b"!", 30) for _ in range(4)]]
        line.close()

    assert answers[0].reply == b"\x01\x02\x03"
    assert [answer.failure for answer in answers[1:]] == ["nothing came back"] * 4
    assert line.devices == {}


def test_a_conversation_overheard_is_taken_apart() -> None:
    request = dlt645.encode_frame(dlt645.read_request(METERS[0], "00010000"))
    water = cjt188.encode_frame(cjt188.read_request(0x10, "20260700000101"))
    rtu = modbus.encode_request(modbus.Request(1, FunctionCode.READ_HOLDING_REGISTERS, 11, 1), Framing.RTU)

    heard = understand(request + b"\x00" + meter_answer(request), 1)

    assert [one.protocol for one in heard] == ["dlt645-2007", "", "dlt645-2007"]
    assert heard[2].facts["value"] == Decimal("123.45")
    assert b"".join(one.data for one in heard) == request + b"\x00" + meter_answer(request)
    assert [one.protocol for one in understand(water, 1)] == ["cjt188"]
    assert [one.protocol for one in understand(rtu, 1)] == ["modbus-rtu"]
    short = bytes.fromhex("105b015c16")  # EN 13757-2: a request for data to address 1
    assert [one.protocol for one in understand(short, 1)] == ["mbus"]
    assert [one.protocol for one in understand(short + b"\x00", 1)] == [""]
    poll = golden_frames("osdp")[0]
    assert [one.protocol for one in understand(poll, 1)] == ["osdp"]
    assert [one.protocol for one in understand(b"\x00\x01\x02", 1)] == [""]


async def test_listening_sends_nothing_and_parts_what_a_pause_parts() -> None:
    said = [dlt645.encode_frame(dlt645.read_request(address, "00010000")) for address in METERS[:2]]
    received: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for frame in said:
            writer.write(frame)
            await asyncio.sleep(0.1)
        received.append(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    line = TcpLine(bus_settings(), "127.0.0.1", server.sockets[0].getsockname()[1])
    heard: list[Overheard] = []
    async with asyncio.timeout(10):
        async for one in sniff(line, ToldClock()):
            heard.append(one)
            if len(heard) == 2:
                break
    async with asyncio.timeout(10):
        while not received:
            await asyncio.sleep(0.01)
    server.close()

    assert [one.data for one in heard] == said
    assert received == [b""]


@contextlib.asynccontextmanager
async def meter_bus(folder: Path) -> AsyncIterator[Config]:
    """A configuration with one electricity meter that answers everything."""
    address = METERS[0]
    async with tcp_wire(lambda wire: meter_answer(wire, (address,))) as (host, port, _):
        text = (
            '[gateway]\ncode = "g"\ntime_zone = "UTC"\n[page]\nport = 0\n'
            f'[[lines]]\nid = "bus"\ntransport = "tcp"\nhost = "{host}"\nport = {port}\ntimeout_ms = 5000\n'
            f'[[devices]]\nid = "em"\nline = "bus"\nprofile = "dlt645_single_phase"\naddress = "{address}"\n'
            "interval_s = 3600\n"
        )
        (folder / "edge.toml").write_text(text)
        yield load_config(folder / "edge.toml")


async def test_a_device_is_read_without_an_agent_and_nothing_is_stored(tmp_path: Path) -> None:
    async with meter_bus(tmp_path) as config:
        readings = {one.point_key: one for one in await read_devices(config, ["em"], ToldClock())}
        with pytest.raises(EdgeError, match="no polled device is called 'nobody'"):
            await read_devices(config, ["nobody"], ToldClock())

    assert readings["em/active_energy_import"].value_micro == 123_450_000
    assert not config.buffer.path.exists()


async def test_the_running_agent_reads_and_sends_for_a_person_of_its_own_user(tmp_path: Path) -> None:
    async with meter_bus(tmp_path) as config:
        stop = asyncio.Event()
        running = asyncio.ensure_future(run_agent(config, stop))
        async with asyncio.timeout(10):
            while not hatch_path(config).exists():
                await asyncio.sleep(0.02)
        mode = stat.S_IMODE(os.stat(hatch_path(config)).st_mode)

        told = await ask_hatch(config, ReadDevices(["em"]))
        request = dlt645.encode_frame(dlt645.read_request(METERS[0], "00010000"))
        raw = await ask_hatch(config, SendRaw("bus", request, 200))
        unknown = [
            await ask_hatch(config, ReadDevices(["nobody"])),
            await ask_hatch(config, SendRaw("nowhere", b"?", 100)),
        ]
        stop.set()
        await running
        gone = await ask_hatch(config, ReadDevices([]))

    assert mode == 0o600
    assert told is not None
    assert {one.key: one.value_micro for one in told.readings}["em/active_energy_import"] == 123_450_000
    assert raw is not None
    assert raw.reply == meter_answer(request, METERS[:1])
    assert [one.error for one in unknown if one is not None] == [
        "no polled device is called 'nobody'",
        "there is no bus 'nowhere'; there are bus",
    ]
    assert gone is None


def test_a_frame_is_explained_at_the_command_line() -> None:
    request = dlt645.encode_frame(dlt645.read_request(METERS[0], "00010000")).hex(":")

    result = CliRunner().invoke(edge_command, ["explain", request])

    assert result.exit_code == 0
    assert "meter address 202607000101" in result.output
    assert CliRunner().invoke(edge_command, ["explain", "zz"]).exit_code == 1


SECRETS = """
[[lines]]
id = "mqtt"
transport = "mqtt"
host = "127.0.0.1"
port = 1
username = "hausmeister"
password_file = "geheim.txt"
"""


def test_the_report_strikes_out_secrets_and_says_what_fails(tmp_path: Path) -> None:
    (tmp_path / "geheim.txt").write_text("sesam")
    (tmp_path / "edge.toml").write_text(
        '[gateway]\ncode = "g"\ntime_zone = "UTC"\n[page]\nport = 0\n'
        + SECRETS
        + '[[devices]]\nid = "lock"\nline = "mqtt"\nprofile = "zigbee2mqtt_lock"\naddress = "lock"\n'
    )
    bundle = tmp_path / "bundle.tar.gz"

    result = CliRunner().invoke(
        edge_command, ["doctor", str(tmp_path / "edge.toml"), "--bundle", str(bundle)]
    )

    assert result.exit_code == 1
    assert "FAIL line mqtt: broker 127.0.0.1:1: " in result.output
    with tarfile.open(bundle) as packed:
        contents = {
            Path(member.name).name: content.read()
            for member in packed
            if (content := packed.extractfile(member)) is not None
        }
        assert {Path(name).parent for name in packed.getnames()} <= {Path("gatehouse-g"), Path()}
    assert set(contents) == {"report.txt", "plan.txt", "edge.toml", "status.json"}
    everything = b"".join(contents.values()) + result.output.encode()
    assert b"sesam" not in everything
    assert b"hausmeister" not in everything
    assert b"geheim" not in contents["edge.toml"]


def test_striking_out_leaves_the_rest_as_it_is() -> None:
    text = 'id = "a"\n  username = "u"\npassword_file = "f" # c\ntokens = "t"\nhost = "h"\n'

    struck = without_secrets(text)

    assert struck.splitlines()[0] == 'id = "a"'
    assert struck.splitlines()[-1] == 'host = "h"'
    assert struck.count('"struck out"') == 3


@pytest.mark.parametrize(
    "line",
    [
        'relay = { level = 2, password = "geheim" }',
        'auth.password = "geheim"',
        "  client_secret = 'geheim'",
        'mqtt = { host = "h", username = "geheim", password = "geheim" }',
    ],
)
def test_a_secret_is_struck_out_wherever_it_stands(line: str) -> None:
    assert "geheim" not in without_secrets(f'id = "a"\n{line}\nhost = "h"\n')


def test_a_key_that_others_can_read_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text(
        '[gateway]\ncode = "g"\ntime_zone = "UTC"\n'
        '[[lines]]\nid = "doors"\ntransport = "osdp"\npath = "/dev/nothing"\n'
        'key_file = "osdp.key"\ncard_key_file = "cards.key"\n'
    )
    for name, mode in (("osdp.key", 0o600), ("cards.key", 0o644)):
        (tmp_path / name).write_text("00" * 16)
        (tmp_path / name).chmod(mode)

    told = {str(one) for one in examine(load_config(tmp_path / "edge.toml")) if one.subject == "secrets"}

    cards, keys = tmp_path / "cards.key", tmp_path / "osdp.key"
    assert told == {
        f"FAIL secrets: {cards} can be read by others: chmod 600 {cards}",
        f"ok   secrets: {keys} is for its owner alone",
    }


def test_a_port_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text(
        '[gateway]\ncode = "g"\ntime_zone = "UTC"\n'
        '[[lines]]\nid = "bus"\ntransport = "serial"\npath = "/dev/nothing"\n'
        '[[devices]]\nid = "em"\nline = "bus"\nprofile = "acrel_ddsy1352"\naddress = 1\n'
    )

    findings = {one.subject: one for one in examine(load_config(tmp_path / "edge.toml"))}

    assert findings["line bus"].is_well is False
    assert "/dev/nothing does not exist" in findings["line bus"].text
    assert findings["configuration"].is_well
