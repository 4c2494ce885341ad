"""`gatehouse decode`: what a frame says byte by byte, and how our codecs do on test vectors.

Both go through the codecs the drivers use; nothing is decoded here.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import click

from protocol.errors import ProtocolError
from protocol.fieldbus import CODECS, codec_named
from protocol.fieldbus.annotation import Fact, Field, Message, check_cover
from protocol.fieldbus.vectors import Outcome, judge

_log = logging.getLogger(__name__)


@click.group()
def decode() -> None:
    """Explain frames, and check the codecs against test vectors."""


@decode.command()
@click.argument("directory", metavar="DIR", type=click.Path(exists=True, path_type=Path))
@click.option("--quiet", is_flag=True, help="Print only the last line and what failed.")
def vectors(directory: Path, *, quiet: bool) -> None:
    """Judge every vector of the JSON files in DIR (or of one file).

    Prints each difference and the number of vectors passed and failed; exits 1 if any failed.
    """
    files = sorted(directory.glob("*.json")) if directory.is_dir() else [directory]
    if not files:
        raise click.ClickException(f"no .json files in {directory}")
    passed = failed = 0
    for file in files:
        outcomes = list(_judge_file(file))
        bad = [outcome for outcome in outcomes if outcome.differences]
        passed, failed = passed + len(outcomes) - len(bad), failed + len(bad)
        for outcome in bad:
            for difference in outcome.differences:
                click.echo(f"FAIL {outcome.vector_id}: {difference}")
        if not quiet:
            click.echo(f"{file.name}: {len(outcomes) - len(bad)} passed, {len(bad)} failed")
    click.echo(f"{passed} passed, {failed} failed")
    if failed:
        sys.exit(1)


@decode.command()
@click.argument("frame", metavar="HEX", nargs=-1, required=True)
@click.option("--protocol", type=click.Choice(list(CODECS)), help="The protocol; guessed when left out.")
@click.option("--request", "request_hex", default="", help="The request this frame answers, as hex.")
@click.option("--topic", default="", help="The MQTT topic; HEX is then the payload, hex or plain text.")
@click.option("--reply/--no-reply", default=None, help="Whether it is an answer; guessed when left out.")
@click.option("--json", "as_json", is_flag=True, help="Print facts and fields as JSON.")
def frame(
    frame: tuple[str, ...],
    *,
    protocol: str | None,
    request_hex: str,
    topic: str,
    reply: bool | None,
    as_json: bool,
) -> None:
    """Explain every byte of one frame, given as HEX (spaces and colons allowed)."""
    data = " ".join(frame).encode() if topic and not _is_hex(frame) else _bytes(" ".join(frame), "HEX")
    message = Message(data, reply, _bytes(request_hex, "--request"), topic)
    name, fields, facts = _explain(message, protocol)
    if as_json:
        document = {
            "protocol": name,
            "facts": facts,
            "fields": [_field_json(data, field) for field in fields],
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=1, default=str))
        return
    click.echo(f"{name}, {len(data)} bytes")
    for line in table(data, fields):
        click.echo(line)
    click.echo("")
    for key, value in facts.items():
        click.echo(f"  {key:24} {_fact_text(value)}")


def table(data: bytes, fields: list[Field]) -> Iterator[str]:
    """Yield one line for each field: offset, bytes, role, meaning; long fields are folded."""
    for field in fields:
        content = data[field.offset : field.offset + field.length]
        rows = [content[at : at + 8].hex(" ").upper() for at in range(0, len(content), 8)]
        yield f"  {field.offset:4}  {rows[0]:23}  {field.role.value:16} {field.text}"
        for row in rows[1:]:
            yield f"        {row}"


def _explain(message: Message, protocol: str | None) -> tuple[str, list[Field], Mapping[str, Fact]]:
    problems = []
    for name in [protocol] if protocol else _candidates(message):
        codec = codec_named(name)
        try:
            fields, facts = codec.explain(message), codec.facts(message)
        except ProtocolError as error:
            problems.append(f"  {name}: {error}")
            continue
        check_cover(fields, len(message.data))
        return name, fields, facts
    raise click.ClickException("\n".join(["no codec takes this frame", *problems]))


def _candidates(message: Message) -> list[str]:
    """Return the protocols to try: by topic where there is one, else those with a checksum first."""
    if message.topic:
        told = [name for name, pattern in _TOPICS.items() if pattern.search(message.topic)]
        return told or list(_TOPICS)
    return [name for name in _GUESSING_ORDER if name in CODECS]


_TOPICS = {
    "mqtt-ha-discovery": re.compile(r"^homeassistant/.*/config$"),
    "mqtt-shelly": re.compile(r"^shellies/|/status/[a-z0-9_]+:\d+$|/events/rpc$|/online$"),
    "mqtt-tasmota": re.compile(r"^(tele|stat)/"),
    "mqtt-zigbee2mqtt": re.compile(r"^zigbee2mqtt/"),
    "sparkplug-b": re.compile(r"^spBv1\.0/"),
}

# Most particular framing first: each has a start byte or a checksum the later ones would not refuse.
_GUESSING_ORDER = (
    "dlt645-2007",
    "dlt645-1997",
    "cjt188",
    "mbus",
    "gb26875.3",
    "osdp",
    "sia-dc09",
    "contact-id",
    "modbus-rtu",
    "modbus-tcp",
    "sparkplug-b",
)


def _judge_file(file: Path) -> Iterator[Outcome]:
    try:
        loaded = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as error:
        yield Outcome(file.name, (f"cannot be read: {error}",))
        return
    if not isinstance(loaded, list):
        yield Outcome(file.name, (f"is a JSON {type(loaded).__name__}, expected a list of vectors",))
        return
    for number, vector in enumerate(loaded, start=1):
        if isinstance(vector, dict):
            yield _judged(vector)
        else:
            yield Outcome(f"{file.name} #{number}", (f"is {vector!r:.60}, expected an object",))


def _judged(vector: dict[str, Fact]) -> Outcome:
    """Return the verdict; a codec that breaks on one vector must not hide the verdicts of the others."""
    try:
        return judge(vector)
    except Exception as error:  # noqa: BLE001 - the boundary of the batch; the finding is in its result
        _log.exception("a codec broke on a vector", extra={"vector": vector.get("id")})
        return Outcome(str(vector.get("id")), (f"our codec broke: {error!r}",))


def _is_hex(parts: tuple[str, ...]) -> bool:
    try:
        bytes.fromhex(" ".join(parts).replace(":", " "))
    except ValueError:
        return False
    return True


def _bytes(text: str, where: str) -> bytes:
    try:
        return bytes.fromhex(text.replace(":", " ").replace("0x", "").replace(",", " "))
    except ValueError as error:
        raise click.ClickException(f"{where}: {error}") from None


def _field_json(data: bytes, field: Field) -> dict[str, object]:
    return {
        "offset": field.offset,
        "length": field.length,
        "hex": data[field.offset : field.offset + field.length].hex(),
        "role": field.role.value,
        "text": field.text,
    }


def _fact_text(value: Fact) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_fact_text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_fact_text(item) for item in value)
    return "none" if value is None else str(value)
