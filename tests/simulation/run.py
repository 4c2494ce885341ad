"""Run simulated worlds: `python -m tests.simulation.run --seeds 200`.

Ends with 0 if every invariant held in every one. A failing seed is printed with its diary; run it again
with `--first SEED --seeds 1 --diary`.
"""

import os
import sys
import time
from collections import Counter

import click

from tests.simulation.world import simulate, template


@click.command()
@click.option("--seeds", default=20, show_default=True, help="How many.")
@click.option("--first", default=1, show_default=True, help="The first of them.")
@click.option("--minutes", default=15, show_default=True, help="Of simulated trouble in each.")
@click.option("--diary", is_flag=True, help="Show what happened, also where nothing is wrong.")
def main(seeds: int, first: int, minutes: int, diary: bool) -> None:
    """Simulate three gateways, thirty devices and a cloud through every fault; nothing may be lost."""
    began_s, virtual_s, readings, lost = time.process_time(), 0.0, 0, 0
    troubles: Counter[str] = Counter()
    failed: list[int] = []
    with template() as made:
        for seed in range(first, first + seeds):
            outcome = simulate(seed, minutes, made)
            virtual_s += outcome.virtual_s
            readings, lost = readings + outcome.readings, lost + outcome.lost_rows
            troubles += outcome.troubles
            click.echo(
                f"seed {seed:>6} state {outcome.digest} {outcome.virtual_s / outcome.real_s:6.0f}x"
                f" {outcome.readings:>6} readings {sum(outcome.troubles.values()):>3} troubles"
            )
            if outcome.violation or diary:
                click.echo("\n".join(outcome.log))
            if outcome.violation:
                failed.append(seed)
                click.echo(f"VIOLATION in seed {seed}: {outcome.violation}")
    took_s = time.process_time() - began_s
    click.echo(f"{seeds} seeds, {virtual_s / 3600:.1f} simulated hours in {took_s:.0f} s of one core: "
               f"{virtual_s / took_s:.0f} times real time")  # fmt: skip
    click.echo(f"{readings:,} readings compared one by one, {lost:,} given up by quota and counted")
    click.echo(", ".join(f"{name} {count}" for name, count in sorted(troubles.items())))
    click.echo(
        f"{len(failed)} seeds violated an invariant{': ' if failed else ''}{', '.join(map(str, failed))}"
    )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets are walked in an order that Python draws anew for each process.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation.run", *sys.argv[1:]])  # noqa: S606
    main()
