"""Run simulated worlds: `python -m tests.simulation.run --seeds 200`, on every core there is.

Ends with 0 if every invariant held in every one. A failing seed is printed with its diary; run it again
with `--first SEED --seeds 1 --diary`.
"""

import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import click

from tests.simulation.template import template
from tests.simulation.world import TROUBLE_EVERY_S, Outcome, simulate


@click.command()
@click.option("--seeds", default=20, show_default=True, help="How many.")
@click.option("--first", default=1, show_default=True, help="The first of them.")
@click.option("--minutes", default=15.0, show_default=True, help="Of simulated trouble in each.")
@click.option("--every", default=TROUBLE_EVERY_S, show_default=True, help="Seconds between two troubles.")
@click.option("--workers", default=os.cpu_count() or 1, show_default=True, help="Processes at a time.")
@click.option("--diary", is_flag=True, help="Show what happened, also where nothing is wrong.")
def main(seeds: int, first: int, minutes: float, every: float, workers: int, diary: bool) -> None:
    """Simulate three gateways, thirty devices and a cloud through every fault; nothing may be lost."""
    began_s, virtual_s, processor_s, readings, lost = time.monotonic(), 0.0, 0.0, 0, 0
    troubles: Counter[str] = Counter()
    failed: list[int] = []
    for outcome in _outcomes(range(first, first + seeds), minutes, every, workers):
        virtual_s, processor_s = virtual_s + outcome.virtual_s, processor_s + outcome.processor_s
        readings, lost = readings + outcome.readings, lost + outcome.lost_rows
        troubles += outcome.troubles
        click.echo(
            f"seed {outcome.seed:>6} state {outcome.digest} {outcome.virtual_s / outcome.processor_s:6.0f}x"
            f" {outcome.readings:>6} readings {sum(outcome.troubles.values()):>3} troubles"
        )
        if outcome.violation or diary:
            click.echo("\n".join(outcome.log))
        if outcome.violation:
            failed.append(outcome.seed)
            click.echo(f"VIOLATION in seed {outcome.seed}: {outcome.violation}")
    took_s = time.monotonic() - began_s
    hours = virtual_s / 3600
    click.echo(
        f"{seeds} seeds, {hours:.1f} simulated hours in {took_s:.0f} s: {virtual_s / took_s:.0f} times"
        f" real time, by {workers} processes at {virtual_s / processor_s:.0f} times their processor time"
    )
    click.echo(
        f"{readings:,} readings compared one by one, {lost:,} given up by quota or restore and counted"
    )
    click.echo(", ".join(f"{name} {count}" for name, count in sorted(troubles.items())))
    click.echo(
        f"{len(failed)} seeds violated an invariant{': ' if failed else ''}{', '.join(map(str, failed))}"
    )
    sys.exit(1 if failed else 0)


def _outcomes(seeds: range, minutes: float, every_s: float, workers: int) -> Iterator[Outcome]:
    """Yield what became of each seed, in order."""
    with template() as made:
        run = partial(simulate, minutes=minutes, made=made, trouble_every_s=every_s)
        if min(workers, len(seeds)) == 1:
            yield from map(run, seeds)
            return
        # A child begun anew has no copy of what this process has open.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context) as pool:
            yield from pool.map(run, seeds)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets are walked in an order that Python draws anew for each process.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation.run", *sys.argv[1:]])  # noqa: S606
    main()
