"""Device profiles: the shipped ones hold, their golden frames decode, wrong ones are refused by key."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.golden import golden_readings
from edge.profiles import profiles
from protocol.quantity import micro_from_decimal
from protocol.reading import Quality
from provisioning.config_file import parse_config
from provisioning.profile import Golden, Profile
from provisioning.profiles import PROFILES_DIR, load_profile, parse_profile, profile_names
from provisioning.strict import Malformed

# The electricity, water, lift and fire models whose Modbus maps, or the lack of them, are known.
_MODELS = """
    abb_a_b_series acrel_adl3000 acrel_adw300 acrel_ddsy1352 acrel_pz72_e3 arkel_arcode basi_bufm660
    bg_etech_ds100 bg_etech_ws100 carlo_gavazzi_em24 carlo_gavazzi_em330_340 chint_dtsu666
    chint_dtsu666_oem_sigen chint_dtsu666_settings ddm18sd dynaflox_ultrad dzg_dvh4013 eastron_sdm120
    eastron_sdm220 eastron_sdm230 eastron_sdm54 eastron_sdm630 eastron_sdm72 eastron_sdm72v2 eastron_x96_1a
    eltako_dsz15 finder_7m24 finder_7m38 gst_modbus_board huawei_dtsu666_h inepro_pro380
    invertek_elevator_core janitza_b_series lorric_fu_tx310 lovato_dmg610 monarch_mctc mpm3pm
    notifier_modbus_gw orno_we504 orno_we514_515 orno_we516_517 orno_we525_526 peacefair_pzem_016
    saia_burgess_ale3 schneider_iem3000 siemens_dms8000 siemens_pac2200 suto_s401 wago_879_30xx
"""
MODBUS_MODELS = frozenset(_MODELS.split())

GOLDEN = [
    pytest.param(load_profile(name), golden, id=f"{name}-{i}")
    for name in profile_names()
    for i, golden in enumerate(load_profile(name).golden)
]


@pytest.mark.parametrize(("profile", "golden"), GOLDEN)
def test_a_golden_frame_gives_its_values_through_the_driver(profile: Profile, golden: Golden) -> None:
    readings = golden_readings(profile, golden)

    found = {reading.point_key.removeprefix("golden/"): reading.value_micro for reading in readings}
    expected = {
        name: None if value is None else micro_from_decimal(value) for name, value in golden.values.items()
    }
    assert found == expected
    assert {reading.quality for reading in readings} <= {Quality.GOOD, Quality.ABSENT}


def test_every_profile_has_a_golden_frame() -> None:
    without = [name for name in profile_names() if not load_profile(name).golden]

    # Without a map there is nothing to prove; readers are driven by libosdp, cameras asked in SOAP.
    assert without == ["gst_modbus_board", "monarch_mctc", "onvif_camera", "osdp_door", "osdp_reader"]


def test_all_known_modbus_models_have_a_profile() -> None:
    models = {load_profile(name).name for name in profile_names() if load_profile(name).protocol == "modbus"}

    assert models >= MODBUS_MODELS
    assert len(MODBUS_MODELS) == 49


@pytest.mark.parametrize("name", ["gst_modbus_board", "monarch_mctc"])
def test_a_model_without_a_map_says_what_to_do_and_is_not_configured(name: str, tmp_path: Path) -> None:
    partial = load_profile(name).partial
    assert len(partial) > 50

    text = f"""
[gateway]
code = "g"
time_zone = "UTC"
[[lines]]
id = "bus"
transport = "modbus-tcp"
host = "h"
[[devices]]
id = "d"
line = "bus"
profile = "{name}"
address = 1
"""
    with pytest.raises(Malformed, match="has no points yet"):
        parse_config(text, tmp_path / "edge.toml")


def test_what_is_not_known_of_a_model_is_shown() -> None:
    assert "(partial)" in next(line for line in run("list").output.splitlines() if "lorric" in line)
    assert "partial: the manual asks for seven" in run("show", "lorric_fu_tx310").output
    assert "partial: the manual asks for seven" in run("check", "lorric_fu_tx310").output


def test_a_point_that_may_be_set_shows_its_limits() -> None:
    assert "off, on (switch_state), may be set" in run("show", "waveshare_relay_8").output


@pytest.mark.parametrize(
    "name", [name for name in profile_names() if load_profile(name).protocol == "modbus"]
)
def test_every_modbus_point_is_in_a_golden_frame(name: str) -> None:
    profile = load_profile(name)

    assert {point.name for point in profile.points} == {n for golden in profile.golden for n in golden.values}


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_says_where_it_is_from_and_bills_only_totals(name: str) -> None:
    profile = load_profile(name)

    assert len(profile.source) > 10
    assert all(not p.name.endswith(("_a", "_b", "_c")) for p in profile.points if p.is_billing)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(profiles, arguments)


def test_the_list_names_every_profile() -> None:
    listed = [line.split()[0] for line in run("list").stdout.splitlines()]

    assert listed == list(profile_names())


def test_one_profile_is_shown_with_units_and_what_is_billed() -> None:
    shown = run("show", "eastron_sdm630").stdout

    assert "active_energy_import             kWh, may be billed" in shown


def test_a_profile_of_ones_own_is_checked_through_the_driver(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text((PROFILES_DIR / "eastron_sdm630.toml").read_text().replace("230.20001", "230.3"))

    checked = run("check", str(mine))

    assert checked.exit_code == 1
    assert "golden[0].values.voltage_a: expected 230.3, the driver says 230.20001" in checked.stderr


def test_a_profile_that_asks_something_else_than_its_golden_request_is_told(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    text = (PROFILES_DIR / "eastron_sdm630.toml").read_text()
    mine.write_text(
        text.replace(
            'name = "voltage_a", table = "input_register", address = 0,',
            'name = "voltage_a", table = "input_register", address = 1,',
        )
    )

    checked = run("check", str(mine))

    assert checked.exit_code == 1
    assert "the golden request is 01040000000271cb" in checked.stderr


def test_a_profile_that_is_not_there_is_said() -> None:
    assert "there is no profile 'nothing'" in run("check", "nothing").stderr
    assert "cannot be read" in run("check", "nothing.toml").stderr


HEAD = 'title = "t"\nsource = "s"\nprotocol = "modbus"\n'
POINT = 'points = [{{ name = "voltage", table = "holding_register", address = 1{more} }}]\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(HEAD + "points = []", "points: a profile needs at least one", id="no points"),
        pytest.param(
            HEAD.replace("modbus", "modus") + "points = []",
            "protocol: 'modus' is none of cjt188, dlt645, dlt645-1997, dlt645-2007, ",
            id="protocol",
        ),
        pytest.param(
            HEAD + POINT.format(more=", adress = 2"), "points[0].adress: unknown key; did you mean", id="key"
        ),
        pytest.param(
            HEAD + POINT.format(more=', quantity = "volts"'), "no quantity is called 'volts'", id="quantity"
        ),
        pytest.param(
            HEAD + POINT.format(more=', encoding = "float99"'), "'float99' is none of bcd16", id="encoding"
        ),
        pytest.param(HEAD + POINT.format(more=', word_order = "BACD"'), "'BACD' is none of ABCD", id="order"),
        pytest.param(HEAD + POINT.format(more=', scale = "x"'), "'x' is not a decimal number", id="scale"),
        pytest.param(
            HEAD + POINT.format(more=", billing = true"),
            "voltage is not cumulative and cannot be billed",
            id="billing",
        ),
        pytest.param(
            HEAD + POINT.format(more=', encoding = "bit"'),
            "encoding 'bit' in a register needs the bit",
            id="bit",
        ),
        pytest.param(
            HEAD + 'points = [{ name = "voltage", table = "coil", address = 65535, encoding = "uint16" }]',
            "encoding 'uint16' does not go with table and bit",
            id="number in a coil",
        ),
        pytest.param(
            HEAD + POINT.replace("address = 1", "address = 65535").format(more=', encoding = "uint32"'),
            "2 words from 65535 pass 65535",
            id="past the end",
        ),
        pytest.param(
            HEAD
            + 'points = [{ name = "a", quantity = "voltage", table = "holding_register", address = 1 },'
            + '{ name = "a", quantity = "current", table = "holding_register", address = 2 }]',
            "the name 'a' is used more than once",
            id="name twice",
        ),
        pytest.param(
            HEAD + POINT.format(more=', codes = { "1" = "open" }'), "'open' is no code of voltage", id="codes"
        ),
        pytest.param(
            HEAD + POINT.format(more="") + '[[golden]]\nreply = "0102"\nvalues = { current = "1" }',
            "golden[0].values.current: the profile has no such point",
            id="golden point",
        ),
        pytest.param(
            HEAD + POINT.format(more="") + '[[golden]]\nreply = "zz"\nvalues = { voltage = "1" }',
            "'zz' is not hexadecimal",
            id="golden hex",
        ),
    ],
)
def test_a_wrong_profile_is_refused_by_key(text: str, told: str) -> None:
    with pytest.raises(Malformed) as refusal:
        parse_profile(text, "wrong")

    assert told in str(refusal.value)
