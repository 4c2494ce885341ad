"""Sparkplug B 3.0: birth, death, data and command messages of edge nodes and their devices.

    spBv1.0/<group>/<type>/<edge node>[/<device>]    type NBIRTH NDEATH DBIRTH DDEATH NDATA DDATA NCMD DCMD
    spBv1.0/STATE/<host>                             JSON {"online": bool, "timestamp": ms}

A payload is a protobuf message: 1 timestamp (ms), 2 metrics, 3 seq (0-255, wraps). A metric:
1 name, 2 alias, 3 timestamp, 4 datatype, 5 historical, 6 transient, 7 null, 10 to 16 the value. Small
integers travel in an unsigned 32-bit field as two's complement, Int64 in an unsigned 64-bit one. Data
may name a metric by its alias alone, which only the birth explains. The wire format is two pages
long, so it is read here; unknown fields are passed over as protobuf wants it.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TypeAlias

from protocol.errors import FrameError, ProtocolError
from protocol.fieldbus.annotation import Cursor, Fact, Facts, Field, Message, Role
from protocol.fieldbus.json_payload import json_object, value_at

# A birth of a big device has some hundred metrics; a hostile one must not cost memory.
PAYLOAD_MAX, METRICS_MAX = 1024 * 1024, 5_000
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Value: TypeAlias = bool | int | Decimal | str | bytes | None

DATA_TYPES: Mapping[int, str] = MappingProxyType(
    dict(
        enumerate(
            (
                "Unknown",
                "Int8",
                "Int16",
                "Int32",
                "Int64",
                "UInt8",
                "UInt16",
                "UInt32",
                "UInt64",
                "Float",
                "Double",
                "Boolean",
                "String",
                "DateTime",
                "Text",
                "UUID",
                "DataSet",
                "Bytes",
                "File",
                "Template",
                "PropertySet",
                "PropertySetList",
                "Int8Array",
                "Int16Array",
                "Int32Array",
                "Int64Array",
                "UInt8Array",
                "UInt16Array",
                "UInt32Array",
                "UInt64Array",
                "FloatArray",
                "DoubleArray",
                "BooleanArray",
                "StringArray",
                "DateTimeArray",
            )
        )
    )
)
_SIGNED_BITS = {1: 8, 2: 16, 3: 32, 4: 64}
_LONG_TYPES = frozenset({4, 8, 13})
_INT_TYPES = frozenset({1, 2, 3, 5, 6, 7})


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `value` None is a null; a float32 is kept as the double it widens to."""

    name: str | None = None
    alias: int | None = None
    timestamp_ms: int | None = None
    data_type: int = 0
    is_historical: bool = False
    is_transient: bool = False
    value: Value = None


@dataclass(frozen=True, slots=True)
class Payload:
    """One message; commands and deaths carry no `seq`."""

    timestamp_ms: int | None
    metrics: tuple[Metric, ...]
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class _Item:
    """One field of a protobuf message, where it stands and what it holds."""

    number: int
    start: int
    end: int
    value: int | bytes


def decode_payload(data: bytes) -> Payload:
    """Return the message; FrameError where it is no protobuf or too large."""
    if len(data) > PAYLOAD_MAX:
        raise FrameError(f"payload of {len(data)} bytes, at most {PAYLOAD_MAX} are taken")
    timestamp_ms = seq = None
    metrics: list[Metric] = []
    for item in _items(data):
        match item.number:
            case 1:
                timestamp_ms = _integer(item)
            case 2:
                if len(metrics) == METRICS_MAX:
                    raise FrameError(f"more than {METRICS_MAX} metrics")
                metrics.append(decode_metric(_bytes(item)))
            case 3:
                seq = _integer(item)
    return Payload(timestamp_ms, tuple(metrics), seq)


def decode_metric(data: bytes) -> Metric:
    """Return one metric of a message."""
    fields = {item.number: item for item in _items(data)}
    data_type = _integer(fields[4]) if 4 in fields else 0
    is_null = 7 in fields and bool(_integer(fields[7]))
    return Metric(
        _text(fields[1]) if 1 in fields else None,
        _integer(fields[2]) if 2 in fields else None,
        _integer(fields[3]) if 3 in fields else None,
        data_type,
        5 in fields and bool(_integer(fields[5])),
        6 in fields and bool(_integer(fields[6])),
        None if is_null else _value(fields, data_type),
    )


def _value(fields: Mapping[int, _Item], data_type: int) -> Value:
    for number in (10, 11):
        if number in fields:
            return _signed(_integer(fields[number]), data_type)
    if 12 in fields:
        return _real("<f", fields[12])
    if 13 in fields:
        return _real("<d", fields[13])
    if 14 in fields:
        return bool(_integer(fields[14]))
    if 15 in fields:
        return _text(fields[15])
    return _bytes(fields[16]) if 16 in fields else None


def _signed(number: int, data_type: int) -> int:
    bits = _SIGNED_BITS.get(data_type)
    if bits is None:
        return number
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def _real(layout: str, item: _Item) -> Decimal | None:
    content = _bytes(item)
    if len(content) != struct.calcsize(layout):
        raise FrameError(f"field {item.number} of {len(content)} bytes is no such number")
    value = Decimal(repr(struct.unpack(layout, content)[0]))
    return value if value.is_finite() else None


# The protobuf wire format


def _items(data: bytes) -> Iterator[_Item]:
    at = 0
    while at < len(data):
        start = at
        key, at = _varint(data, at)
        number, wire_type = key >> 3, key & 7
        value: int | bytes
        if wire_type == _VARINT:
            value, at = _varint(data, at)
        else:
            if wire_type == _BYTES:
                length, at = _varint(data, at)
            elif wire_type in (_FIXED32, _FIXED64):
                length = 4 if wire_type == _FIXED32 else 8
            else:
                raise FrameError(f"field {number} has wire type {wire_type}, which is not used")
            if length > len(data) - at:
                raise FrameError(f"field {number} says {length} bytes, {len(data) - at} are left")
            value = data[at : at + length]
            at += length
        yield _Item(number, start, at, value)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise FrameError("the message ends inside a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise FrameError("a number of more than ten bytes")


def _integer(item: _Item) -> int:
    if not isinstance(item.value, int):
        raise FrameError(f"field {item.number} is not a number")
    return item.value


def _bytes(item: _Item) -> bytes:
    if not isinstance(item.value, bytes):
        raise FrameError(f"field {item.number} is a number")
    return item.value


def _text(item: _Item) -> str:
    try:
        return _bytes(item).decode()
    except UnicodeDecodeError:
        raise FrameError(f"field {item.number} is not UTF-8 text") from None


# Our side, for simulated nodes and for publishing


def encode_payload(payload: Payload) -> bytes:
    """Return the message's bytes."""
    parts = [] if payload.timestamp_ms is None else [_number_field(1, payload.timestamp_ms)]
    parts += [_bytes_field(2, encode_metric(metric)) for metric in payload.metrics]
    if payload.seq is not None:
        parts.append(_number_field(3, payload.seq))
    return b"".join(parts)


def encode_metric(metric: Metric) -> bytes:
    """Return one metric's bytes; ProtocolError where its value does not fit its data type."""
    parts = [] if metric.name is None else [_bytes_field(1, metric.name.encode())]
    if metric.alias is not None:
        parts.append(_number_field(2, metric.alias))
    if metric.timestamp_ms is not None:
        parts.append(_number_field(3, metric.timestamp_ms))
    parts.append(_number_field(4, metric.data_type))
    flags = ((5, metric.is_historical), (6, metric.is_transient), (7, metric.value is None))
    parts += [_number_field(number, 1) for number, is_set in flags if is_set]
    if metric.value is not None:
        parts.append(_value_field(metric))
    return b"".join(parts)


def _value_field(metric: Metric) -> bytes:
    value, data_type = metric.value, metric.data_type
    try:
        if data_type in _INT_TYPES and isinstance(value, int):
            return _number_field(10, value & 0xFFFF_FFFF)
        if data_type in _LONG_TYPES and isinstance(value, int):
            return _number_field(11, value & 0xFFFF_FFFF_FFFF_FFFF)
        if data_type == 9 and isinstance(value, int | Decimal):
            return _key(12, _FIXED32) + struct.pack("<f", value)
        if data_type == 10 and isinstance(value, int | Decimal):
            return _key(13, _FIXED64) + struct.pack("<d", value)
    except OverflowError:
        raise ProtocolError(f"{value!r} does not fit {DATA_TYPES[data_type]}") from None
    if data_type == 11 and isinstance(value, bool):
        return _number_field(14, int(value))
    if isinstance(value, str):
        return _bytes_field(15, value.encode())
    if isinstance(value, bytes):
        return _bytes_field(16, value)
    raise ProtocolError(f"{value!r} does not fit {DATA_TYPES.get(data_type, 'Unknown')}")


def _key(number: int, wire_type: int) -> bytes:
    return _encode_varint(number << 3 | wire_type)


def _encode_varint(value: int) -> bytes:
    if value < 0:
        raise ProtocolError(f"{value} is negative where only two's complement may be sent")
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _number_field(number: int, value: int) -> bytes:
    return _key(number, _VARINT) + _encode_varint(value)


def _bytes_field(number: int, content: bytes) -> bytes:
    return _key(number, _BYTES) + _encode_varint(len(content)) + content


class _SparkplugB:
    """The codec as the registry sees it."""

    def facts(self, message: Message) -> Facts:
        """Return everything the message says; under a STATE topic, or beginning with a brace, it is JSON."""
        if _is_state(message):
            state = json_object(message.data)
            return {"online": value_at(state, "online"), "timestamp": value_at(state, "timestamp")}
        payload = decode_payload(message.data)
        facts: Facts = {} if payload.timestamp_ms is None else {"timestamp": payload.timestamp_ms}
        facts["metrics"] = [_metric_facts(metric) for metric in payload.metrics]
        return facts if payload.seq is None else facts | {"seq": payload.seq}

    def explain(self, message: Message) -> list[Field]:
        """Return one field for each part of the message, a metric being one part."""
        cursor = Cursor()
        if _is_state(message):
            online = value_at(json_object(message.data), "online")
            cursor.take(len(message.data), Role.PAYLOAD, f"host online: {online}")
            return cursor.fields
        decode_payload(message.data)
        for item in _items(message.data):
            role, text = _part(item)
            cursor.take(item.end - item.start, role, text)
        return cursor.fields


SPARKPLUG_B = _SparkplugB()


def _is_state(message: Message) -> bool:
    parts = message.topic.split("/")
    return "STATE" in parts[:2] or (not message.topic and message.data[:1] == b"{")


def _metric_facts(metric: Metric) -> dict[str, Fact]:
    value = metric.value.hex() if isinstance(metric.value, bytes) else metric.value
    facts: dict[str, Fact] = {"typ": DATA_TYPES.get(metric.data_type, "Unknown"), "val": value}
    optional: tuple[tuple[str, Fact], ...] = (
        ("name", metric.name),
        ("alias", metric.alias),
        ("timestamp", metric.timestamp_ms),
    )
    facts |= {name: fact for name, fact in optional if fact is not None}
    flags = (
        ("is_historical", metric.is_historical),
        ("is_transient", metric.is_transient),
        ("is_null", value is None),
    )
    return facts | {name: True for name, is_set in flags if is_set}


def _part(item: _Item) -> tuple[Role, str]:
    if item.number == 1:
        return Role.TIME, f"timestamp {item.value!r} ms"
    if item.number == 2:
        metric = decode_metric(_bytes(item))
        name = metric.name if metric.name is not None else f"alias {metric.alias}"
        value = metric.value.hex() if isinstance(metric.value, bytes) else metric.value
        shown = "null" if value is None else value
        return Role.VALUE, f"{name}: {shown} ({DATA_TYPES.get(metric.data_type, 'Unknown')})"
    if item.number == 3:
        return Role.SERIAL, f"sequence {item.value!r}"
    return Role.UNKNOWN, f"field {item.number}"
