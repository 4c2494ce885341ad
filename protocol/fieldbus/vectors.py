"""Judging codecs by test vectors: frames with what they are said to mean.

A vector is a JSON object: `protocol`, `direction`, `hex`, the facts in `decoded`, `valid`, and where
needed `request_hex`, `topic`, `expect`, `reject_reason`, `expected_response_length`. The codec is the
one the drivers use. Every fact must be there and equal; one the codec does not know is a
difference. Only descriptive texts (`item`, `name`, `function`, `*_name`, `*_note`) may be worded
otherwise; a `note` remarks on the vector and is passed over.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeGuard

from protocol.errors import FrameError, ProtocolError, Refused
from protocol.fieldbus import codec_named
from protocol.fieldbus.annotation import Codec, Fact, Facts, LenientCodec, Message, ReplyCodec

_REPLIES = frozenset({"reply", "response"})
_REQUESTS = frozenset({"command", "request"})
_DESCRIPTIVE = frozenset({"function", "item", "name"})
# Words of reasons that give both what was found and what should have been.
_EXACT = ("computed", " but ", "answered", "in reply to", "for a request")
# A remark about the vector itself, no fact of the frame.
_REMARK = "note"
_DESCRIPTIVE_ENDS = ("_name", "_note")
_ACCEPT_FIRST = re.compile(r"accept first (\d+) bytes")
# What a stated reason may name and the words our messages may use for it.
_REASONS: Mapping[str, tuple[str, ...]] = {
    "byte count": ("byte count",),
    "checksum": ("checksum", "crc"),
    "crc": ("crc", "checksum"),
    "end": ("end",),
    "function": ("function",),
    "length": ("length", "bytes"),
    "protocol id": ("protocol id",),
    "second": ("second",),
    "start": ("start",),
    "transaction": ("transaction",),
    "unit": ("unit",),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One vector's verdict; without differences it passed."""

    vector_id: str
    differences: tuple[str, ...]


def judge(vector: Mapping[str, Fact]) -> Outcome:
    """Return how the codec of the vector's protocol does on it."""
    vector_id = str(vector.get("id", "vector without id"))
    try:
        codec = codec_named(str(vector.get("protocol")))
        message = _message(vector)
    except (ProtocolError, ValueError) as error:
        return Outcome(vector_id, (str(error),))
    valid = vector.get("valid")
    if not isinstance(valid, bool):
        return Outcome(vector_id, (f"valid is {valid!r}, expected true or false",))
    try:
        differences = tuple((_judge_valid if valid else _judge_invalid)(codec, message, vector))
    except ProtocolError as error:
        differences = (f"cannot be judged: {error}",)
    return Outcome(vector_id, differences)


def _message(vector: Mapping[str, Fact]) -> Message:
    direction = str(vector.get("direction"))
    is_reply = True if direction in _REPLIES else False if direction in _REQUESTS else None
    text, payload = vector.get("hex"), vector.get("payload")
    if isinstance(text, str):
        data = bytes.fromhex(text)
    elif isinstance(payload, str):
        data = payload.encode()
    else:
        raise ProtocolError(f"hex is {text!r}, expected hexadecimal text")
    topic = vector.get("topic")
    return Message(
        data,
        is_reply,
        bytes.fromhex(str(vector.get("request_hex") or "")),
        topic if isinstance(topic, str) else "",
        _decoded(vector),
    )


def _decoded(vector: Mapping[str, Fact]) -> Mapping[str, Fact]:
    decoded = vector.get("decoded")
    if not isinstance(decoded, Mapping):
        raise ProtocolError(f"decoded is {decoded!r}, expected an object")
    return decoded


def _judge_valid(codec: Codec, message: Message, vector: Mapping[str, Fact]) -> Iterable[str]:
    try:
        facts = codec.facts(message)
    except ProtocolError as error:
        yield f"refused, but it is valid: {error}"
        return
    yield from differences_between(_decoded(vector), facts)
    stated = vector.get("expected_response_length")
    if stated is not None:
        computed = codec.reply_length(message.data) if isinstance(codec, ReplyCodec) else None
        if computed != stated:
            yield f"expected_response_length: expected {stated}, got {computed}"


def _judge_invalid(codec: Codec, message: Message, vector: Mapping[str, Fact]) -> Iterable[str]:
    expect = vector.get("expect")
    reason = vector.get("reject_reason")
    if not isinstance(expect, str):
        expect = "reject"
    accepted = _ACCEPT_FIRST.match(expect)
    if accepted:
        yield from _judge_noise(codec, message, int(accepted.group(1)))
    elif expect.startswith("must not crash"):
        yield from _judge_malformed(codec, message, vector)
    elif expect.startswith("reject:"):
        yield from _judge_wrong_answer(codec, message, vector, expect.removeprefix("reject:").strip())
    elif expect.startswith("reject"):
        yield from _judge_refused(codec, message, vector, reason if isinstance(reason, str) else "")
        if "lenient" in expect:
            yield from _judge_lenient(codec, message, vector)
    else:
        yield f"expectation not understood: {expect!r}"


def _judge_refused(codec: Codec, message: Message, vector: Mapping[str, Fact], reason: str) -> Iterable[str]:
    try:
        facts = codec.facts(message)
    except FrameError as error:
        if not reason_agrees(reason, str(error)):
            yield f"refused for another reason: expected {reason!r}, got {str(error)!r}"
        yield from differences_between(_decoded(vector), {"link_layer_valid": False})
        return
    except ProtocolError as error:
        yield f"not refused as a bad frame: {error}"
        return
    yield f"accepted, expected to be refused ({reason or 'no reason given'}): {facts}"


def _judge_wrong_answer(
    codec: Codec, message: Message, vector: Mapping[str, Fact], reason: str
) -> Iterable[str]:
    """The frame is sound, but no answer to the request."""
    yield from differences_between(_decoded(vector), _facts_or_error(codec, message))
    if not isinstance(codec, ReplyCodec):
        yield "this codec cannot hold a reply against its request"
        return
    try:
        codec.check(message)
    except FrameError as error:
        if not reason_agrees(reason, str(error)):
            yield f"refused for another reason: expected {reason!r}, got {str(error)!r}"
        return
    yield f"accepted as an answer, expected to be refused: {reason}"


def _judge_noise(codec: Codec, message: Message, count: int) -> Iterable[str]:
    """The first `count` bytes are the answer, the rest is noise."""
    if not isinstance(codec, ReplyCodec) or not message.request:
        yield "a codec and a request are needed that tell the reply's length"
        return
    if codec.reply_length(message.request) != count:
        yield f"the reply has {codec.reply_length(message.request)} bytes, expected {count}"
        return
    answer = Message(message.data[:count], message.is_reply, message.request)
    try:
        codec.facts(answer)
        codec.check(answer)
    except (FrameError, Refused) as error:
        yield f"the first {count} bytes are refused: {error}"


def _judge_malformed(codec: Codec, message: Message, vector: Mapping[str, Fact]) -> Iterable[str]:
    """The frame is sound, its content is not: both must be said."""
    facts = _facts_or_error(codec, message)
    yield from differences_between(_decoded(vector), facts)
    if "application_error" not in facts and facts.get("link_layer_valid") is not False:
        yield f"its content is malformed or unsupported, but was accepted: {facts}"


def _judge_lenient(codec: Codec, message: Message, vector: Mapping[str, Fact]) -> Iterable[str]:
    if not isinstance(codec, LenientCodec):
        yield "this codec has no lenient reading"
        return
    try:
        facts = codec.lenient_facts(message)
    except ProtocolError as error:
        yield f"the lenient reading refuses it too: {error}"
        return
    stated = vector.get("stated_by_source")
    if isinstance(stated, Mapping):
        yield from differences_between({key: stated[key] for key in stated if key != "meaning"}, facts)


def _facts_or_error(codec: Codec, message: Message) -> Facts:
    try:
        return codec.facts(message)
    except FrameError:
        return {"link_layer_valid": False}


def differences_between(expected: Mapping[str, Fact], facts: Mapping[str, Fact], path: str = "") -> list[str]:
    """Return one line for every expected fact that is missing or differs."""
    lines: list[str] = []
    for key, value in expected.items():
        where = f"{path}{key}"
        if key == _REMARK:
            continue
        if key not in facts:
            lines.append(f"{where}: the codec knows no such fact, expected {_shown(value)}")
        elif not _is_wording(key, value, facts[key]):
            lines += _compare(value, facts[key], where)
    return lines


def _is_wording(key: str, expected: Fact, actual: Fact) -> bool:
    is_descriptive = key in _DESCRIPTIVE or key.endswith(_DESCRIPTIVE_ENDS)
    return is_descriptive and isinstance(expected, str | None) and isinstance(actual, str | None)


def _compare(expected: Fact, actual: Fact, where: str) -> list[str]:
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        return differences_between(expected, actual, f"{where}.")
    if _is_list(expected) and _is_list(actual):
        if len(expected) != len(actual):
            return [f"{where}: expected {len(expected)} items, got {len(actual)}: {_shown(actual)}"]
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for at, (left, right) in pairs for line in _compare(left, right, f"{where}[{at}]")]
    if _is_number(expected) and _is_number(actual):
        is_equal = Decimal(str(expected)) == Decimal(str(actual))
    else:
        is_equal = type(expected) is type(actual) and expected == actual
    return [] if is_equal else [f"{where}: expected {_shown(expected)}, got {_shown(actual)}"]


def _is_list(value: Fact) -> TypeGuard[Sequence[Fact]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_number(value: Fact) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _shown(value: Fact) -> str:
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def reason_agrees(stated: str, message: str) -> bool:
    """Tell whether our message gives the stated reason: the same kind and, where computed, numbers.

    Our message may name more that is wrong. Numbers are compared where the reason says what was
    found and what was expected, as hex or decimal, whichever agrees.
    """
    stated, message = stated.lower(), message.lower()
    kinds = [words for kind, words in _REASONS.items() if kind in stated]
    if not all(any(word in message for word in words) for words in kinds):
        return False
    if not any(word in stated for word in _EXACT):
        return True
    asked, given = _numbers(stated), _numbers(message)
    return _are_all_among(asked, given) or _are_all_among(given, asked)


def _numbers(text: str) -> list[set[int]]:
    """Return what each number in a text may mean, read as hex and as decimal."""
    tokens = re.findall(r"\b[0-9a-f]*[0-9][0-9a-f]*\b", text)
    return [{int(token, 16), *([int(token)] if token.isdecimal() else [])} for token in tokens]


def _are_all_among(some: list[set[int]], others: list[set[int]]) -> bool:
    return all(any(meanings & other for other in others) for meanings in some)
