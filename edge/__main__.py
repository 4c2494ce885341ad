"""`gatehouse edge`: run the agent on the box in the building, and look at what it does."""

import asyncio
import signal
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import msgspec

from edge.cli import CONFIG, checked, log_to_stderr, run_async
from edge.errors import EdgeError
from edge.toolbox import COMMANDS
from provisioning.config import Config
from provisioning.config_file import load_config
from provisioning.strict import Malformed

_STATUS_TIMEOUT_S = 5
_LEVELS = ("debug", "info", "warning", "error")


@click.group()
@click.option(
    "--log-level", type=click.Choice(_LEVELS), default="info", show_default=True, help="What to log."
)
def edge(log_level: str) -> None:
    """Run the agent on the box in the building."""
    log_to_stderr(log_level)


@edge.command()
@CONFIG
def run(config: Path) -> None:
    """Poll, buffer and send until told to stop (SIGTERM, SIGINT); then exit 0 with all on disk."""
    from edge.agent import run_agent

    run_async(_until_signal(run_agent, checked(config)))


@edge.command()
@CONFIG
def check(config: Path) -> None:
    """Check CONFIG without touching a port: print what would be polled and the bus time it takes."""
    from edge.check import plan, report

    try:
        loaded = load_config(config)
        plans = plan(loaded)
    except Malformed as error:
        raise click.ClickException(str(error)) from None
    for line in report(loaded, plans):
        click.echo(line)


@edge.command()
@CONFIG
@click.option("--from", "from_text", required=True, help="First instant: ISO 8601, or epoch milliseconds.")
@click.option("--to", "to_text", required=True, help="Last instant, included.")
@click.option(
    "--also", "earlier", multiple=True, help="An instant before the first; may be repeated, rising."
)
@click.option("--every", "every_s", type=click.IntRange(1), default=3600, show_default=True, help="Seconds.")
@click.option("--clock-control", required=True, help="The simulator's control port, http://host:port.")
@click.option("--progress", type=click.Choice(["json", "none", "text"]), default="text", show_default=True)
def replay(
    config: Path,
    from_text: str,
    to_text: str,
    earlier: tuple[str, ...],
    every_s: int,
    clock_control: str,
    progress: str,
) -> None:
    """Replay a past of a simulated building through the real lines, buffer and cloud."""
    from edge.replay import Progress
    from edge.replay import replay as replay_past

    loaded = checked(config)
    from_ms, to_ms = (_instant_ms(text, loaded.time_zone) for text in (from_text, to_text))
    if to_ms < from_ms:
        raise click.ClickException(f"--to {to_text} is before --from {from_text}")
    instants_ms = [_instant_ms(text, loaded.time_zone) for text in earlier]
    instants_ms += range(from_ms, to_ms + 1, every_s * 1000)
    if instants_ms != sorted(set(instants_ms)):
        raise click.ClickException(
            f"--also {', '.join(earlier)}: expected rising instants before {from_text}"
        )

    def tell(done: Progress) -> None:
        if progress == "json":
            click.echo(msgspec.json.encode(done))
            sys.stdout.flush()
        elif progress == "text" and (done.is_done or done.step % 24 == 0):
            at = datetime.fromtimestamp(done.at_ms / 1000, loaded.time_zone)
            told = f"step {done.step}/{done.steps}, {done.readings} readings, {done.acked} acked"
            click.echo(f"{at:%Y-%m-%d %H:%M}  {told}")

    run_async(
        replay_past(
            loaded,
            instants_ms,
            clock_control_url=clock_control,
            tell=tell,
        )
    )


@edge.command()
@CONFIG
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
def status(config: Path, *, as_json: bool) -> None:
    """Show what the running agent of CONFIG says of itself."""
    from edge.health import Health

    loaded = checked(config)
    if not loaded.page_port:
        raise click.ClickException("page.port is 0 in the configuration: the agent cannot be asked")
    url = f"http://127.0.0.1:{loaded.page_port}/status.json"
    try:
        with urllib.request.urlopen(url, timeout=_STATUS_TIMEOUT_S) as response:
            body = response.read()
    except OSError as error:
        raise click.ClickException(f"no agent answers at {url}: {error}") from None
    if as_json:
        click.echo(body)
        return
    health = msgspec.json.decode(body, type=Health)
    click.echo(f"gateway {health.gateway}, version {health.version}, clock {health.clock_quality}")
    for name, stream in health.streams.items():
        click.echo(
            f"stream {name}: {stream.stored} stored = {stream.acked} acked + {stream.pending} pending"
            f" + {stream.evicted} evicted + {stream.put_aside} put aside; lane: {stream.lane_fault or 'ok'}"
        )
    for line in health.lines:
        offline = [device.id for device in line.devices if not device.is_online]
        click.echo(
            f"line {line.id}: {line.down_reason or f'{line.utilisation:.1%} in use'}, "
            f"{len(line.devices) - len(offline)} of {len(line.devices)} devices online"
            + (f"; offline: {', '.join(offline)}" if offline else "")
        )
    click.echo(f"fault: {health.buffer_fault or health.hello_fault or 'none'}")


@edge.command()
@CONFIG
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def configure(config: Path, bundle: Path) -> None:
    """Take on the configuration in BUNDLE, a file that `gatehouse provision bundle` wrote.

    For a box without a way to the cloud. The running agent tries it at once, one that does not run at
    its next start; what fails its trial goes back by itself.
    """
    from edge.configurations import FOLDER, INBOX, Configurations, write_durably
    from edge.configurator import checked_bundle, trust_of
    from provisioning.bundle import BundleRefused
    from provisioning.identity import IdentityError, read_credential

    own = checked(config)
    if own.credential_file is None:
        raise click.ClickException(f"{config}: no [cloud] credential_file, so nothing says whom to trust")
    try:
        trust = trust_of(read_credential(own.credential_file))
        if trust is None:
            raise click.ClickException("the credential has no key to verify it with; provision the box anew")
        folder = own.buffer.path.with_name(FOLDER)
        shelf = Configurations(folder, lambda: 0)
        content = bundle.read_bytes()
        taken, _ = checked_bundle(content, trust, own, shelf.highest)
        write_durably(folder / INBOX, content)
    except (BundleRefused, EdgeError, IdentityError, Malformed, OSError) as error:
        raise click.ClickException(f"{bundle}: {error}") from None
    click.echo(f"configuration {taken.number} will be tried for {taken.watch_s} s")


def _instant_ms(text: str, zone: ZoneInfo) -> int:
    if text.lstrip("-").isdecimal():
        return int(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.ClickException(
            f"{text!r} is no instant: expected 2026-09-01, 2026-09-01T00:00:00+08:00 or epoch milliseconds"
        ) from None
    return int((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp() * 1000)


async def _until_signal(work: Callable[[Config, asyncio.Event], Awaitable[None]], config: Config) -> None:
    """Run `work`; SIGTERM and SIGINT set the event it stops at."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await work(config, stop)


for _command in COMMANDS:
    edge.add_command(_command)


if __name__ == "__main__":
    edge()
