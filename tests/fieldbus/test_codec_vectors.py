"""Every vector of our own copy, and the judge itself: it must be able to fail."""

import copy
from decimal import Decimal

import pytest

from protocol.fieldbus import CODECS
from protocol.fieldbus.annotation import Message, check_cover
from protocol.fieldbus.vectors import differences_between, judge, reason_agrees
from tests.fieldbus.golden import VECTOR_DIR, vectors

PROTOCOLS = sorted(file.stem for file in VECTOR_DIR.glob("*.json"))
ALL = [vector for protocol in PROTOCOLS for vector in vectors(protocol)]


def by_id(vector_id: str) -> dict:
    return copy.deepcopy(next(vector for vector in ALL if vector["id"] == vector_id))


@pytest.mark.parametrize("vector", ALL, ids=lambda vector: vector["id"])
def test_vector_decodes_or_is_refused_as_stated(vector: dict) -> None:
    assert judge(vector).differences == ()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_explanation_covers_every_byte_of_valid_frames_once(protocol: str) -> None:
    codec = CODECS[protocol].load()

    for vector in vectors(protocol):
        if not vector["valid"] or not vector["hex"]:
            continue
        data = bytes.fromhex(vector["hex"])
        is_reply = vector["direction"] in ("response", "reply")
        request = bytes.fromhex(vector.get("request_hex", ""))
        fields = codec.explain(Message(data, is_reply, request, vector.get("topic") or ""))
        check_cover(fields, len(data))
        assert all(field.text for field in fields)


def test_every_registered_codec_has_vectors_and_loads() -> None:
    assert sorted(CODECS) == list(CODECS) == PROTOCOLS

    for entry in CODECS.values():
        assert callable(entry.load().facts)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("address",), "000003104478"),
        (("control",), "92"),
        (("di",), "0001FF01"),
        (("length",), 25),
        (("values", 4), Decimal("0.26")),
        (("values", 4), None),
        (("unit",), "Wh"),
        (("preamble_fe",), 1),
    ],
    ids=str,
)
def test_judge_reports_a_wrong_fact(path: tuple, wrong: object) -> None:
    vector = by_id("dlt645-2007-001")
    place = vector["decoded"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = wrong

    outcome = judge(vector)

    assert len(outcome.differences) == 1
    assert outcome.differences[0].startswith(str(path[0]))


def test_judge_fails_on_a_fact_the_codec_does_not_know() -> None:
    vector = by_id("dlt645-2007-001")
    vector["decoded"]["phase_of_the_moon"] = "full"

    outcome = judge(vector)

    assert outcome.differences == ("phase_of_the_moon: the codec knows no such fact, expected 'full'",)


def test_judge_lets_descriptive_texts_differ_but_not_numbers_under_the_same_key() -> None:
    texts = differences_between(
        {"function": "read", "item": "x", "a_name": None},
        {"function": "read data", "item": "y", "a_name": "z"},
    )
    numbers = differences_between({"function": 3}, {"function": 4})

    assert texts == []
    assert numbers == ["function: expected 3, got 4"]


def test_judge_does_not_take_true_for_one() -> None:
    assert differences_between({"a": True}, {"a": 1}) == ["a: expected True, got 1"]
    assert differences_between({"a": 1}, {"a": True}) == ["a: expected 1, got True"]
    assert differences_between({"a": Decimal("1.0")}, {"a": 1}) == []


def test_judge_fails_a_valid_frame_that_is_said_to_be_invalid() -> None:
    vector = by_id("dlt645-2007-001") | {"valid": False, "decoded": {}, "expect": "reject"}

    outcome = judge(vector)

    assert "accepted, expected to be refused" in outcome.differences[0]


def test_judge_fails_an_invalid_frame_that_is_said_to_be_valid() -> None:
    vector = by_id("dlt645-2007-058") | {"valid": True}

    outcome = judge(vector)

    assert outcome.differences == ("refused, but it is valid: checksum is 55, computed 54",)


def test_judge_fails_when_the_refusal_has_another_reason() -> None:
    vector = by_id("dlt645-2007-058") | {"reject_reason": "end byte"}

    outcome = judge(vector)

    assert "refused for another reason" in outcome.differences[0]


def test_judge_takes_the_payload_where_there_is_no_hex() -> None:
    vector = by_id("mqtt-zigbee2mqtt-001")
    del vector["hex"]

    assert judge(vector).differences == ()
    assert judge(vector | {"payload": "online"}).differences == ("available: expected False, got True",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"protocol": "dlt698"}, "no codec is called 'dlt698'"),
        ({"hex": "6"}, "non-hexadecimal"),
        ({"hex": None}, "hex is None"),
        ({"valid": "yes"}, "valid is 'yes'"),
        ({"decoded": []}, "decoded is []"),
        ({"valid": False, "expect": "sing"}, "expectation not understood: 'sing'"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_judge_fails_what_it_does_not_understand(change: dict, said: str) -> None:
    vector = by_id("dlt645-2007-001") | change

    outcome = judge(vector)

    assert len(outcome.differences) >= 1
    assert said in outcome.differences[0]


@pytest.mark.parametrize(
    ("stated", "message", "agrees"),
    [
        ("checksum is 24, computed 25", "checksum is 24, computed 25", True),
        ("checksum is 24, computed 25", "checksum is 24, computed 26", False),
        ("crc", "crc is 0000, computed b0f0", True),
        ("end byte", "end byte is 17, expected 16", True),
        ("end byte", "checksum is 17, computed 16", False),
        ("second 68 missing", "second 68 missing: 69; checksum is 54, computed 55", True),
        ("", "anything", True),
        ("sum 76 is no multiple of 15", "checksum is 3, computed 4", True),
        ("byte count 2 but 1 data bytes", "byte count 2 but 1 data bytes: 1 bytes are missing", True),
        ("byte count 2 but 1 data bytes", "byte count 2 but 3 data bytes", False),
        ("length field 0032 but body has 59", "length field 0032 but body has 59 = 003B", True),
        ("unit 2 answered a request to unit 1", "unit 3 answered a request to unit 1", False),
    ],
)
def test_reasons_agree_by_kind_and_numbers(stated: str, message: str, agrees: bool) -> None:
    assert reason_agrees(stated, message) is agrees


RTU_REPLY = "110304008d008efbbd"
RTU_REQUEST = "1103007c00020743"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"expect": "reject: unit 17 answered a request to unit 16", "valid": False},
            "accepted as an answer",
        ),
        (
            {
                "expect": "reject: unit 5 answered a request to unit 16",
                "valid": False,
                "request_hex": "1003007c00020692",
            },
            "refused for another reason",
        ),
        (
            {"expect": "accept first 8 bytes, drop 1 noise bytes", "valid": False},
            "the reply has 9 bytes, expected 8",
        ),
        (
            {
                "expect": "accept first 9 bytes, drop 0 noise bytes",
                "valid": False,
                "hex": "110304008d008efbbe",
            },
            "the first 9 bytes are refused",
        ),
        (
            {"expect": "must not crash; malformed", "valid": False},
            "content is malformed or unsupported, but was accepted",
        ),
        (
            {"expect": "reject; a lenient parser must still yield it", "valid": False},
            "accepted, expected to be refused",
        ),
        ({"expected_response_length": 9}, "cannot be judged"),
        (
            {"hex": RTU_REQUEST, "direction": "request", "request_hex": "", "expected_response_length": 8},
            "expected_response_length: expected 8, got 9",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_judge_notices_each_kind_of_disappointment(change: dict, said: str) -> None:
    vector = {
        "id": "made-up",
        "protocol": "modbus-rtu",
        "direction": "response",
        "hex": RTU_REPLY,
        "request_hex": RTU_REQUEST,
        "decoded": {"unit": 17},
        "valid": True,
    } | change

    outcome = judge(vector)

    assert any(said in difference for difference in outcome.differences), outcome.differences


@pytest.mark.parametrize(
    "expect", ["reject: why", "accept first 3 bytes, drop 1", "reject, lenient parser must yield"]
)
def test_judge_fails_what_a_codec_cannot_be_asked(expect: str) -> None:
    vector = by_id("dlt645-2007-058") | {"expect": expect, "reject_reason": None}

    assert judge(vector).differences


def test_lenient_reading_must_yield_what_the_source_states() -> None:
    vector = by_id("sia-dc09-001") | {"stated_by_source": {"sia_code": "FA"}}

    assert judge(vector).differences == ("sia_code: expected 'FA', got 'KR'",)


def test_lenient_reading_that_finds_nothing_fails() -> None:
    vector = by_id("sia-dc09-001") | {"hex": b"\n0000000Fno quote at all\r".hex(), "reject_reason": None}

    assert any("lenient reading refuses it too" in line for line in judge(vector).differences)
