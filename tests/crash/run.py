"""Cut the power as often as wanted: `python -m tests.crash.run --cuts 100000 --doors 10000`."""

import argparse
import logging
import sys
import time

from tests.crash.cuts import run_cuts
from tests.crash.doors import run_doors

_CUTS_PER_SEED = 1_000


def main() -> int:
    """Run; say what was done. A failure names its seed, which gives it again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=2_000)
    parser.add_argument("--doors", type=int, default=0, help="crashes about the opening of a door")
    parser.add_argument("--seed", type=int, default=1, help="the first of the seeds, one per thousand cuts")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # every door the edge refuses to open again would be a line
    began, cuts, undone, done, rows, seed = time.perf_counter(), 0, 0, 0, 0, arguments.seed
    while cuts < arguments.cuts:
        tally = run_cuts(seed, min(_CUTS_PER_SEED, arguments.cuts - cuts))
        cuts, undone, done = cuts + tally.cuts, undone + tally.undone, done + tally.done
        rows, seed = rows + tally.rows, seed + 1
    print(
        f"{cuts} power cuts, seeds {arguments.seed} to {seed - 1}, {rows} rows, "
        f"{undone} transactions undone and {done} found whole at the cut; "
        "nothing accepted was lost or doubled, every account balanced, "
        f"in {time.perf_counter() - began:.0f} s"
    )
    return _crash_at_doors(arguments.seed, arguments.doors) if arguments.doors else 0


def _crash_at_doors(seed: int, crashes: int) -> int:
    began = time.perf_counter()
    doors = run_doors(seed, crashes)
    places = ", ".join(f"{count} at {place}" for place, count in sorted(doors.crashes.items()))
    print(
        f"{doors.crashes.total()} crashes about the opening of a door ({places}), seed {seed}: "
        f"{doors.opened.total()} doors opened, {len(doors.double)} of them twice, {doors.unknown} outcomes "
        f"told as unknown, in {time.perf_counter() - began:.0f} s"
    )
    return 1 if doors.double else 0


if __name__ == "__main__":
    sys.exit(main())
