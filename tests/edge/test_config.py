"""The configuration file: what it becomes, and what it is refused for."""

from pathlib import Path

import pytest

from edge.check import plan, report
from provisioning.config_file import load_config, parse_config
from provisioning.document import Document, overreaching
from provisioning.lines import ModbusTcpLine, MqttLine, Parity, SerialLine, TcpLine
from provisioning.strict import Malformed
from tests.edge.building_blocks import BUILDING

TEXT = BUILDING.read_text(encoding="utf-8")


def test_the_building_has_every_kind_of_line() -> None:
    config = load_config(BUILDING)

    kinds = [type(line) for line in config.lines.values()]

    assert kinds == [SerialLine, TcpLine, *[ModbusTcpLine] * 4, MqttLine]


def test_a_serial_line_has_the_silence_and_characters_of_its_baud() -> None:
    config = load_config(BUILDING)

    line = config.lines["bus-1"]  # type: ignore[index]

    assert isinstance(line, SerialLine)
    assert line.parity is Parity.EVEN
    assert line.bus.bits_per_character == 11
    assert line.bus.gap_ms == pytest.approx(4.01, abs=0.01)  # 3.5 characters of 11 bits at 9600
    assert line.bus.late_limit_ms == 3000


def test_paths_are_relative_to_the_file() -> None:
    config = parse_config(TEXT, Path("/etc/gatehouse/edge.toml"))

    assert config.buffer.path == Path("/etc/gatehouse/buffer.sqlite")
    assert config.credential_file == Path("/etc/gatehouse/credential.json")


@pytest.mark.parametrize(
    ("written", "instead", "told"),
    [
        pytest.param(
            "baud = 9600", "bauds = 9600", "lines[0].bauds: unknown key; did you mean 'baud'?", id="key"
        ),
        pytest.param(
            'parity = "even"',
            'parity = "evn"',
            "lines[0].parity: 'evn' is none of even, none, odd",
            id="enum",
        ),
        pytest.param(
            "baud = 9600", "baud = 299", "lines[0].baud: expected `int` >= 300 (it is 299)", id="low"
        ),
        pytest.param("baud = 9600", "stop_bits = 3", "lines[0].stop_bits: 3 is none of 1, 2", id="literal"),
        pytest.param(
            'transport = "tcp"',
            'transport = "upd"',
            "lines[1].transport: 'upd' is none of ",
            id="transport",
        ),
        pytest.param(
            '"202607000101"',
            "202607000101",
            "devices[0] (em-101).address: expected 12 digits in quotes, got the number 202607000101",
            id="number for an address",
        ),
        pytest.param(
            '"202607000101"',
            '"20260700101"',
            "devices[0] (em-101).address: expected 12 digits in quotes, got '20260700101'",
            id="short meter address",
        ),
        pytest.param(
            "address = 1\n",
            "address = 256\n",
            "address: expected a unit id from 0 to 255, got 256",
            id="unit id",
        ),
        pytest.param(
            'id = "wm-main"', 'id = "em-101"', "the id 'em-101' is used more than once", id="device id"
        ),
        pytest.param(
            'id = "bus-2"', 'id = "bus-1"', "lines: the id 'bus-1' is used more than once", id="line id"
        ),
        pytest.param(
            'line = "bus-2"', 'line = "bus-9"', "there is no line 'bus-9'; known are 'bus-1'", id="line"
        ),
        pytest.param(
            '"20260700000001"',
            '"20260700000101"',
            "'wm-main' and 'wm-101' have the same address '20260700000101' on line 'bus-1'",
            id="same address",
        ),
        pytest.param(
            "dlt645_four_rate",
            "dlt645_for_rate",
            "there is no profile 'dlt645_for_rate'; known are",
            id="profile",
        ),
        pytest.param(
            'line = "bus-2"\nprofile = "dlt645_single_phase"',
            'line = "lift"\nprofile = "dlt645_single_phase"',
            "dlt645-2007 of profile dlt645_single_phase is not spoken on line 'lift'",
            id="protocol on the wrong line",
        ),
        pytest.param(
            "Asia/Shanghai", "Asia/Shangha", "no time zone is called 'Asia/Shangha'", id="time zone"
        ),
        pytest.param(
            "interval_s = 300",
            "intervals_s = { energy = 9 }",
            "intervals_s.energy: profile cjt188_cold_water has no such group",
            id="group",
        ),
        pytest.param('kind = "stale"\n', "", "rules[1].kind: missing, and it is required", id="rule kind"),
        pytest.param("[gateway]", "[gateway", "not TOML", id="no TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_key(written: str, instead: str, told: str) -> None:
    assert written in TEXT
    text = TEXT.replace(written, instead, 1)

    with pytest.raises(Malformed) as refusal:
        parse_config(text, Path("edge.toml"))

    assert told in str(refusal.value)


def test_everything_wrong_in_the_whole_file_is_told_at_once() -> None:
    text = TEXT.replace('line = "bus-2"', 'line = "bus-9"').replace("Asia/Shanghai", "Mars/Olympus")

    with pytest.raises(Malformed) as refusal:
        parse_config(text, Path("edge.toml"))

    assert len(refusal.value.problems) == 2


def test_a_missing_file_is_named() -> None:
    with pytest.raises(Malformed, match=r"/nowhere/edge\.toml: cannot be read"):
        load_config(Path("/nowhere/edge.toml"))


RELAY = '\n[devices.relay]\npassword_file = "em.password"\n'
ONE_METER = """
[gateway]
code = "gw-1"
time_zone = "Asia/Shanghai"
[[lines]]
id = "bus-1"
transport = "serial"
path = "/dev/ttyUSB0"
[[devices]]
id = "em-1"
line = "bus-1"
profile = "{profile}"
address = "202607000101"
"""


def test_a_relay_s_password_stays_in_its_file() -> None:
    text = ONE_METER.format(profile="dlt645_relay_meter") + RELAY

    (device,) = parse_config(text, Path("/etc/gatehouse/edge.toml")).devices

    assert device.relay is not None
    assert device.relay.password_file == Path("/etc/gatehouse/em.password")
    assert not device.relay.closes_directly


@pytest.mark.parametrize("profile", ["dlt645_single_phase", "dlt645_1997_single_phase"])
def test_a_relay_nobody_can_read_back_is_not_configured(profile: str) -> None:
    with pytest.raises(Malformed, match="what cannot be confirmed is not switched"):
        parse_config(ONE_METER.format(profile=profile) + RELAY, Path("edge.toml"))


@pytest.mark.parametrize(
    ("added", "told"),
    [
        pytest.param(RELAY, "devices.em-1.relay: differs", id="a relay"),
        pytest.param('settings = { target = "30" }\n', "devices.em-1.settings: differs", id="a setting"),
    ],
)
def test_what_switches_a_supply_is_told_at_the_box_alone(added: str, told: str) -> None:
    text = ONE_METER.format(profile="dlt645_relay_meter")
    own, with_it = Document(text), Document(text + added)

    assert [problem.startswith(told) for problem in overreaching(own, with_it)][:1] == [True]
    assert overreaching(with_it, with_it) == []
    assert overreaching(with_it, own) == []  # what asks for less is no matter


def test_a_relay_is_never_held_by_a_setting() -> None:
    board = ONE_METER.format(profile="waveshare_relay_8").replace('address = "202607000101"', "address = 2")

    with pytest.raises(Malformed, match="is switched by commands and reactions, not set"):
        parse_config(board + 'settings = { relay_state = "closed" }\n', Path("edge.toml"))


def test_a_setting_beyond_what_the_model_allows_is_refused_by_key() -> None:
    board = ONE_METER.format(profile="waveshare_relay_8").replace('address = "202607000101"', "address = 2")

    with pytest.raises(Malformed, match=r"settings\.switch_state_2: 'full' is not off, on"):
        parse_config(board + 'settings = { switch_state_2 = "full" }\n', Path("edge.toml"))


def test_a_check_remarks_upon_half_a_map_and_a_password_that_is_missing(tmp_path: Path) -> None:
    meter = ONE_METER.format(profile="dlt645_relay_meter") + RELAY
    flow = '[[devices]]\nid = "fm-1"\nline = "bus-1"\nprofile = "lorric_fu_tx310"\naddress = 9\n'
    config = parse_config(meter + flow, tmp_path / "edge.toml")

    told = "\n".join(report(config, plan(config)))

    assert "fm-1: profile lorric_fu_tx310 is partial: the manual asks for seven registers" in told
    assert f"em-1: WARNING: {tmp_path / 'em.password'} is not there" in told
