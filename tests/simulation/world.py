"""A whole world from one seed: three buildings, their gateways, the cloud, and what goes wrong.

Nothing in it knows the real time, and nothing is chance but the seed. Troubles come and overlap for the
given minutes; then all is put right, and what had been accepted must arrive. `Outcome.digest` is equal
for two runs of a seed, to the last byte.
"""

import asyncio
import gc
import hashlib
import heapq
import itertools
import logging
import random
import shutil
import ssl
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from simulator.faults import Fault, FaultKind
from tests.simulation.box import Box, salvage_in_turn
from tests.simulation.cloud_machine import ADDRESS, CLOUD, CloudMachine, without_threads, without_tls
from tests.simulation.loop import WorldLoop
from tests.simulation.network import Link, Network
from tests.simulation.oracle import PROMPT_WITHIN_S, Oracle, Violation, state_digest
from tests.simulation.site import FIRE, Site
from tests.simulation.template import BEGINS_MS, GATEWAYS, Template
from tests.simulation.troubles import TROUBLES, Undo

_MEMORY = Path("/dev/shm")  # noqa: S108 - the cloud's file is lost with its seed
STEP_S = 5.0
# While a power cut is arranged for, one looks this often whether it has come.
_WATCH_S = 0.05
# After the troubles: devices are probed at least once a minute, lanes try again within one.
SETTLE_S = 240.0
# Nobody reads any more: what the last commit held is on its way for no longer.
REST_S = 40.0
FIRST_TROUBLE_AFTER_S = 5.0
# A cloud that is restored goes back to what it was at most so long ago.
BACKUP_EVERY_S = 60.0
TROUBLE_EVERY_S = 14.0
# A device that was silent is asked again within this.
PROBED_WITHIN_S = 35.0
# Quotas of the boxes: of one seed in four the disk is too small for what goes wrong.
_QUOTAS_BYTES = (8 << 20, 8 << 20, 8 << 20, 160 << 10)


_CONTEXT = lru_cache(ssl.create_default_context)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a seed. `violation` is empty if all invariants held."""

    seed: int
    digest: str
    violation: str
    virtual_s: float
    processor_s: float
    troubles: Counter[str]
    readings: int
    lost_rows: int
    log: list[str] = field(default_factory=list)


class World:
    """Everything there is."""

    def __init__(
        self,
        seed: int,
        minutes: float,
        folder: Path,
        template: Template,
        loop: WorldLoop,
        *,
        trouble_every_s: float = TROUBLE_EVERY_S,
        disks_lie: bool = False,
    ) -> None:
        self.loop = loop
        self.rng = random.Random(seed)
        self.network = Network(loop, random.Random(self.rng.random()))
        loop.network = self.network
        self.cloud = CloudMachine(folder, template.file, self.network, self.wall_ms)
        self.sites = [Site(number, seed + number, self.wall_ms) for number in range(1, GATEWAYS + 1)]
        quota = self.rng.choice(_QUOTAS_BYTES)
        self.boxes = [
            Box(
                site,
                folder,
                self.network,
                random.Random(self.rng.random()),
                credential,
                quota,
                disk_lies=disks_lie,
            )
            for site, credential in zip(self.sites, template.credentials, strict=True)
        ]
        self.oracle = Oracle(self)
        self.troubles: Counter[str] = Counter()
        self.log: list[str] = []
        self._trace = hashlib.sha256()
        self._until_s = loop.time() + minutes * 60
        self._trouble_every_s = trouble_every_s
        self._healthy_since_s = dict.fromkeys((box.name for box in self.boxes), loop.time())
        self._lasting: Counter[str] = Counter()  # by box
        self._probed_by_s: defaultdict[str, float] = defaultdict(float)
        self._due: list[tuple[float, int, Undo]] = []
        self._order = itertools.count()
        self._starting: dict[str, asyncio.Task[None]] = {}

    def wall_ms(self) -> int:
        """Return the true time."""
        return BEGINS_MS + int((self.loop.time() - 1000.0) * 1000)

    def cloud_link(self, box: Box) -> Link:
        """Return a box's way to the cloud."""
        return self.network.link(box.name, ADDRESS[0])

    def healthy_since_s(self, box: Box) -> float:
        """Return since when nothing is wrong that could hold up the box's alarms; now, if something is."""
        return self._healthy_since_s[box.name]

    def start_soon(self, box: Box) -> None:
        """Plug a box in again."""
        if not box.is_up:
            self._keep(box.name, box.start)

    def start_cloud_soon(self) -> None:
        """Start the cloud again."""
        if not self.cloud.is_up:
            self._keep(CLOUD, self.cloud.start)

    def _keep(self, name: str, start: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if name not in self._starting:
            task = self._starting[name] = asyncio.create_task(start())
            task.add_done_callback(lambda _: self._starting.pop(name))

    def note(self, text: str) -> None:
        """Write into the world's diary, which is part of its digest."""
        line = f"{self.loop.time() - 1000.0:9.3f} {text}"
        self.log.append(line)
        self._trace.update(line.encode())

    def digest(self) -> str:
        """Return what two runs of one seed have in common."""
        for part in state_digest(self.cloud.file):
            self._trace.update(part)
        return self._trace.hexdigest()[:16]

    async def run(self) -> None:
        """Live to the end; Violation if an invariant does not hold."""
        for site in self.sites:
            await site.open()
        await self.cloud.start()
        for box in self.boxes:
            await box.start()
        next_step_s = self.loop.time() + STEP_S
        next_trouble_s = self.loop.time() + FIRST_TROUBLE_AFTER_S
        self.cloud.back_up()
        next_backup_s = self.loop.time() + BACKUP_EVERY_S
        while self.loop.time() < self._until_s:
            await self._pass_to(min(next_step_s, next_trouble_s))
            if self.loop.time() >= next_trouble_s:
                self._make_trouble()
                next_trouble_s = self.loop.time() + self.rng.expovariate(1 / self._trouble_every_s)
            if self.loop.time() >= next_step_s:
                self._step()
                next_step_s += STEP_S
            if self.loop.time() >= next_backup_s:
                self.cloud.back_up()
                next_backup_s += BACKUP_EVERY_S
        await self._settle()

    async def end(self) -> None:
        """Take everything down."""
        self.oracle.close()
        for box in self.boxes:
            await box.end()
        await self.cloud.end()

    async def _settle(self) -> None:
        while self._due:
            self._undo(heapq.heappop(self._due)[2])
        self.note("all troubles are put right")
        for box in self.boxes:
            self.start_soon(box)
        self.start_cloud_soon()
        self._look_at_health()
        began_s = self.loop.time()
        while self.loop.time() < began_s + SETTLE_S:
            await self._pass_to(self.loop.time() + STEP_S)
            self._step()
            is_judged = self.loop.time() > began_s + PROMPT_WITHIN_S + STEP_S
            if is_judged and self.oracle.is_settled():
                break
        # Nobody reads any more; what is on its way arrives.
        for site in self.sites:
            self.network.drop_machine(site.name, in_silence=False)
        give_up_s = self.loop.time() + REST_S
        await self._pass_to(self.loop.time() + max(box.rest_s for box in self.boxes))
        while self.loop.time() < give_up_s and not self.oracle.is_settled():
            await self._pass_to(self.loop.time() + 1.0)
        self.oracle.at_end()

    def _step(self) -> None:
        self._look_at_health()
        self.oracle.after_step()
        counts = " ".join(f"{box.name}:{len(box.accepted)}" for box in self.boxes)
        self._trace.update(f"{self.loop.time()} {counts}".encode())

    async def _pass_to(self, until_s: float) -> None:
        """Let time pass, ending troubles when they are over and boxes when their power fails."""
        while self.loop.time() < until_s:
            stop_s = until_s
            if self._due:
                stop_s = min(stop_s, self._due[0][0])
            if any(box.is_cut_arranged for box in self.boxes):
                stop_s = min(stop_s, self.loop.time() + _WATCH_S)
            await asyncio.sleep(max(0.0, stop_s - self.loop.time()))
            for box in self.boxes:
                if box.has_lost_power():
                    self.note(f"{box.name}: the power fails in a write")
                    box.kill(is_power_cut=True)
            self._look_at_health()
            while self._due and self._due[0][0] <= self.loop.time():
                self._undo(heapq.heappop(self._due)[2])

    def _look_at_health(self) -> None:
        now_s = self.loop.time()
        for box in self.boxes:
            is_ill = self._lasting[box.name] or self._lasting[""] or not box.is_up or not self.cloud.is_up
            if is_ill or now_s < self._probed_by_s[box.name]:
                self._healthy_since_s[box.name] = now_s

    def _make_trouble(self) -> None:
        box = self.rng.choice(self.boxes)
        if self.rng.random() < 0.3:
            self._fire(box)
            return
        name = self.rng.choice(sorted(TROUBLES))
        trouble = TROUBLES[name]
        lasts_s = self.rng.uniform(*trouble.lasts_s)
        self.note(f"{box.name}: {name} for {lasts_s:.1f} s")
        self.troubles[name] += 1
        whose = "" if trouble.is_everybodys else box.name
        undo = trouble.begin(self, box, self.rng)
        self._lasting[whose] += 1

        def end() -> None:
            self.note(f"{box.name}: {name} ends")
            self._look_at_health()
            self._lasting[whose] -= 1
            undo()
            if name.startswith("bus"):
                self._probed_by_s[box.name] = self.loop.time() + PROBED_WITHIN_S

        self._after(lasts_s, end)

    def _fire(self, box: Box) -> None:
        self.note(f"{box.name}: the fire alarm is {'put right' if box.is_burning else 'set off'}")
        if box.fire is not None:
            box.site.put_right(box.fire)
            box.fire = None
        else:
            box.fire = box.site.go_wrong(FIRE, Fault(0, "", FaultKind.FIRE_ALARM, 0))
        box.fire_changed_at_s = self.loop.time()

    def _after(self, seconds: float, undo: Undo) -> None:
        heapq.heappush(self._due, (self.loop.time() + seconds, next(self._order), undo))

    def _undo(self, undo: Undo) -> None:
        undo()
        self._look_at_health()


def simulate(
    seed: int,
    minutes: float,
    made: Template,
    *,
    trouble_every_s: float = TROUBLE_EVERY_S,
    disks_lie: bool = False,
) -> Outcome:
    """Run a seed; what violates an invariant is told in the outcome, not raised.

    Disks that lie keep nothing they said they had synced: the oracle must find that out.
    """
    began_s = time.process_time()
    rng = random.Random(seed)
    loop = WorldLoop(rng)
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-seed-", dir=_MEMORY if _MEMORY.is_dir() else None))
    patch = pytest.MonkeyPatch()
    without_threads(patch)
    salvage_in_turn(patch)
    without_tls(patch, made.gateways)
    # Reading this machine's certificates takes 40 ms, and nobody here speaks TLS.
    patch.setattr(ssl, "create_default_context", _CONTEXT)
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    is_collecting = gc.isenabled()
    gc.disable()  # a collection's moment is the machine's, not the seed's
    gc.freeze()  # what was there before needs no looking through after each seed
    worlds: list[World] = []
    violation = ""

    async def live() -> None:
        world = World(seed, minutes, folder, made, loop, trouble_every_s=trouble_every_s, disks_lie=disks_lie)
        worlds.append(world)
        try:
            await world.run()
        finally:
            digests.append(world.digest())
            await world.end()

    digests: list[str] = []
    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(live())
    except Violation as found:
        violation = str(found)
    finally:
        logging.disable(level)
        patch.undo()
        shutil.rmtree(folder, ignore_errors=True)
        gc.collect()
        if is_collecting:
            gc.enable()
    world = worlds[0]
    return Outcome(
        seed,
        digests[0],
        violation,
        loop.time() - 1000.0,
        time.process_time() - began_s,
        world.troubles,
        world.oracle.readings,
        world.oracle.lost_rows,
        world.log,
    )
