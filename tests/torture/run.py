"""Kill the edge and the cloud at random moments, again and again, and count.

    python -m tests.torture.run --edge-kills 100 --cloud-kills 100 --both-kills 50 [--seed N]

Ends with 0 if nothing accepted was lost and nothing is there twice. A seed repeats the choice of victims
and waits, not the machine's timing.
"""

import random
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import click

from tests.torture.oracle import Issued, read_cloud, violations
from tests.torture.rig import BlockName, Rig, running_rig

# Long enough to reach every phase from an unfinished start-up to several commits and acknowledgements.
LIFE_S = (0.2, 4.0)
SETTLE_TIMEOUT_S = 120.0

_LEDGER_PAGE = 50_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a torture came to."""

    edge_kills: int
    cloud_kills: int
    both_kills: int
    issued: int
    accepted: dict[str, int]  # by stream: the last number the edge had given before it rested
    visible: int
    blocks_seen: int  # committed, not yet acknowledged blocks found in buffers after kills
    alarms_caused: int
    violations: list[str]


def torture(
    folder: Path, *, edge_kills: int, cloud_kills: int, both_kills: int, seed: int, show: bool = False
) -> Verdict:
    """Kill, restart, let it settle, and judge."""
    chance = random.Random(seed)
    victims: list[tuple[str, ...]] = (
        [("edge",)] * edge_kills + [("cloud",)] * cloud_kills + [("cloud", "edge")] * both_kills
    )
    chance.shuffle(victims)
    committed: dict[BlockName, bytes] = {}
    alarms_caused = 0
    with running_rig(folder) as rig:
        rig.start("edge")
        _wait_for_first_rows(rig)
        for number, dying in enumerate(victims, start=1):
            alarms_caused += _cause_trouble(rig, number)
            time.sleep(chance.uniform(*LIFE_S))
            for victim in dying:
                rig.kill(victim)
            if "edge" in dying:
                committed |= rig.snapshot().blocks
            for victim in dying:
                rig.start(victim)
            if show:
                click.echo(f"\r{number} of {len(victims)} kills", nl=number == len(victims))
        rig.wait_for_cloud()
        accepted = _rest(rig, committed)
        issued, count = _ledger(rig)
    cloud = read_cloud(rig.database)
    return Verdict(
        edge_kills,
        cloud_kills,
        both_kills,
        count,
        accepted,
        len(cloud.readings),
        len(committed),
        alarms_caused,
        violations(issued, committed, accepted, cloud),
    )


def _wait_for_first_rows(rig: Rig) -> None:
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while not rig.acked_through().get("history"):
        assert time.monotonic() < deadline, f"nothing arrived within {SETTLE_TIMEOUT_S} s:\n{rig.log('edge')}"
        time.sleep(0.1)


def _cause_trouble(rig: Rig, number: int) -> int:
    """Set off the fire alarm on odd turns and put it right on even ones, so that events flow too."""
    if number % 2:
        rig.ask_simulator("POST", "/faults", {"device": "fire-1", "kind": "fire_alarm", "zone": 1})
        return 1
    state = rig.ask_simulator("GET", "/state")
    faults = state["faults"]
    assert isinstance(faults, list)
    for fault in faults:
        if fault.get("ended_at_ms") is None and fault.get("until_ms") is None:
            rig.ask_simulator("DELETE", f"/faults/{fault['id']}")
    return 0


def _rest(rig: Rig, committed: dict[BlockName, bytes]) -> dict[str, int]:
    """Kill the edge a last time, note what it had accepted, and wait until the cloud has all of that."""
    rig.kill("edge")
    last = rig.snapshot()
    committed |= last.blocks
    accepted = {stream: next_seq - 1 for stream, next_seq in last.next_seq.items()}
    rig.start("edge")
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while any(rig.acked_through().get(stream, 0) < rows for stream, rows in accepted.items()):
        has = f"after {SETTLE_TIMEOUT_S} s the cloud has {rig.acked_through()} of {accepted}"
        assert time.monotonic() < deadline, f"{has}:\n{rig.log('edge')}"
        time.sleep(0.1)
    rig.stop("edge")
    rig.stop("cloud")
    return accepted


def _ledger(rig: Rig) -> tuple[Issued, int]:
    issued: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    first = 0
    while True:
        page = rig.ask_simulator("GET", f"/ledger/items?first={first}&limit={_LEDGER_PAGE}")
        columns = [page[name] for name in ("device", "point", "value_micro", "at_ms")]
        assert all(isinstance(column, list) for column in columns)
        rows = list(zip(*columns, strict=True))
        for device, point, value_micro, at_ms in rows:
            issued[device, point].append((value_micro, at_ms))
        first += len(rows)
        if not rows:
            return issued, first


@click.command()
@click.option("--edge-kills", default=100, show_default=True)
@click.option("--cloud-kills", default=100, show_default=True)
@click.option("--both-kills", default=50, show_default=True)
@click.option("--seed", type=int, help="Repeat the choices of an earlier run.")
def main(edge_kills: int, cloud_kills: int, both_kills: int, seed: int | None) -> None:
    """Kill edge and cloud at random moments; nothing accepted may be lost, nothing doubled."""
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    click.echo(
        f"seed {seed}: {edge_kills} kills of the edge, {cloud_kills} of the cloud, {both_kills} of both"
    )
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gatehouse-torture-") as folder:
        verdict = torture(
            Path(folder),
            edge_kills=edge_kills,
            cloud_kills=cloud_kills,
            both_kills=both_kills,
            seed=seed,
            show=True,
        )
    click.echo(f"readings issued by the building    {verdict.issued:>9,}")
    for stream, rows in sorted(verdict.accepted.items()):
        click.echo(f"rows accepted by the edge, {stream:<8}{verdict.accepted[stream]:>9,}" if rows else "")
    click.echo(f"readings visible in the cloud      {verdict.visible:>9,}")
    click.echo(f"blocks found after kills           {verdict.blocks_seen:>9,}")
    click.echo(f"alarms caused                      {verdict.alarms_caused:>9,}")
    for violation in verdict.violations:
        click.echo(f"VIOLATION: {violation}")
    click.echo(f"{len(verdict.violations)} violations in {time.monotonic() - started:.0f} s")
    sys.exit(1 if verdict.violations else 0)


if __name__ == "__main__":
    main()
