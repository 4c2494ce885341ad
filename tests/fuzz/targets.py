"""Everything that reads bytes from outside, with good input to start damaging from.

A target's `read` decodes, as a driver does with every frame; its `annotate` explains every byte, as the trace
does with a frame a person looks at, and costs ten times as much.
"""

import contextlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from protocol import onvif
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
from protocol.errors import ProtocolError
from protocol.event import Event, EventState, Severity
from protocol.evidence import Evidence
from protocol.fieldbus import CODECS, cjt188, dlt645, gb26875, mbus, modbus, osdp, sia_dc09, sia_dc09_cipher
from protocol.fieldbus.annotation import Codec, Message, check_cover
from protocol.picture import PICTURE_VERSION, Picture, PictureCause, decode_picture, encode_picture
from protocol.reading import Quality, Reading
from protocol.sync import Stream
from provisioning.authority import new_key, new_request, request_from_der
from provisioning.enrolment_token import parse_enrolment_token
from provisioning.est import decode_request, encode_request
from tests.fieldbus.golden import golden_frames, vectors
from tests.fuzz import drivers
from tests.fuzz.seals import SEALS


@dataclass(frozen=True, slots=True)
class Target:
    """Something that reads bytes, and what mends the outside of damaged ones again."""

    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    seal: Callable[[bytes], bytes] | None = None
    annotate: Callable[[bytes], object] | None = None


def targets() -> dict[str, Target]:
    """Return every reader of outside bytes, by name."""
    found = {name: _frame_target(name) for name in CODECS}
    for name, make in _STREAM_READERS.items():
        found[f"{name}-stream"] = Target(partial(_read_stream, make), tuple(golden_frames(name)))
    for framing in modbus.Framing:
        found[f"modbus-{framing.value}-replies"] = Target(
            partial(_read_replies, framing), tuple(golden_frames(f"modbus-{framing.value}"))
        )
        found[f"modbus-{framing.value}-requests"] = Target(
            partial(_read_requests, framing), tuple(golden_frames(f"modbus-{framing.value}"))
        )
    found["sia-dc09-sealed"] = Target(_read_sealed, (_SEALED,), SEALS["sia-dc09"])
    found["envelope-batch"] = Target(partial(decode_batch, stream=Stream.HISTORY), (_batch(),))
    found["envelope-events"] = Target(partial(decode_events, count=2), (_events(),))
    found["envelope-readings"] = Target(partial(decode_readings, count=4), (_readings(),))
    found["onvif"] = Target(_read_onvif, (_ONVIF_TIME, _ONVIF_PROFILES, _ONVIF_MATCH))
    found["picture"] = Target(decode_picture, (_picture(),))
    found["certificate-request"] = Target(
        lambda data: request_from_der(decode_request(data)), (encode_request(new_request(new_key())),)
    )
    found["enrolment-token"] = Target(_read_token, (_TOKEN,))
    found |= {name: Target(*of_driver) for name, of_driver in drivers.readers().items()}
    return found


def _frame_target(name: str) -> Target:
    codec = CODECS[name].load()
    topics = tuple(dict.fromkeys(str(vector.get("topic", "")) for vector in vectors(name))) or ("",)
    return Target(
        partial(_read_frame, codec, topics),
        tuple(golden_frames(name)),
        SEALS.get(name),
        partial(_annotate_frame, codec, topics),
    )


def _read_frame(codec: Codec, topics: Sequence[str], data: bytes) -> None:
    """Decode as a request, as a reply or as neither is known: one of these, told by the bytes alone."""
    choice = zlib.crc32(data)
    codec.facts(Message(data, (None, False, True)[choice % 3], b"", topics[choice // 3 % len(topics)]))


def _annotate_frame(codec: Codec, topics: Sequence[str], data: bytes) -> None:
    topic = topics[zlib.crc32(data) // 3 % len(topics)]
    for is_reply in (None, False, True):
        message = Message(data, is_reply, b"", topic)
        with contextlib.suppress(ProtocolError):
            codec.facts(message)
        with contextlib.suppress(ProtocolError):
            check_cover(codec.explain(message), len(data))


def _read_stream(make: "Callable[[], _StreamReader]", data: bytes) -> None:
    reader = make()
    for at in range(0, len(data), 61):
        reader.feed(data[at : at + 61])
    reader.flush()


def _read_replies(framing: modbus.Framing, data: bytes) -> None:
    """Wait for the reply to what the data may be an answer to: the same unit, function and transaction."""
    rtu = framing is modbus.Framing.RTU
    unit_id, code = data[slice(0, 2) if rtu else slice(6, 8)].ljust(2, b"\0")
    if code not in set(modbus.FunctionCode) or code > modbus.FunctionCode.READ_INPUT_REGISTERS:
        code = modbus.FunctionCode.READ_HOLDING_REGISTERS
    number = 0 if rtu else int.from_bytes(data[:2])
    request = modbus.Request(unit_id, modbus.FunctionCode(code), 0, 1 + len(data) % 100, (), number)
    reader = modbus.ReplyReader(request, framing)
    for at in range(0, len(data), 61):
        values = reader.feed(data[at : at + 61])
        if values is not None:
            assert len(values) == request.quantity
            return
    reader.conclude()


def _read_requests(framing: modbus.Framing, data: bytes) -> None:
    reader = modbus.RequestReader(framing)
    for at in range(0, len(data), 61):
        reader.feed(data[at : at + 61])


class _StreamReader(Protocol):
    """What every reader of a line offers."""

    def feed(self, data: bytes) -> object: ...

    def flush(self) -> object: ...


_STREAM_READERS: dict[str, Callable[[], _StreamReader]] = {
    "cjt188": cjt188.FrameReader,
    "dlt645-2007": dlt645.FrameReader,
    "gb26875.3": gb26875.PacketReader,
    "mbus": mbus.FrameReader,
    "osdp": osdp.FrameReader,
}


def _read_sealed(data: bytes) -> None:
    sia_dc09_cipher.unsealed(sia_dc09.decode_message(data), b"A" * 16)


def _read_onvif(data: bytes) -> None:
    readers: tuple[Callable[[bytes], object], ...] = (
        onvif.read_time_ms,
        onvif.read_device_information,
        onvif.read_media_address,
        onvif.read_profiles,
        onvif.read_snapshot_uri,
        lambda datagram: onvif.read_matches(datagram, "1"),
    )
    readers[zlib.crc32(data) % len(readers)](data)


def _picture() -> bytes:
    content = b"\xff\xd8\xff\xe0 a picture \xff\xd9"
    told = ("water_leak", "leak-1/water_leak")
    return encode_picture(
        Picture(
            PICTURE_VERSION, "1", "cam-1", 1_790_000_000_000, True, PictureCause.ALARM, "", *told, content
        )
    )


def _read_token(data: bytes) -> None:
    text = data.decode("utf-8", errors="replace")
    token = parse_enrolment_token(text)
    assert str(token) == text.strip(), "a token that was read does not write itself the same"


def _readings() -> bytes:
    shown = Evidence("dlt645-2007", "bus-1", b"\x68\x16", b"\x68\x91\x16", 1_790_000_000_000, 41_000)
    return encode_readings(
        [
            Reading("em-101/voltage", 1_790_000_000_000, 220_100_000),
            Reading("em-101/active_energy_import", 1_790_000_000_010, 1_234_560_000, evidence=shown),
            Reading("em-102/voltage", 1_790_000_000_900, None, Quality.NO_REPLY, "no reply within 1000 ms"),
            Reading("wm-101/water_volume", 1_790_000_001_000, 12_340_000, evidence=shown),
        ]
    )


def _events() -> bytes:
    raised = Event(
        "fire_alarm", EventState.RAISED, Severity.CRITICAL, "fire-1/fire_alarm_1", 1_790_000_000_000, "zone 1"
    )
    cleared = Event(
        "fire_alarm",
        EventState.CLEARED,
        Severity.CRITICAL,
        "fire-1/fire_alarm_1",
        1_790_000_060_000,
        "zone 1",
    )
    return encode_events([raised, cleared])


def _batch() -> bytes:
    blocks = [Block(1, 4, _readings()), Block(5, 4, _readings())]
    return encode_batch(Batch(ENVELOPE_VERSION, "history", 17, "boot", 1_790_000_002_000, blocks))


_ONVIF_OPEN = f'<s:Envelope xmlns:s="{onvif.SOAP}" xmlns:tt="{onvif.SCHEMA}"'.encode()
_ONVIF_TIME = (
    _ONVIF_OPEN + b"><s:Body><tt:UTCDateTime><tt:Time><tt:Hour>16</tt:Hour><tt:Minute>0</tt:Minute>"
    b"<tt:Second>7</tt:Second></tt:Time><tt:Date><tt:Year>2026</tt:Year><tt:Month>8</tt:Month><tt:Day>31</tt:Day></tt:Date>"
    b"</tt:UTCDateTime></s:Body></s:Envelope>"
)
_ONVIF_PROFILES = (
    _ONVIF_OPEN
    + f' xmlns:trt="{onvif.MEDIA}"><s:Body><trt:Profiles token="main"/><tt:Media><tt:XAddr>http://192.0.2.7/m'
    "</tt:XAddr></tt:Media><tt:Uri>http://192.0.2.7/shot</tt:Uri></s:Body></s:Envelope>".encode()
)
_ONVIF_MATCH = (
    _ONVIF_OPEN
    + f' xmlns:a="{onvif.ADDRESSING}" xmlns:d="{onvif.DISCOVERY}"><s:Header><a:RelatesTo>1</a:RelatesTo>'
    "</s:Header><s:Body><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:1</a:Address>"
    "</a:EndpointReference><d:Scopes>onvif://www.onvif.org/name/A%E5%8F%B7</d:Scopes>"
    "<d:XAddrs>http://192.0.2.7/onvif/device_service</d:XAddrs></d:ProbeMatch></s:Body></s:Envelope>".encode()
)
_SEALED = (
    b'\nE61C0078"*ADM-CID"0002R1L1#1234[7F220946CB72C62355401D7007862F27'
    b"1BF2614E81C30C02556E3080E3344AA628D0D10F8AB8F7AAE8353A055E96933F\r"
)
_TOKEN = (
    b"gatehouse-enrol://cloud.example:8443/7.019309a7-6c1e-7b52-9d2a-4a5b6c7d8e9f.AAECAwQFBgcICQoLDA0ODw"
    b"#AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)
