"""`gatehouse decode` as people and scripts call it."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gatehouse.__main__ import main
from protocol.fieldbus.vectors import Outcome, judge
from tests.fieldbus.golden import VECTOR_DIR

ENERGY = "68 12 90 78 56 34 12 68 91 08 33 33 34 33 89 67 45 33 54 16"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["decode", *arguments])


def test_vectors_of_our_own_copy_all_pass() -> None:
    result = run("vectors", str(VECTOR_DIR))

    lines = result.output.splitlines()
    assert result.exit_code == 0, result.output
    assert lines[-1].endswith(" passed, 0 failed")
    assert int(lines[-1].split()[0]) == sum(int(line.split()[1]) for line in lines[:-1])


def test_one_wrong_vector_is_printed_with_its_difference_and_fails_the_run(tmp_path: Path) -> None:
    shutil.copy(VECTOR_DIR / "dlt645-2007.json", tmp_path)
    file = tmp_path / "dlt645-2007.json"
    loaded = json.loads(file.read_text(encoding="utf-8"))
    loaded[0]["decoded"]["address"] = "000000000000"
    file.write_text(json.dumps(loaded), encoding="utf-8")

    result = run("vectors", str(tmp_path))

    assert result.exit_code == 1
    first = "FAIL dlt645-2007-001: address: expected '000000000000', got '000003104477'"
    assert result.output.splitlines()[0] == first
    assert result.output.splitlines()[-1] == f"{len(loaded) - 1} passed, 1 failed"


def test_a_folder_of_unseen_vectors_with_new_ids_is_judged_the_same(tmp_path: Path) -> None:
    unseen = {
        "id": "never-seen-1",
        "protocol": "dlt645-2007",
        "direction": "response",
        "hex": ENERGY.replace(" ", ""),
        "decoded": {"value": 1234.56, "unit": "kWh", "di": "00010000"},
        "valid": True,
    }
    (tmp_path / "field.json").write_text(json.dumps([unseen]), encoding="utf-8")

    result = run("vectors", str(tmp_path))

    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == "1 passed, 0 failed"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read"),
        ("{}", "is a JSON dict, expected a list of vectors"),
        ("[7]", "is 7, expected an object"),
        ('[{"id":"x","protocol":"profinet"}]', "no codec is called 'profinet'"),
    ],
)
def test_files_that_are_no_vectors_fail_with_what_was_expected(
    tmp_path: Path, content: str, said: str
) -> None:
    (tmp_path / "bad.json").write_text(content, encoding="utf-8")

    result = run("vectors", str(tmp_path))

    assert result.exit_code == 1
    assert said in result.output
    assert result.output.splitlines()[-1] == "0 passed, 1 failed"


def test_a_codec_that_breaks_on_one_vector_does_not_hide_the_others(tmp_path: Path, monkeypatch) -> None:
    def breaks_on_the_first(vector: dict) -> Outcome:
        if vector["id"] == "dlt645-2007-001":
            raise ZeroDivisionError("oh")
        return judge(vector)

    monkeypatch.setattr("gatehouse.decode.judge", breaks_on_the_first)

    result = run("vectors", str(VECTOR_DIR / "dlt645-2007.json"))

    assert result.exit_code == 1
    assert "FAIL dlt645-2007-001: our codec broke: ZeroDivisionError('oh')" in result.output
    assert result.output.splitlines()[-1] == "77 passed, 1 failed"


def test_an_empty_folder_is_an_error_and_no_success(tmp_path: Path) -> None:
    result = run("vectors", str(tmp_path))

    assert result.exit_code == 1
    assert "no .json files" in result.output


def test_a_frame_is_guessed_and_explained_byte_by_byte() -> None:
    result = run("frame", *ENERGY.split())

    lines = result.output.splitlines()
    assert result.exit_code == 0, result.output
    assert lines[0] == "dlt645-2007, 20 bytes"
    assert any("89 67 45 33" in line and "1234.56 kWh" in line for line in lines)
    assert sum(len(line[8:31].split()) for line in lines[1 : lines.index("")]) == 20


@pytest.mark.parametrize(
    ("hex_text", "protocol"),
    [
        ("fefe6810aaaaaaaaaaaaaa0103901faa7b16", "cjt188"),
        ("1103007c00020743", "modbus-rtu"),
        ("000000000007ff0304008d008e", "modbus-tcp"),
        ("68:AA:AA:AA:AA:AA:AA:68:13:00:DF:16", "dlt645-2007"),
    ],
)
def test_protocols_are_guessed_from_their_bytes(hex_text: str, protocol: str) -> None:
    assert run("frame", hex_text).output.startswith(f"{protocol}, ")


@pytest.mark.parametrize(
    ("topic", "payload", "protocol", "said"),
    [
        ("zigbee2mqtt/Plug", '{"power":58.7}', "mqtt-zigbee2mqtt", "power_w"),
        ("tele/plug/LWT", "Online", "mqtt-tasmota", "available"),
        ("plug/status/switch:0", '{"apower":1}', "mqtt-shelly", "power_w"),
        ("spBv1.0/STATE/host", '{"online":true,"timestamp":1}', "sparkplug-b", "online"),
    ],
)
def test_a_payload_needs_its_topic_and_may_be_text(
    topic: str, payload: str, protocol: str, said: str
) -> None:
    result = run("frame", "--topic", topic, payload)

    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{protocol}, ")
    assert said in result.output


def test_json_output_is_json_with_facts_and_fields() -> None:
    document = json.loads(run("frame", "--json", ENERGY).output)

    assert document["protocol"] == "dlt645-2007"
    assert document["facts"]["value"] == "1234.56"
    assert sum(field["length"] for field in document["fields"]) == 20


def test_a_frame_nobody_takes_says_why_for_each_codec() -> None:
    result = run("frame", ENERGY[:-2] + "17")

    assert result.exit_code == 1
    assert "dlt645-2007: end byte is 17, expected 16" in result.output


def test_text_that_is_no_hex_is_refused() -> None:
    result = run("frame", "hello")

    assert result.exit_code == 1
    assert "HEX: non-hexadecimal" in result.output
