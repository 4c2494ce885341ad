"""Doors and power cuts: whatever fails between command and outcome, a door opens once or not at all.

The real downlink, desk and book of commands, on a disk that loses what is not synced; beside each cut of
the disk the process may die before the door is asked, after it was, while its state is read back, and
before the outcome is told. After every crash the same signed message comes again, in a connection that
has handed out the same nonce, and so do those of before: nothing of it may open a door a second time.
"""

import asyncio
import contextlib
import random
import sqlite3
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.admission import Desk
from edge.downlink import Downlink
from edge.errors import StorageFault
from edge.identity import Identity
from edge.intents import Intents
from protocol.command import COMMAND_VERSION, Action, Command, CommandState, encode_signed
from protocol.event import Event
from protocol.quantity import MICRO
from protocol.reading import ClockQuality, Quality, Reading
from provisioning.authority import GatewayName
from provisioning.config import CommandAllowance, DeviceId
from provisioning.identity import Credential
from provisioning.signing import TrustedKey, key_id_of, signed
from tests.crash.connection import connector
from tests.crash.disk import Disk

BOOK = Path("commands.sqlite")
_KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
_GATEWAY = "0199a000-0000-7000-8000-000000000001"
_LOCK = DeviceId("lock-1")
_IDENTITY = Identity(Credential("http://cloud.example", "gw-1", GatewayName(1, _GATEWAY)), 0)
# A transaction of the book takes about seven operations; accepting and settling are two, opening some more.
_OPERATIONS_MAX = 24
_CRASHES_PER_DISK = 100
_REPEATED = 5  # of the commands of before come again after each crash
_MINUTE_MS = 61_000  # between two unlocks, so that the rate limit hides nothing
_PLACES = ("disk", "before", "after", "look", "tell", "none")


class _Died(BaseException):
    """The process is gone; nothing of it may run on."""


@dataclass(slots=True)
class Doors:
    """What a run did: by command, how often its door was opened; by place, how often it crashed there."""

    opened: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    unknown: int = 0

    @property
    def double(self) -> list[str]:
        """Return the commands that opened a door more than once: none, or the promise is broken."""
        return [command_id for command_id, times in self.opened.items() if times > 1]


@dataclass(slots=True)
class _Clock:
    now_ms: int = 1_000_000
    quality: ClockQuality = ClockQuality.SYNCED

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic_ms(self) -> int:
        return self.now_ms


@dataclass(slots=True)
class _Building:
    """The lock, and what the intake would know of it; either may be where the process dies."""

    doors: Doors
    clock: _Clock
    dies: str = ""
    asked_for: str = ""
    actions: frozenset[Action] = frozenset({Action.DOOR_UNLOCK})
    latest: dict[str, Reading] = field(default_factory=dict)

    async def act(self, action: Action, parameters: Mapping[str, str]) -> str:
        assert (action, parameters) == (Action.DOOR_UNLOCK, {})
        self._pass("before")
        self.doors.opened[self.asked_for] += 1
        self._pass("after")
        return ""

    async def look(self, point: str) -> None:
        self._pass("look")
        self.clock.now_ms += 500
        key = f"{_LOCK}/{point}"
        self.latest[key] = Reading(key, self.clock.now_ms, MICRO, Quality.GOOD)

    def accept(self, readings: Sequence[Reading], events: Sequence[Event]) -> asyncio.Future[None]:
        del readings, events
        self._pass("tell")
        stored = asyncio.get_running_loop().create_future()
        stored.set_result(None)
        return stored

    def _pass(self, place: str) -> None:
        if self.dies == place:
            raise _Died(place)


def run_doors(seed: int, crashes: int) -> Doors:
    """Crash so many times; `Doors.double` names what was opened twice."""
    return asyncio.run(_run(random.Random(seed), crashes))


async def _run(rng: random.Random, crashes: int) -> Doors:
    doors = Doors()
    while doors.crashes.total() < crashes:
        disk = Disk(rng)
        clock = _Clock()
        sent: list[tuple[str, bytes]] = []
        try:
            for _ in range(min(_CRASHES_PER_DISK, crashes - doors.crashes.total())):
                await _live_and_crash(rng, disk, clock, doors, sent)
        finally:
            disk.unregister()
    return doors


async def _live_and_crash(
    rng: random.Random, disk: Disk, clock: _Clock, doors: Doors, sent: list[tuple[str, bytes]]
) -> None:
    place = rng.choice(_PLACES)
    if place == "disk":
        disk.cut_at(rng.randrange(1, _OPERATIONS_MAX))
    building = _Building(doors, clock, dies=place)
    sent.append(_message(len(sent) + 1))
    with contextlib.suppress(sqlite3.Error, StorageFault, _Died):
        await _serve(disk, building, [*rng.sample(sent[:-1], min(_REPEATED, len(sent) - 1)), sent[-1]])
        # A copy on the same connection, as a proxy that repeats would send it.
        await _serve(disk, building, [sent[-1]])
    disk.restart()
    doors.crashes[place] += 1
    calm = _Building(doors, clock)
    await _serve(disk, calm, [sent[-1], *rng.sample(sent, min(_REPEATED, len(sent)))])
    intents = Intents(BOOK, connector(disk))
    # Asked only of this disk's commands: each crash costs the same, however many came before.
    unsaid = [name for name, _ in sent if doors.opened[name] and not intents.has_seen(name)]
    intents.close()
    assert not unsaid, f"opened and not in the book: {unsaid}"


async def _serve(disk: Disk, building: _Building, messages: Sequence[tuple[str, bytes]]) -> None:
    """Start as the box does, and take the messages."""
    intents = Intents(BOOK, connector(disk))
    try:
        trusted = {key_id_of(_KEY.public_key()): TrustedKey(_KEY.public_key(), frozenset(Action))}
        allowed = (CommandAllowance("*", frozenset(Action)),)
        desk = Desk(_GATEWAY, trusted, allowed, (), intents.last_counter, intents.has_seen)
        actuators = {_LOCK: building}
        downlink = Downlink(_IDENTITY, desk, intents, actuators, building, building.clock)  # type: ignore[arg-type]
        for left in intents.left_open():
            building.doors.unknown += 1
            intents.settle(left.command_id, CommandState.UNKNOWN, "the box stopped")
        for name, message in messages:
            building.asked_for = name
            building.clock.now_ms += _MINUTE_MS
            desk.hand_out("n1", building.clock.now_ms)
            await downlink.take(message)
    finally:
        with contextlib.suppress(sqlite3.Error):
            intents.close()


def _message(counter: int) -> tuple[str, bytes]:
    name = str(uuid.uuid4())
    asked = Command(
        COMMAND_VERSION, name, _GATEWAY, _LOCK, Action.DOOR_UNLOCK, {}, counter, "n1", 15_000, "u", "gate"
    )
    return name, encode_signed(signed(asked, _KEY))
