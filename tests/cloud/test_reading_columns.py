"""Blocks of readings as columns: the same rows as one by one, and nothing that could not be stored."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.columns import INSTANT_MS_MAX, POINT_KEY_LENGTH_MAX, TEXT_LENGTH_MAX, VALUE_MICRO_MAX
from protocol.envelope import (
    decode_reading_columns,
    decode_readings,
    encode_readings,
    salvage_reading_columns,
)
from protocol.errors import EnvelopeError
from protocol.evidence import Evidence
from protocol.reading import ClockQuality, Quality, Reading

_EVIDENCE = Evidence("dlt645-2007", "bus-1", b"\x68", b"\x68\x16", 1_795_478_400_000, 41_000)


def _readings() -> st.SearchStrategy[list[Reading]]:
    def reading(quality: Quality) -> st.SearchStrategy[Reading]:
        values = st.integers(-VALUE_MICRO_MAX, VALUE_MICRO_MAX) if quality.has_value else st.none()
        return st.builds(
            Reading,
            st.sampled_from(["em-101/voltage", "em-101/active_energy_import", "wm-101/water_volume"]),
            st.integers(0, INSTANT_MS_MAX),
            values,
            st.just(quality),
            st.sampled_from(["", "no reply in 1.5 s", "校验和不符"]),
            st.sampled_from(ClockQuality),
            st.sampled_from([None, _EVIDENCE]),
        )

    return st.lists(st.sampled_from(Quality).flatmap(reading), min_size=1, max_size=30)


@given(_readings())
def test_what_is_packed_comes_back_row_by_row(readings: list[Reading]) -> None:
    assert decode_readings(encode_readings(readings), len(readings)) == readings


def test_a_reason_too_long_or_with_nul_is_cut_not_refused() -> None:
    reading = Reading("em-101/voltage", 0, None, Quality.BAD_FRAME, "a\0" * TEXT_LENGTH_MAX)

    [back] = decode_readings(encode_readings([reading]), 1)

    assert len(back.reason) == TEXT_LENGTH_MAX
    assert "\0" not in back.reason


# Columns in the order they are packed; each case breaks one.
_GOOD = [["em-101/voltage"], [""], [], [0, 0], [1000, 1], [220_000_000, None], [0, 10], [0], [0], [-1]]


def _with(column: int, value: object) -> list[object]:
    broken: list[object] = list(_GOOD)
    broken[column] = value
    return broken


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        pytest.param(_with(3, [0, 1]), "point 1 is outside 0 to 0", id="point index past the dictionary"),
        pytest.param(_with(3, [0, -1]), "point -1 is outside", id="point index negative"),
        pytest.param(_with(3, [0]), "says 2 rows and holds 1 points", id="too few rows"),
        pytest.param(
            _with(4, [1000]), "says 2 rows and holds 2 points, 1 times and 2 values", id="too few times"
        ),
        pytest.param(_with(4, [-1, 5]), "measured_at_ms -1 is outside", id="time before 1970"),
        pytest.param(_with(4, [INSTANT_MS_MAX, 1]), "measured_at_ms .* is outside", id="time past the limit"),
        pytest.param(
            _with(5, [2**63, None]), "value_micro 9223372036854775808 is outside", id="value of 65 bits"
        ),
        pytest.param(_with(5, [None, None]), "a row of quality GOOD has no value", id="good without value"),
        pytest.param(_with(5, [1, 2]), "a row of quality NO_REPLY has a value", id="no reply with value"),
        pytest.param(_with(6, [0, 77]), "quality 77 is not known", id="unknown quality"),
        pytest.param(_with(7, [1]), "reason 1 is outside 0 to 0", id="reason past the dictionary"),
        pytest.param(_with(8, [2]), "clock_quality 2 is not known", id="unknown clock quality"),
        pytest.param(_with(9, [0]), "evidence_of 0 is outside -1 to -1", id="evidence past the dictionary"),
        pytest.param(_with(0, [""]), "point key of 0 characters", id="empty key"),
        pytest.param(_with(0, ["a/" + "b" * POINT_KEY_LENGTH_MAX]), "point key of 202", id="long key"),
        pytest.param(_with(0, ["em\0/voltage"]), "has a NUL", id="NUL in key"),
        pytest.param(_with(2, [["p", "l", b"", b"", -1, 0]]), "captured_at_ms -1", id="evidence before 1970"),
    ],
)
def test_a_block_that_could_not_be_stored_is_refused_with_the_column_at_fault(
    columns: list[object], complaint: str
) -> None:
    with pytest.raises(EnvelopeError, match=complaint):
        decode_reading_columns(msgspec.msgpack.encode(columns), 2)


def test_the_good_block_the_broken_ones_are_made_from_is_good() -> None:
    columns = decode_reading_columns(msgspec.msgpack.encode(_GOOD), 2)

    assert columns.measured_at_ms == [1000, 1001]
    assert columns.quality == [Quality.GOOD, Quality.NO_REPLY]


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(payload: bytes) -> None:
    with contextlib.suppress(EnvelopeError):
        decode_readings(payload, 1)


def test_one_bad_row_does_not_cost_its_neighbours() -> None:
    # Of a sender that knows a quality we don't, has a point without a name, and once a value of 65 bits.
    columns = [
        ["em-101/voltage", "", "em-102/voltage"],
        ["", "no reply"],
        [],
        [0, 1, 2, 2, 0],
        [1000, 1, 1, 1, 1],
        [220_000_000, 1, None, 2**63, 221_000_000],
        [0, 0, 10, 0, 77],
        [0, 0, 1, 0, 0],
        [0],
        [-1],
    ]
    payload = msgspec.msgpack.encode(columns)
    with pytest.raises(EnvelopeError):
        decode_reading_columns(payload, 5)

    sound, rows, problems = salvage_reading_columns(payload, 5)

    assert rows == [0, 2]
    assert (sound.points, sound.point) == (["em-101/voltage", "em-102/voltage"], [0, 1])
    assert (sound.measured_at_ms, sound.value_micro) == ([1000, 1002], [220_000_000, None])
    assert ([sound.reasons[index] for index in sound.reason]) == ["", "no reply"]
    assert [problem.partition(":")[0] for problem in problems] == ["row 1", "row 3", "row 4"]
    assert problems[2] == "row 4: quality 77 is not known"
