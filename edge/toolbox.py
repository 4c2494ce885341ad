"""The commands for the person at the box: read, write, raw, explain, scan, sniff, doctor."""

import asyncio
import contextlib
import urllib.request
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from edge.cli import CONFIG, checked, run_async
from edge.clock import Clock
from edge.errors import EdgeError
from edge.tools.find_cameras import find as find_cameras
from protocol.fieldbus.annotation import Field
from provisioning.config import Config

_MS = click.IntRange(10, 60_000)
_STATUS_TIMEOUT_S = 3


@click.command()
@CONFIG
@click.argument("devices", nargs=-1)
def read(config: Path, devices: tuple[str, ...]) -> None:
    """Ask DEVICES (or all) once, now, and show each point.

    Through the running agent if there is one: its polls go on, and the readings are stored as if they
    had been due. Without an agent nothing is stored.
    """
    from edge.field import quantities_of
    from edge.hatch import ReadDevices, ToldReading, ask_hatch, told_reading
    from edge.tools.direct import read_devices
    from protocol.quantity import MICRO, decimal_from_micro

    async def ask(loaded: Config) -> list[ToldReading]:
        told = await ask_hatch(loaded, ReadDevices(list(devices)))
        if told is None:
            return [told_reading(one) for one in await read_devices(loaded, devices, _clock())]
        if told.error:
            raise EdgeError(told.error)
        return told.readings

    loaded = checked(config)
    quantities = quantities_of(loaded)
    failed = 0
    for one in run_async(ask(loaded)):
        quantity = quantities[one.key]
        text = one.reason
        if one.value_micro is not None:
            state = quantity.codes.get(one.value_micro // MICRO, "")
            text = state or f"{decimal_from_micro(one.value_micro):f} {quantity.unit}".rstrip()
            text += f"  ({one.reason})" if one.reason else ""
        failed += one.value_micro is None
        click.echo(f"{one.key:<40} {one.quality:<10} {text}")
    if failed:
        raise click.exceptions.Exit(1)


@click.command()
@CONFIG
@click.argument("point", metavar="DEVICE/POINT")
@click.argument("value")
@click.option("--yes", is_flag=True, help="Do not ask before a supply or a door is switched.")
def write(config: Path, point: str, value: str, *, yes: bool) -> None:
    """Set one POINT to VALUE (a number, or a state by its word) and show what it reads then.

    Through the running agent, whose interlocks hold you too; what was done is told to the cloud.
    """
    from edge.hatch import WritePoint, ask_hatch

    loaded = checked(config)
    if not yes:
        click.confirm(f"set {point} to {value}?", abort=True)

    async def ask() -> str:
        told = await ask_hatch(loaded, WritePoint(point, value))
        if told is None:
            raise EdgeError("the agent does not run: its interlocks are needed before anything is switched")
        if told.error:
            raise EdgeError(told.error)
        return told.shown

    click.echo(run_async(ask()))


@click.command()
@CONFIG
@click.argument("line")
@click.argument("wire", metavar="HEX", nargs=-1, required=True)
@click.option("--timeout-ms", type=_MS, default=1000, show_default=True, help="How long to listen.")
def raw(config: Path, line: str, wire: tuple[str, ...], timeout_ms: int) -> None:
    """Send the bytes HEX on LINE as they are and show what comes back, explained where it can be.

    Takes its turn while the agent's polls go on. Whatever you send, you send: a frame that writes, writes.
    """
    from edge.hatch import SendRaw, ask_hatch
    from edge.tools.direct import bus_of, open_line
    from edge.tools.raw import send_raw

    data = _bytes(" ".join(wire))

    async def ask(loaded: Config) -> tuple[bytes, str]:
        bus = bus_of(loaded, line)
        told = await ask_hatch(loaded, SendRaw(line, data, timeout_ms))
        if told is not None:
            return told.reply, told.error
        with open_line(bus, _clock()) as opened:
            answer = await send_raw(opened, data, timeout_ms)
            return answer.reply, answer.failure

    reply, failure = run_async(ask(checked(config)))
    click.echo(f"sent {data.hex(' ').upper()}")
    for text in explained(data, is_reply=False):
        click.echo(text)
    if not reply:
        raise click.ClickException(failure or "nothing came back")
    click.echo(f"came {reply.hex(' ').upper()}")
    for text in explained(reply, is_reply=True, request=data):
        click.echo(text)


@click.command()
@click.argument("frame", metavar="HEX", nargs=-1, required=True)
@click.option("--protocol", default="", help="The protocol; guessed when left out.")
def explain(frame: tuple[str, ...], protocol: str) -> None:
    """Say byte by byte what a frame means."""
    data = _bytes(" ".join(frame))
    found = list(explained(data, protocol=protocol))
    if not found:
        raise click.ClickException("no codec takes this frame: `gatehouse decode frame` says why of each")
    for text in found:
        click.echo(text)


@click.command()
@CONFIG
@click.argument("line")
@click.option("--units", default="1-32", show_default=True, help="Modbus unit ids to try: 1-32 or 1,5,17.")
@click.option(
    "--settings/--no-settings", "tries_settings", default=False, help="Try other speeds and parities."
)
@click.option("--quiet", is_flag=True, help="Do not tell what is being tried.")
def scan(config: Path, line: str, units: str, *, tries_settings: bool, quiet: bool) -> None:
    """Find what is on LINE and propose a configuration. Stop the agent first: the bus is needed alone.

    With --settings every usual speed and parity of a serial port is tried, which takes minutes.
    """
    from edge.tools.direct import bus_of
    from edge.tools.scan import Found, proposal, variants
    from edge.tools.scan import scan as scan_line

    def tell(text: str) -> None:
        if not quiet:
            click.echo(f"… {text}", err=True)

    async def look(loaded: Config) -> list[Found]:
        bus = bus_of(loaded, line)
        found: list[Found] = []
        for variant in variants(bus) if tries_settings else [bus]:
            tell(f"{variant.bus.baud} baud" if variant.bus.baud else "network")
            async for one in scan_line(variant, _clock(), _unit_ids(units), tell):
                click.echo(
                    f"found {one.protocol} {one.address}: {', '.join(one.profiles) or 'no profile fits'}"
                )
                found.append(one)
            if found:
                break  # a bus has one speed
        return found

    found = run_async(look(checked(config)))
    if not found:
        raise click.ClickException(
            "nothing answered: check power, A and B, speed and parity, the address range"
        )
    click.echo("")
    for text in proposal(found, line):
        click.echo(text)


@click.command()
@CONFIG
@click.argument("line")
@click.option("--seconds", type=click.FloatRange(0.1), default=None, help="Stop after so long.")
def sniff(config: Path, line: str, seconds: float | None) -> None:
    """Listen on LINE, where somebody else asks, and explain what is said. Sends nothing."""
    from edge.tools.direct import bus_of
    from edge.tools.sniff import sniff as listen

    loaded = checked(config)

    async def hear() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for one in listen(bus_of(loaded, line), _clock()):
                    at = datetime.fromtimestamp(one.at_ms / 1000, loaded.time_zone)
                    facts = ", ".join(f"{key} {value}" for key, value in one.facts.items())
                    click.echo(f"{at:%H:%M:%S.%f} {one.protocol or '?':<12} {one.data.hex(' ').upper()}")
                    if facts:
                        click.echo(f"                {facts}")

    run_async(hear())


@click.command()
@CONFIG
@click.option(
    "--bundle", type=click.Path(dir_okay=False, path_type=Path), help="Also write a .tar.gz to send away."
)
def doctor(config: Path, bundle: Path | None) -> None:
    """Examine the box: ports, clock, disk, buffer, cloud. Tells no secret. Exits 1 if something fails."""
    from edge.tools.doctor import examine, write_bundle

    loaded = checked(config)
    findings = list(examine(loaded))
    for finding in findings:
        click.echo(str(finding))
    if bundle is not None:
        write_bundle(bundle, loaded, findings, _status(loaded))
        click.echo(f"written: {bundle}")
    if any(finding.is_well is False for finding in findings):
        raise click.exceptions.Exit(1)


COMMANDS = (doctor, explain, find_cameras, raw, read, scan, sniff, write)


def explained(
    data: bytes, *, protocol: str = "", is_reply: bool | None = None, request: bytes = b""
) -> Sequence[str]:
    """Return a line a field of the first protocol that takes the frame; nothing if none does."""
    from protocol.errors import ProtocolError
    from protocol.fieldbus import codec_named
    from protocol.fieldbus.annotation import Message

    guesses = (
        "dlt645-2007",
        "cjt188",
        "gb26875.3",
        "osdp",
        "sia-dc09",
        "modbus-rtu",
        "modbus-tcp",
        "dlt645-1997",
        "mbus",
    )
    for name in (protocol,) if protocol else guesses:
        with contextlib.suppress(ProtocolError):
            fields = codec_named(name).explain(Message(data, is_reply, request))
            return [f"  {name}", *(_shown(data, field) for field in fields)]
    return []


def _shown(data: bytes, field: Field) -> str:
    content = data[field.offset : field.offset + field.length].hex(" ").upper()
    return f"  {field.offset:4}  {content:<24}  {field.role.value:<16} {field.text}"


def _clock() -> Clock:
    from edge.system_clock import SystemClock

    return SystemClock()


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text.replace(":", " "))
    except ValueError:
        raise click.ClickException(f"{text!r} is not hexadecimal") from None


def _unit_ids(text: str) -> list[int]:
    units: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        try:
            units += range(int(first), int(last or first) + 1)
        except ValueError:
            raise click.ClickException(f"--units {text}: expected 1-32 or 1,5,17") from None
    if not units or min(units) < 0 or max(units) > 255:
        raise click.ClickException(f"--units {text}: unit ids go from 0 to 255")
    return units


def _status(config: Config) -> bytes:
    if not config.page_port:
        return b""
    try:
        url = f"http://127.0.0.1:{config.page_port}/status.json"
        with urllib.request.urlopen(url, timeout=_STATUS_TIMEOUT_S) as response:
            return bytes(response.read())
    except OSError:
        return b""
