"""Feed damaged and random bytes to everything that reads bytes from outside, as many as asked for.

    python -m tests.fuzz.run --inputs 200000 [--seed N] [--target NAME]

A target may return or refuse with its own error; anything else it raises, any input it takes longer over
than a line can wait, and any that makes it grow is a finding, printed with the bytes that caused it. The
test suite runs a small share of this; a release runs millions. `tests.fuzz.guided` does the same for one
target by coverage.
"""

import contextlib
import gc
import logging
import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import click

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
from protocol.fieldbus.annotation import Message, check_cover
from protocol.reading import Quality, Reading
from protocol.sync import Stream
from provisioning.authority import AuthorityError, new_key, new_request, request_from_der
from provisioning.enrolment_token import parse_enrolment_token
from provisioning.est import decode_request, encode_request
from provisioning.identity import IdentityError
from tests.fieldbus.golden import golden_frames, vectors
from tests.fuzz.seals import SEALS

# A device is given a second to answer; decoding must be far from noticeable in that. Processor time, the
# best of three tries, so that a busy machine is no finding.
INPUT_LIMIT_MS = 10
TRIES = 3
# What one input may make a decoder hold at once; looked at for one input in MEMORY_SAMPLE, since it is slow.
PEAK_BYTES_MAX = 4 * 1024 * 1024
MEMORY_SAMPLE = 100
# What stays behind of all inputs together: after the first thousand, caches are full. CPython's own counters
# and this program's list of findings move by some dozens.
WARM_AFTER = 1_000
GROWTH_BLOCKS_MAX = 2_000
BYTES_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Target:
    """Something that reads bytes, good input to start damaging from, and what mends its outside again."""

    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    seal: Callable[[bytes], bytes] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that a target neither took nor refused as it should."""

    target: str
    data: bytes
    what: str


def targets() -> dict[str, Target]:
    """Return every reader of outside bytes, by name."""
    found = {
        name: Target(partial(_read_frame, name), tuple(golden_frames(name)), SEALS.get(name))
        for name in CODECS
    }
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
    found["certificate-request"] = Target(
        lambda data: request_from_der(decode_request(data)), (encode_request(new_request(new_key())),)
    )
    found["enrolment-token"] = Target(_read_token, (_TOKEN,))
    return found


def fuzz(name: str, target: Target, *, inputs: int, chance: random.Random) -> list[Finding]:
    """Try `inputs` inputs on a target; return what was found."""
    findings: list[Finding] = []
    blocks_when_warm = 0
    for number in range(inputs):
        if number == WARM_AFTER:
            blocks_when_warm = _blocks_held()
        data = _damaged(chance.choice(target.seeds), chance) if chance.random() < 0.9 else _noise(chance)
        if target.seal is not None and chance.random() < 0.7:
            data = target.seal(data)
        findings += [Finding(name, data, what) for what in problems(target, data)]
        if number % MEMORY_SAMPLE == 0:
            peak = _peak_bytes(target, data)
            if peak > PEAK_BYTES_MAX:
                findings.append(Finding(name, data, f"held {peak:,} bytes"))
    if blocks_when_warm and not findings:
        grown = _blocks_held() - blocks_when_warm
        if grown > GROWTH_BLOCKS_MAX:
            what = f"{grown:,} blocks of memory stayed behind after {inputs - WARM_AFTER:,} inputs"
            findings.append(Finding(name, b"", what))
    return findings


def _blocks_held() -> int:
    gc.collect()
    return sys.getallocatedblocks()


def problems(target: Target, data: bytes) -> list[str]:
    """Return what is wrong with how a target takes one input: what it raised, or how long it took."""
    took_ms = float("inf")
    for _ in range(TRIES):
        started = time.thread_time()
        try:
            target.read(data)
        except (AuthorityError, IdentityError, ProtocolError):
            pass
        except Exception as error:  # noqa: BLE001 - the very thing that is looked for
            return [f"{type(error).__name__}: {error}"]
        took_ms = min(took_ms, (time.thread_time() - started) * 1000)
        if took_ms <= INPUT_LIMIT_MS:
            return []
    return [f"took {took_ms:.0f} ms"]


def _peak_bytes(target: Target, data: bytes) -> int:
    tracemalloc.start()
    with contextlib.suppress(Exception):
        target.read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def _read_frame(name: str, data: bytes) -> None:
    codec = CODECS[name].load()
    topic = next((v["topic"] for v in vectors(name) if "topic" in v), "")
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


def _read_token(data: bytes) -> None:
    text = data.decode("utf-8", errors="replace")
    token = parse_enrolment_token(text)
    assert str(token) == text.strip(), "a token that was read does not write itself the same"


def _damaged(seed: bytes, chance: random.Random) -> bytes:
    data = bytearray(seed)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 1 if at < len(data):
                data[at] = chance.choice((0x00, 0x7F, 0x80, 0xFE, 0xFF, chance.randrange(256)))
            case 2:
                data[at:at] = chance.randbytes(chance.randrange(1, 9))
            case 3:
                del data[at : at + chance.randrange(1, 9)]
            case 4:
                data[at:at] = data[: chance.randrange(1, 40)]
            case _:
                del data[at:]
    return bytes(data[:BYTES_MAX])


def _noise(chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(300))


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


_SEALED = (
    b'\nE61C0078"*ADM-CID"0002R1L1#1234[7F220946CB72C62355401D7007862F27'
    b"1BF2614E81C30C02556E3080E3344AA628D0D10F8AB8F7AAE8353A055E96933F\r"
)
_TOKEN = (
    b"gatehouse-enrol://cloud.example:8443/7.019309a7-6c1e-7b52-9d2a-4a5b6c7d8e9f.AAECAwQFBgcICQoLDA0ODw"
    b"#AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)


@click.command()
@click.option("--inputs", default=200_000, show_default=True, help="How many, over all targets.")
@click.option("--seed", type=int, help="Repeat an earlier run.")
@click.option("--target", "only", type=click.Choice(sorted(targets())), help="One target instead of all.")
def main(inputs: int, seed: int | None, only: str | None) -> None:
    """Feed damaged and random bytes to every decoder."""
    logging.disable()  # pymodbus tells of every frame it cannot read, and there are millions
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    click.echo(f"seed {seed}")
    chosen = {name: target for name, target in sorted(targets().items()) if only in (None, name)}
    total = 0
    for name, target in chosen.items():
        started = time.perf_counter()
        count = max(1, inputs // len(chosen))
        findings = fuzz(name, target, inputs=count, chance=random.Random(f"{seed} {name}"))
        rate = count / (time.perf_counter() - started)
        click.echo(f"{name:<20} {count:>10,} inputs {rate:>9,.0f}/s  {len(findings)} findings")
        for finding in findings[:10]:
            click.echo(f"  {finding.what}\n  {finding.data.hex()}")
        total += len(findings)
    click.echo(f"{total} findings")
    sys.exit(1 if total else 0)


if __name__ == "__main__":
    main()
