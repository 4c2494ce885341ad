"""The `gatehouse demo` command: from nothing to a living property, in steps a newcomer can follow.

The invariant: whatever was started has ended when the command returns, and it returns 0 only if all it
promised was done.
"""

import signal
import sys
import time
from pathlib import Path
from types import FrameType

import click

from gatehouse.demo.act import Act
from gatehouse.demo.errors import DemoError
from gatehouse.demo.ports import chosen_ports
from gatehouse.demo.processes import Children
from gatehouse.demo.screen import Screen
from gatehouse.demo.stage import Stage
from gatehouse.demo.state import clear, read_state
from simulator.simulation import DEFAULT_SEED

_FOLDER = Path("var/demo")
_ONCE_FOLDER = Path("var/demo-once")
_INTERRUPTED = 130  # what shells expect of a program ended by SIGINT


@click.command()
@click.option("--once", is_flag=True, help="Bounded, no questions: bill, ring alarms, prove it, exit.")
@click.option(
    "--months", type=click.IntRange(1, 12), default=2, show_default=True, help="Past months, hourly."
)
@click.option(
    "--days", type=click.IntRange(0, 60), help="Only these last days hourly: a short demonstration."
)
@click.option(
    "--dir", "folder", type=click.Path(file_okay=False, path_type=Path), help="Where it keeps what it writes."
)
@click.option("--port", type=click.IntRange(1, 65_535), help="The cloud's port.  [default: 8080]")
@click.option("--seed", type=int, default=DEFAULT_SEED, show_default=True, help="Another seed, another year.")
@click.option("--fresh", is_flag=True, help="Begin anew, even where a past was kept.")
@click.option("--keep", is_flag=True, help="With --once: leave the folder for a look afterwards.")
def demo(
    folder: Path | None,
    port: int | None,
    days: int | None,
    months: int,
    seed: int,
    *,
    once: bool,
    fresh: bool,
    keep: bool,
) -> None:
    """Run a whole simulated property on this machine, from wire to bill.

    A building of 24 flats speaks its real protocols, an edge reads it, a cloud bills it. It lives
    through two past months and the running one in three or four minutes (--days 1: in one), closes
    them into bills, then runs live until Ctrl-C. Started again it goes on where it was.
    """
    folder = (folder or (_ONCE_FOLDER if once else _FOLDER)).absolute()
    screen = Screen(sys.stdout, is_terminal=sys.stdout.isatty())
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    try:
        kept = None if once or fresh else read_state(folder)
        if kept is None:
            clear(folder)
        with chosen_ports(port) as ports, Children(folder / "logs") as children:
            stage = Stage(folder, ports, children, seed if kept is None else kept.seed)
            act = Act(stage, children, screen, now_ms=lambda: time.time_ns() // 1_000_000)
            if once:
                act.prove(months, days)
            else:
                act.run(months, days, kept)
        if once and not keep:
            clear(folder)
    except DemoError as error:
        screen.say()
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        screen.say("\nEverything is stopped.")
        raise click.exceptions.Exit(_INTERRUPTED if once else 0) from None


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt
