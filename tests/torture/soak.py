"""Let network, broker and buses come and go thousands of times, and see whether the agent grows.

    python -m tests.torture.soak --flaps 10000 [--pause-s 0.2] [--seed N]

The real agent reads the simulated building and sends to a real cloud; on the way to its cloud, its broker
and three of its buses stand gates that refuse, reset or swallow what comes. At some flaps all gates stand
open again for a while and the agent is asked what it holds: tasks, open files, memory. Ends with 0 if tasks
and files are as many as at the first time of rest. Memory is printed with its slope, for a person to judge.
"""

import asyncio
import contextlib
import random
import re
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import click
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.torture.rig import Rig, free_port, running_rig

# A poll or a connection may be under way whenever the agent is asked.
TASKS_MORE, FILES_MORE = 3, 4

_RESTS = 10
_BUSES = ("bus-2", "meters-tcp", "lift-tcp")
# A breaker waits a minute at most before it asks again.
_REST_S, _REST_TIMEOUT_S, _LOOK_S = 4.0, 180.0, 0.25


class Way(Enum):
    """What a gate does with connections."""

    PASS = "pass"
    REFUSE = "refuse"  # resets at once, those that are open too
    SWALLOW = "swallow"  # takes connections and bytes, and says nothing


class Gate:
    """Stands before a port of this machine, on a port of its own."""

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self._far_port = port
        self._way = Way.PASS
        self._open: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until cancelled."""
        server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        async with server:
            await server.serve_forever()

    def turn(self, way: Way) -> None:
        """Do otherwise from now on; who is connected is cut off."""
        self._way = way
        for task in self._open:
            task.cancel()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._open.add(task)
        try:
            if self._way is Way.PASS:
                await self._join(reader, writer)
            elif self._way is Way.SWALLOW:
                while await reader.read(65_536):
                    pass
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._far_port)
        ways = [asyncio.create_task(_pour(*way)) for way in ((reader, far_writer), (far_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in ways:
                one.cancel()
            far_writer.transport.abort()


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()


@dataclass(frozen=True, slots=True)
class Held:
    """What the agent held at rest, after so many flaps."""

    flaps: int
    tasks: int
    files: int
    memory_kib: int


def soak(
    folder: Path, *, flaps: int, pause_s: float, seed: int, rests: int, show: bool = False
) -> list[Held]:
    """Return what the agent held at each time of rest; AssertionError if it ends or does not recover."""
    with running_rig(folder) as rig:
        return asyncio.run(_soak(rig, flaps, pause_s, random.Random(seed), rests, show=show))


async def _soak(
    rig: Rig, flaps: int, pause_s: float, chance: random.Random, rests: int, *, show: bool
) -> list[Held]:
    page_port = free_port()
    gates = _put_gates(rig, page_port)
    serving = [asyncio.create_task(gate.run()) for gate in gates.values()]
    rig.start("edge")
    held = []
    try:
        await _rest(page_port)
        for number in range(1, flaps + 1):
            gate = chance.choice(list(gates.values()))
            gate.turn(chance.choice((Way.REFUSE, Way.SWALLOW)))
            await asyncio.sleep(chance.uniform(0.0, 2 * pause_s))
            gate.turn(Way.PASS)
            if number % max(1, flaps // rests) == 0:
                held.append(await _rest(page_port, number))
                if show:
                    click.echo(_told(held[-1]))
        process = rig.processes["edge"]
        assert process.poll() is None, f"the agent ended with {process.returncode}:\n{rig.log('edge')}"
    finally:
        for task in serving:
            task.cancel()
    return held


def grows(held: list[Held]) -> bool:
    """Tell whether the agent ever held more tasks or files than at its first rest."""
    first = held[0]
    return any(one.tasks > first.tasks + TASKS_MORE or one.files > first.files + FILES_MORE for one in held)


def _put_gates(rig: Rig, page_port: int) -> Mapping[str, Gate]:
    """Put gates before what the edge is told of in its files."""
    config = rig.folder / "edge.toml"
    text = config.read_text().replace("[page]\nport = 0", f"[page]\nport = {page_port}")
    gates: dict[str, Gate] = {}
    for line_id in (*_BUSES, "mqtt"):
        found = re.search(rf'id = "{line_id}"\n(?:.*\n)*?port = (\d+)', text)
        assert found, f"the simulator's configuration has no line {line_id}"
        gates[line_id] = Gate(int(found[1]))
        text = text[: found.start(1)] + str(gates[line_id].port) + text[found.end(1) :]
    config.write_text(text)
    gates["cloud"] = Gate(rig.gateway_port)
    credential = rig.folder / "credential.json"
    credential.write_text(credential.read_text().replace(f":{rig.gateway_port}", f":{gates['cloud'].port}"))
    return gates


async def _rest(page_port: int, flaps: int = 0) -> Held:
    """Return what the agent holds once all that is behind a gate answers."""
    deadline = time.monotonic() + _REST_TIMEOUT_S
    while away := await asyncio.to_thread(_away, page_port):
        assert time.monotonic() < deadline, f"not back within {_REST_TIMEOUT_S:.0f} s: {', '.join(away)}"
        await asyncio.sleep(_LOOK_S)
    await asyncio.sleep(_REST_S)
    metrics = {one.name: one.value for one in await asyncio.to_thread(_samples, page_port)}
    return Held(
        flaps,
        int(metrics["gatehouse_edge_tasks"]),
        int(metrics["process_open_fds"]),
        int(metrics["process_resident_memory_bytes"]) // 1024,
    )


def _away(page_port: int) -> list[str]:
    """Return what does not answer of all that is behind a gate; other lines have troubles of their own."""
    try:
        samples = _samples(page_port)
    except OSError:
        return ["the agent's page"]
    well = {"gatehouse_edge_breaker_state": 0, "gatehouse_edge_ear_up": 1, "gatehouse_edge_lane_up": 1}
    return [
        f"{one.name} {one.labels}"
        for one in samples
        if one.name in well
        and one.value != well[one.name]
        and one.labels.get("line", "mqtt") in (*_BUSES, "mqtt")
    ]


def _samples(page_port: int) -> list[Sample]:
    with urllib.request.urlopen(f"http://127.0.0.1:{page_port}/metrics", timeout=5) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return [one for family in families for one in family.samples]


def _told(held: Held) -> str:
    return f"{held.flaps:7,} flaps: {held.tasks} tasks, {held.files} files, {held.memory_kib / 1024:.1f} MiB"


@click.command()
@click.option("--flaps", default=10_000, show_default=True, help="How often something goes and comes back.")
@click.option("--pause-s", default=0.2, show_default=True, help="How long it stays away, on average.")
@click.option("--seed", default=20261124, show_default=True, help="Which, how and how long.")
def main(flaps: int, pause_s: float, seed: int) -> None:
    """Soak the agent in trouble and tell what it holds."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gatehouse-soak-") as folder:
        held = soak(Path(folder), flaps=flaps, pause_s=pause_s, seed=seed, rests=_RESTS, show=True)
    first, last = held[len(held) // 2], held[-1]
    grown_kib = (last.memory_kib - first.memory_kib) / max(1, last.flaps - first.flaps) * 1000
    click.echo(f"{time.monotonic() - started:.0f} s; second half: {grown_kib:+.0f} KiB each 1,000 flaps")
    sys.exit(int(grows(held)))


if __name__ == "__main__":
    main()
