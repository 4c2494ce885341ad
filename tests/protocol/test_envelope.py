"""Blocks and batches: what comes out is what went in, and hostile bytes are refused, never worse."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.envelope import (
    ENVELOPE_VERSION,
    Batch,
    Block,
    decode_batch,
    decode_events,
    decode_readings,
    encode_batch,
    encode_events,
    encode_readings,
)
from protocol.errors import EnvelopeError
from protocol.event import Event, EventState, Severity
from protocol.evidence import Evidence
from protocol.reading import ClockQuality, Quality, Reading
from protocol.sync import Stream

# No database keeps U+0000 in text; it has a test of its own.
_text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
_times = st.integers(0, 2**42)
_evidence = st.builds(
    Evidence,
    st.sampled_from(["dlt645-2007", "cjt188"]),
    st.just("bus-1"),
    st.binary(max_size=20),
    st.binary(max_size=40),
    _times,
    st.integers(0, 10**6),
)
_good = st.builds(
    Reading,
    st.sampled_from(["em-101/active_energy_import", "wm-101/water_volume"]),
    _times,
    st.integers(1 - 2**63, 2**63 - 1),
    st.sampled_from([Quality.GOOD, Quality.SUSPECT, Quality.HELD]),
    st.sampled_from(["", "faster than the meter can count"]),
    st.sampled_from(ClockQuality),
    st.none() | _evidence,
)
_failed = st.builds(
    Reading,
    st.just("em-102/voltage"),
    _times,
    st.none(),
    st.sampled_from([q for q in Quality if not q.has_value]),
    _text,
)
_events = st.builds(
    Event,
    st.sampled_from(["fire_alarm", "water_leak"]),
    st.sampled_from(EventState),
    st.sampled_from(Severity),
    st.just("fire-1/fire_alarm"),
    _times,
    _text,
    st.just("rule-1"),
    st.none() | st.integers(1 - 2**63, 2**63 - 1),
    st.booleans(),
    st.dictionaries(_text, _text, max_size=3),
    st.none() | _evidence,
)


@given(st.lists(_good | _failed, min_size=1, max_size=30))
def test_readings_survive_the_envelope_unchanged(readings: list[Reading]):
    assert decode_readings(encode_readings(readings), len(readings)) == readings


@given(st.lists(_events, min_size=1, max_size=10))
def test_events_survive_the_envelope_unchanged(events: list[Event]):
    assert decode_events(encode_events(events), len(events)) == events


def test_a_nul_in_text_becomes_the_replacement_character():
    reading = Reading("em-102/voltage", 0, None, Quality.NO_REPLY, "silent\x00")

    [decoded] = decode_readings(encode_readings([reading]), 1)

    assert decoded.reason == "silent\ufffd"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_batch_or_refused(body: bytes):
    for decode in (
        lambda: decode_batch(body, Stream.HISTORY),
        lambda: decode_readings(body, 1),
        lambda: decode_events(body, 1),
    ):
        with contextlib.suppress(EnvelopeError):
            decode()


@given(st.lists(_good | _failed, min_size=1, max_size=5), st.data())
def test_a_damaged_block_is_refused_or_has_as_many_rows_as_it_says(
    readings: list[Reading], data: st.DataObject
):
    payload = bytearray(encode_readings(readings))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))

    try:
        decoded = decode_readings(bytes(payload), len(readings))
    except EnvelopeError:
        return

    assert len(decoded) == len(readings)


def test_text_that_is_not_utf8_is_refused_as_a_bad_envelope():
    body = encode_batch(Batch(ENVELOPE_VERSION, "history", 1, "boot", 0, [Block(1, 1, b"x")]))

    with pytest.raises(EnvelopeError, match="batch: "):
        decode_batch(body.replace(b"boot", b"\xb5oot"), Stream.HISTORY)


def test_nesting_without_end_is_refused_as_a_bad_envelope():
    whole = msgspec.msgpack.encode([1, "history", 1, "boot", 0, [[1, 1, b"x"]], "unknown"])
    bomb = whole.replace(msgspec.msgpack.encode("unknown"), b"\x91" * 200_000 + b"\x00")

    with pytest.raises(EnvelopeError, match="batch: "):
        decode_batch(bomb, Stream.HISTORY)


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        (Batch(1, "event", 1, "b", 0, [Block(1, 1, b"")]), "of stream 'event', posted to 'history'"),
        (Batch(1, "history", 0, "b", 0, [Block(1, 1, b"")]), "epoch 0 is not positive"),
        (Batch(0, "history", 1, "b", 0, [Block(1, 1, b"")]), "version 0 is not known"),
        (Batch(1, "history", 1, "b", 0, []), "0 blocks, allowed are 1 to 2000"),
        (Batch(1, "history", 1, "b", 0, [Block(0, 1, b"")]), "must be positive"),
        (Batch(1, "history", 1, "b", 0, [Block(1, 3, b""), Block(3, 1, b"")]), "overlap or are out of order"),
        (Batch(1, "history", 1, "b", 0, [Block(1, 20_001, b"\x90")]), "more than 20000 rows"),
    ],
)
def test_a_batch_that_does_not_add_up_says_how(batch: Batch, reason: str):
    with pytest.raises(EnvelopeError, match=reason):
        decode_batch(encode_batch(batch), Stream.HISTORY)


def test_a_batch_from_a_newer_edge_with_further_fields_is_read():
    known = [1, "history", 1, "boot", 0, [[1, 1, b"x", "later"]], 0, [], {"later": True}]

    batch = decode_batch(msgspec.msgpack.encode(known), Stream.HISTORY)

    assert batch.blocks == [Block(1, 1, b"x")]
