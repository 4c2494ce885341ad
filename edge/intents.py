"""The book of commands: what this box was about to do, written and synced before it did it.

A small SQLite file of its own, so that a damaged buffer cannot take it along. The invariant: a
command's intent is durable before the device is asked, so after a power cut every command that may
have been carried out is found here without an outcome, and becomes `unknown`, never a second try.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.buffer_file import connect_file, fold_log
from edge.errors import StorageFault
from protocol.command import FINAL_STATES, Command, CommandState

_SCHEMA = """
CREATE TABLE IF NOT EXISTS intent (
    counter INTEGER PRIMARY KEY,
    command_id TEXT NOT NULL UNIQUE,
    device_id TEXT NOT NULL,
    action TEXT NOT NULL,
    accepted_at_ms INTEGER NOT NULL,
    outcome TEXT,
    detail TEXT NOT NULL DEFAULT ''
) STRICT
"""
# What the box opened by itself, for whom. A badge that lets in once is remembered here.
_OPENINGS = """
CREATE TABLE IF NOT EXISTS opening (
    id INTEGER PRIMARY KEY,
    badge_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    is_once INTEGER NOT NULL,
    decided_at_ms INTEGER NOT NULL,
    outcome TEXT
) STRICT
"""
_OPENINGS_INDEX = "CREATE INDEX IF NOT EXISTS opening_badge ON opening (badge_id) WHERE is_once"
# Long enough to answer for what was done; a replay older than this still fails by its counter.
_KEPT = 10_000
# Of codes that let in once: they end within a month, and no door opens this often in one.
_ONCE_KEPT = 1_000_000


@dataclass(frozen=True, slots=True)
class Open:
    """A command accepted before the last start, of which nobody knows whether it was carried out."""

    command_id: str
    device_id: str
    action: str


class Intents:
    """The open book. One per box; used from one thread."""

    def __init__(self, path: Path, connect: Callable[[Path], sqlite3.Connection] = connect_file) -> None:
        self._db = connect(path)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            for statement in (_SCHEMA, _OPENINGS, _OPENINGS_INDEX):
                self._db.execute(statement)
            fold_log(self._db)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def last_counter(self) -> int:
        """Return the highest counter ever accepted; 0 before the first."""
        return int(self._db.execute("SELECT coalesce(max(counter), 0) FROM intent").fetchone()[0])

    def has_seen(self, command_id: str) -> bool:
        """Tell whether a command of that id was accepted."""
        row = self._db.execute("SELECT 1 FROM intent WHERE command_id = ?", (command_id,)).fetchone()
        return row is not None

    def accept(self, command: Command, accepted_at_ms: int) -> None:
        """Write the intent; durable when this returns. StorageFault if it is not: then do not act."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(
                "INSERT INTO intent (counter, command_id, device_id, action, accepted_at_ms)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    command.counter,
                    command.command_id,
                    command.device_id,
                    command.action.value,
                    accepted_at_ms,
                ),
            )
            self._db.execute(
                "DELETE FROM intent WHERE outcome IS NOT NULL AND counter <= ?", (command.counter - _KEPT,)
            )
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise StorageFault(f"book of commands: {error}") from error

    def settle(self, command_id: str, outcome: CommandState, detail: str) -> None:
        """Write how it ended; only a command without an outcome takes one."""
        assert outcome in FINAL_STATES, outcome
        self._db.execute(
            "UPDATE intent SET outcome = ?, detail = ? WHERE command_id = ? AND outcome IS NULL",
            (outcome.value, detail, command_id),
        )

    def left_open(self) -> Sequence[Open]:
        """Return what was accepted and never settled, in order: after a start, all of it is unknown."""
        rows = self._db.execute(
            "SELECT command_id, device_id, action FROM intent WHERE outcome IS NULL ORDER BY counter"
        )
        return [Open(*row) for row in rows]

    def accept_opening(self, badge_id: str, device_id: str, decided_at_ms: int, *, is_once: bool) -> int:
        """Write down that a door is about to open for a badge; return the number of that opening.

        Durable when this returns. StorageFault if it is not.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            added = self._db.execute(
                "INSERT INTO opening (badge_id, device_id, is_once, decided_at_ms) VALUES (?, ?, ?, ?)",
                (badge_id, device_id, is_once, decided_at_ms),
            ).lastrowid
            assert added is not None, "a row that was added has a number"
            self._db.execute("DELETE FROM opening WHERE NOT is_once AND id <= ?", (added - _KEPT,))
            self._db.execute("DELETE FROM opening WHERE id <= ?", (added - _ONCE_KEPT,))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise StorageFault(f"book of commands: {error}") from error
        return added

    def settle_opening(self, number: int, outcome: CommandState) -> None:
        """Write how an opening ended."""
        self._db.execute("UPDATE opening SET outcome = ? WHERE id = ?", (outcome.value, number))

    def has_opened(self, badge_id: str) -> bool:
        """Tell whether a badge that lets in once has opened a door, or may have."""
        row = self._db.execute(
            "SELECT 1 FROM opening WHERE is_once AND badge_id = ? AND outcome IS NOT ?",
            (badge_id, CommandState.REFUSED.value),
        ).fetchone()
        return row is not None
