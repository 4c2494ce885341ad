"""`python -m bench [NAME …]`: run the named benches, or all; `drain=1`, `close_period=100000`: at a scale."""

import sys
from collections.abc import Callable

from bench import (
    backlog,
    bus,
    close_period,
    commands,
    contact,
    drain,
    ingest,
    limits,
    pages,
    polling,
    press,
    rate_by_time,
    reconnect,
    running_charge,
    tables,
)

BENCHES: dict[str, Callable[[], int]] = {
    "backlog": backlog.main,
    "bus": bus.main,
    "close_period": close_period.main,
    "commands": commands.main,
    "contact": contact.main,
    "drain": drain.main,
    "ingest": ingest.main,
    "limits": limits.main,
    "pages": pages.main,
    "polling": polling.main,
    "press": press.main,
    "rate_by_time": rate_by_time.main,
    "reconnect": reconnect.main,
    "running_charge": running_charge.main,
    "tables": tables.main,
}

# Those that also run at a scale given by hand: GiB, a share of the day, so many accounts, alarms or boxes.
SCALED: dict[str, Callable[[str], int]] = {
    "backlog": lambda scale: backlog.main(float(scale)),
    "close_period": lambda scale: close_period.main(int(scale)),
    "contact": lambda scale: contact.main(int(scale)),
    "drain": lambda scale: drain.main(float(scale)),
    "reconnect": lambda scale: reconnect.main(int(scale)),
}


def main(names: list[str]) -> int:
    """Run the benches; return 2 for an unknown name, else the worst of their exit codes."""
    scales = {name: scale for name, _, scale in (text.partition("=") for text in names)}
    unknown = [name for name, scale in scales.items() if name not in (SCALED if scale else BENCHES)]
    if unknown:
        print(f"no bench is called {', '.join(unknown)}; there are: {', '.join(BENCHES)}")
        return 2
    worst = 0
    for name in scales or BENCHES:
        scale = scales.get(name, "")
        worst = max(worst, SCALED[name](scale) if scale else BENCHES[name]())
        print()
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
