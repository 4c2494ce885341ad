"""What can go wrong in a simulated world, one function each: it begins, and returns how it is put right.

A trouble names the machines whose alarms it may hold up, so that nobody is blamed for being late
through it. Which troubles come, when and for how long, is the seed's.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from simulator.faults import Fault, FaultKind
from tests.crash import disk
from tests.simulation.cloud_machine import ADDRESS, CLOUD
from tests.simulation.network import Link
from tests.simulation.site import ELECTRICITY, FIRE, MASTER, WATER

if TYPE_CHECKING:
    from tests.simulation.box import Box
    from tests.simulation.world import World

Undo = Callable[[], None]
Begin = Callable[["World", "Box", random.Random], Undo]


@dataclass(frozen=True, slots=True)
class Trouble:
    """A kind of trouble. `lasts_s` bounds its length; a cloud's trouble is everybody's."""

    begin: Begin
    lasts_s: tuple[float, float]
    is_everybodys: bool = False


def _nothing() -> None:
    pass


def _on_link(change: Callable[[Link, random.Random], None]) -> Begin:
    def begin(world: "World", box: "Box", rng: random.Random) -> Undo:
        link = world.network.link(box.name, ADDRESS[0])
        link.heal()
        change(link, rng)
        return link.heal

    return begin


def _refuse(link: Link, _: random.Random) -> None:
    link.refuses = True
    link.reset()


def _swallow(link: Link, _: random.Random) -> None:
    link.swallows_in = link.swallows_out = True


def _lose_questions(link: Link, _: random.Random) -> None:
    link.swallows_out = True


def _lose_answers(link: Link, _: random.Random) -> None:
    link.swallows_in = True


def _trickle(link: Link, rng: random.Random) -> None:
    link.bytes_per_s = rng.choice((1.0, 30.0, 400.0))


def _sign_in(link: Link, _: random.Random) -> None:
    link.portal = True
    link.reset()


def _cut_short(link: Link, rng: random.Random) -> None:
    link.cut_after_bytes = rng.randrange(1, 6_000)
    link.cut_is_reset = rng.random() < 0.5
    link.reset()


def _reset(link: Link, _: random.Random) -> None:
    link.reset()


def _far_away(world: "World", box: "Box", rng: random.Random) -> Undo:
    link = world.network.link(box.name, ADDRESS[0])
    link.latency_s = rng.uniform(0.3, 1.5)

    def undo() -> None:
        link.latency_s = 0.02

    return undo


def _power_cut(world: "World", box: "Box", _: random.Random) -> Undo:
    box.kill(is_power_cut=True)
    return lambda: world.start_soon(box)


def _kill(world: "World", box: "Box", _: random.Random) -> Undo:
    box.kill(is_power_cut=False)
    return lambda: world.start_soon(box)


def _power_cut_in_a_write(world: "World", box: "Box", rng: random.Random) -> Undo:
    box.cut_during_next_writes(rng.randrange(1, 40))

    def undo() -> None:
        box.kill(is_power_cut=True)
        world.start_soon(box)

    return undo


def _failing_disk(world: "World", box: "Box", rng: random.Random) -> Undo:
    times = rng.choice((1, 3, None))
    is_full = rng.random() < 0.5
    kinds = ("write",) if is_full else disk.CHANGES
    box.fail_disk(disk.Fault(rng.randrange(1, 10), times, is_full=is_full, kinds=kinds))
    return lambda: box.fail_disk(None)


def _slow_disk(world: "World", box: "Box", rng: random.Random) -> Undo:
    world.loop.disk_s[box.name] = rng.uniform(0.5, 2.0)

    def undo() -> None:
        world.loop.disk_s.pop(box.name, None)

    return undo


def _clock_jump(world: "World", box: "Box", rng: random.Random) -> Undo:
    box.set_clock(rng.choice((-3_600_000, -40_000, 40_000, 3_600_000)), is_known=rng.random() < 0.5)
    return lambda: box.set_clock(0, is_known=True)


def _clock_at_1970(world: "World", box: "Box", _: random.Random) -> Undo:
    box.set_clock(-world.wall_ms(), is_known=False)
    return lambda: box.set_clock(0, is_known=True)


def _device(kind: FaultKind) -> Begin:
    def begin(_: "World", box: "Box", rng: random.Random) -> Undo:
        wired = (*ELECTRICITY, *WATER) if kind in (FaultKind.BAD_CHECKSUM, FaultKind.NOISE) else (
            *ELECTRICITY, *WATER, MASTER, FIRE
        )  # fmt: skip
        wanted = Fault(0, "", kind, 0, delay_ms=rng.randrange(100, 3_000))
        fault = box.site.go_wrong(rng.choice(wired), wanted)
        return lambda: box.site.put_right(fault)

    return begin


def _cable(world: "World", box: "Box", rng: random.Random) -> Undo:
    link = world.network.link(box.name, box.site.host)
    if rng.random() < 0.5:
        link.refuses = True
        link.reset()
    else:
        link.swallows_in = link.swallows_out = True
    return link.heal


def _cloud_killed(world: "World", _: "Box", __: random.Random) -> Undo:
    world.cloud.kill()
    return world.start_cloud_soon


def _cloud_restored(world: "World", _: "Box", __: random.Random) -> Undo:
    world.cloud.kill()
    world.oracle.cloud_restored()
    world.cloud.restore()
    return world.start_cloud_soon


def _cloud_full(world: "World", _: "Box", __: random.Random) -> Undo:
    world.cloud.fill_disk(is_full=True)
    return lambda: world.cloud.fill_disk(is_full=False)


def _cloud_slow(world: "World", _: "Box", rng: random.Random) -> Undo:
    world.loop.disk_s[CLOUD] = rng.uniform(0.2, 1.0)

    def undo() -> None:
        world.loop.disk_s.pop(CLOUD, None)

    return undo


TROUBLES: Mapping[str, Trouble] = MappingProxyType(
    {
        "bus bad checksum": Trouble(_device(FaultKind.BAD_CHECKSUM), (5, 90)),
        "bus cable": Trouble(_cable, (1, 60)),
        "bus dead device": Trouble(_device(FaultKind.DEAD), (5, 120)),
        "bus foreign reply": Trouble(_device(FaultKind.FOREIGN_REPLY), (5, 90)),
        "bus late reply": Trouble(_device(FaultKind.LATE_REPLY), (5, 120)),
        "bus noise": Trouble(_device(FaultKind.NOISE), (5, 90)),
        "bus truncated": Trouble(_device(FaultKind.TRUNCATED), (5, 90)),
        "clock at 1970": Trouble(_clock_at_1970, (5, 120)),
        "clock jump": Trouble(_clock_jump, (5, 120)),
        "cloud full": Trouble(_cloud_full, (5, 60), is_everybodys=True),
        "cloud killed": Trouble(_cloud_killed, (0.5, 60), is_everybodys=True),
        "cloud restored": Trouble(_cloud_restored, (0.5, 60), is_everybodys=True),
        "cloud slow": Trouble(_cloud_slow, (5, 90), is_everybodys=True),
        "disk fails": Trouble(_failing_disk, (1, 40)),
        "disk slow": Trouble(_slow_disk, (5, 60)),
        "killed": Trouble(_kill, (0.5, 20)),
        "link cut short": Trouble(_on_link(_cut_short), (5, 60)),
        "link far away": Trouble(_far_away, (5, 120)),
        "link loses answers": Trouble(_on_link(_lose_answers), (5, 120)),
        "link loses questions": Trouble(_on_link(_lose_questions), (5, 120)),
        "link refuses": Trouble(_on_link(_refuse), (1, 180)),
        "link reset": Trouble(_on_link(_reset), (0.1, 1)),
        "link sign-in page": Trouble(_on_link(_sign_in), (5, 90)),
        "link swallows": Trouble(_on_link(_swallow), (5, 180)),
        "link trickles": Trouble(_on_link(_trickle), (5, 90)),
        "power cut": Trouble(_power_cut, (1, 60)),
        "power cut in a write": Trouble(_power_cut_in_a_write, (2, 30)),
    }
)
