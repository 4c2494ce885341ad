"""Power cuts: random work on the edge's two stores, cut off at random operations of the disk.

After each cut both are opened again and must be found exactly as they were before the transaction
that was under way, or exactly as it leaves them. A transaction that had returned is never undone.
"""

import contextlib
import itertools
import random
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.buffer_block import ValueClass
from edge.buffer_file import open_store
from edge.buffer_store import Store
from edge.errors import StorageFault
from edge.intents import Intents, Open
from protocol.command import Action, Command, CommandState
from protocol.sync import Stream
from tests.crash.connection import connector
from tests.crash.disk import Disk
from tests.crash.ledger import BILLED, Ledger, event, found_in, row

BUFFER, BOOK = Path("buffer.sqlite"), Path("commands.sqlite")
# Operations between two cuts: up to a few transactions of about seven each, and a checkpoint.
_OPERATIONS_MAX = 60
# A disk serves so many cuts; then a new one, so that files stay small and the first start is cut too.
_CUTS_PER_DISK = 40


@dataclass(slots=True)
class Tally:
    """What a run did."""

    cuts: int = 0
    steps: dict[str, int] = field(default_factory=dict)
    undone: int = 0  # transactions under way at the cut of which nothing was found
    done: int = 0  # those found whole, though nobody had been told
    rows: int = 0


@dataclass(frozen=True, slots=True)
class _Book:
    """What the intents book must hold: (counter, id, outcome) of every command."""

    commands: tuple[tuple[int, str, str | None], ...] = ()

    def open(self) -> list[Open]:
        return [
            Open(command_id, "lock-1", "door_unlock")
            for _, command_id, outcome in self.commands
            if outcome is None
        ]


def run_cuts(seed: int, cuts: int, *, disk_lies: bool = False) -> Tally:
    """Cut the power that many times; AssertionError names what was found, the seed gives it again."""
    rng, tally = random.Random(seed), Tally()
    while tally.cuts < cuts:
        disk = Disk(rng, lies=disk_lies)
        try:
            life = _Life(disk, rng, tally)
            for _ in range(min(_CUTS_PER_DISK, cuts - tally.cuts)):
                life.until_the_next_cut()
        except (AssertionError, sqlite3.DatabaseError) as error:
            raise AssertionError(f"seed {seed}, cut {tally.cuts}: {error}") from error
        finally:
            disk.unregister()
    return tally


class _Life:
    def __init__(self, disk: Disk, rng: random.Random, tally: Tally) -> None:
        self._disk = disk
        self._random = rng
        self._tally = tally
        self._numbers = itertools.count(1)
        self._counters = itertools.count(1)
        self._epochs = itertools.count(1)
        self._epoch: int | None = None  # of the store, once opening it has returned
        # What each may hold: more than one state only while a step is under way.
        self._ledgers: Sequence[Ledger] = (Ledger.new(),)
        self._books: Sequence[_Book] = (_Book(),)

    def until_the_next_cut(self) -> None:
        """Work until the power fails, and find out what is left."""
        rng = self._random
        # One in five comes early, and falls into the recovery from the one before.
        self._disk.cut_at(rng.randrange(1, 6) if rng.random() < 0.2 else rng.randrange(1, _OPERATIONS_MAX))
        store: Store | None = None
        intents: Intents | None = None
        try:
            store = self._open()
            intents = Intents(BOOK, connector(self._disk))
            self._check(store, intents)
            while True:
                if rng.random() < 0.03:
                    self._count("close")
                    store.close()
                    store = self._open()
                self._step(store, intents)
        except (sqlite3.Error, StorageFault):
            if not self._disk.has_failed:
                raise
        finally:
            for opened in (store, intents):
                if opened is not None:
                    with contextlib.suppress(sqlite3.Error, StorageFault):
                        opened.close()
        self._disk.restart()
        self._tally.cuts += 1
        # The rest is looked at by the next life, which may be cut off in its recovery.
        if rng.random() < 0.8:
            self._inspect()

    def _inspect(self) -> None:
        """Open what is left in peace, and let go of it as a cut would: nothing is folded or synced."""
        store, intents = self._open(), Intents(BOOK, connector(self._disk))
        self._check(store, intents)
        (problem,) = store._connection.execute("PRAGMA integrity_check").fetchone()
        assert problem == "ok", problem
        self._disk.cut_at(1)
        for opened in (store, intents):
            with contextlib.suppress(sqlite3.Error, StorageFault):
                opened.close()
        self._disk.restart()

    def _open(self) -> Store:
        store = open_store(BUFFER, lambda: next(self._epochs), 1, connector(self._disk))
        if self._epoch is None:
            self._epoch = store.epoch
        assert store.epoch == self._epoch, f"epoch {store.epoch} in place of {self._epoch}"
        # The program's own checkpoint comes after 1,000 pages; here it must fall among the cuts.
        store._connection.execute(f"PRAGMA wal_autocheckpoint = {self._random.choice((4, 16, 1000))}")
        return store

    def _check(self, store: Store, intents: Intents) -> None:
        found = found_in(store)
        states = [state for state in self._ledgers if state.found() == found]
        assert states, f"found {found}, expected one of {[state.found() for state in self._ledgers]}"
        books = [book for book in self._books if self._reads_as(book, intents)]
        assert books, f"found {intents.left_open()}, expected one of {self._books}"
        if len(self._ledgers) > 1:
            self._tally.undone += states[0] is self._ledgers[0]
            self._tally.done += states[0] is not self._ledgers[0]
        self._ledgers, self._books = states[:1], books[:1]

    @staticmethod
    def _reads_as(book: _Book, intents: Intents) -> bool:
        last = max((counter for counter, _, _ in book.commands), default=0)
        return (
            intents.left_open() == book.open()
            and intents.last_counter() == last
            and all(intents.has_seen(command_id) for _, command_id, _ in book.commands)
        )

    def _count(self, step: str) -> None:
        self._tally.steps[step] = self._tally.steps.get(step, 0) + 1

    def _step(self, store: Store, intents: Intents) -> None:
        steps: dict[str, tuple[int, Callable[[], None]]] = {
            "accept": (3, lambda: self._accept(intents)),
            "acknowledge": (5, lambda: self._acknowledge(store)),
            "checkpoint": (2, lambda: self._checkpoint(store)),
            "commit": (12, lambda: self._commit(store)),
            "evict": (2, lambda: self._evict(store)),
            "put aside": (1, lambda: self._put_aside(store)),
            "settle": (3, lambda: self._settle(intents)),
        }
        (name,) = self._random.choices(list(steps), [weight for weight, _ in steps.values()])
        self._count(name)
        steps[name][1]()

    def _becomes(self, state: Ledger, work: Callable[[], object]) -> None:
        """Do the work: until it returns either state may be found, then only the new one."""
        self._ledgers = (self._ledgers[0], state)
        work()
        self._ledgers = (state,)

    def _take(self, count: int) -> list[int]:
        self._tally.rows += count
        return list(itertools.islice(self._numbers, count))

    def _commit(self, store: Store) -> None:
        rng = self._random
        # Mostly small; now and then one that is several blocks, or all overflow pages.
        counts = [rng.choice((0, 1, 3, 40)) for _ in range(3)]
        if rng.random() < 0.01:
            counts[0] = 2_100
        numbers = {
            value_class: self._take(count)
            for value_class, count in zip(
                (ValueClass.TELEMETRY, ValueClass.BILLING, ValueClass.EVIDENCED), counts, strict=True
            )
        }
        events = self._take(rng.choice((0, 0, 1, 2)))
        rules = {f"rule-{rng.randrange(4)}": rng.randbytes(rng.choice((1, 20)))} if rng.random() < 0.3 else {}
        readings = [row(number, value_class) for value_class, some in numbers.items() for number in some]
        self._becomes(
            self._ledgers[0].commit(numbers, events, rules),
            lambda: store.commit(readings, [event(number) for number in events], rules, BILLED),
        )

    def _acknowledge(self, store: Store) -> None:
        stream = self._random.choice(list(Stream))
        lane = self._ledgers[0].lanes[stream]
        through = self._random.choice([block.last_seq for block in lane.blocks[:6]] or [0])
        self._becomes(
            self._ledgers[0].with_lane(stream, lane.acknowledge(through)),
            lambda: store.acknowledge(stream, through),
        )

    def _put_aside(self, store: Store) -> None:
        stream = self._random.choice(list(Stream))
        lane = self._ledgers[0].lanes[stream]
        if not lane.blocks:
            return
        first_seq = self._random.choice(lane.blocks[:6]).first_seq
        self._becomes(
            self._ledgers[0].with_lane(stream, lane.take_aside(first_seq)),
            lambda: store.put_aside(stream, first_seq, "malformed", "cannot be read", 1),
        )

    def _evict(self, store: Store) -> None:
        before = self._ledgers[0]
        in_flight = {stream: lane.blocks[0].last_seq for stream, lane in before.lanes.items() if lane.blocks}
        self._ledgers = before.evictions(in_flight)
        keep = store.size_bytes() - self._random.choice((0, 100, 2_000, 100_000))
        rows = store.evict(keep, in_flight)
        given_up = sum(lane.evicted for lane in before.lanes.values()) + rows
        (after,) = (
            state for state in self._ledgers if sum(lane.evicted for lane in state.lanes.values()) == given_up
        )
        self._ledgers = (after,)

    def _checkpoint(self, store: Store) -> None:
        kind = self._random.choice(("PASSIVE", "FULL", "RESTART", "TRUNCATE"))
        store._connection.execute(f"PRAGMA wal_checkpoint({kind})")

    def _accept(self, intents: Intents) -> None:
        counter = next(self._counters)
        command = Command(
            1, f"command-{counter}", "gw-1", "lock-1", Action.DOOR_UNLOCK, {}, counter, "n", 15_000, "u", ""
        )
        book = self._books[0]
        after = _Book((*book.commands, (counter, command.command_id, None)))
        self._books = (book, after)
        intents.accept(command, 1)
        self._books = (after,)

    def _settle(self, intents: Intents) -> None:
        book = self._books[0]
        waiting = book.open()
        if not waiting:
            return
        command_id = self._random.choice(waiting).command_id
        after = _Book(tuple(_settled(book.commands, command_id)))
        self._books = (book, after)
        intents.settle(command_id, CommandState.DONE, "")
        self._books = (after,)


def _settled(
    commands: Iterable[tuple[int, str, str | None]], command_id: str
) -> Iterable[tuple[int, str, str | None]]:
    for counter, known_id, outcome in commands:
        yield (counter, known_id, CommandState.DONE.value if known_id == command_id else outcome)
