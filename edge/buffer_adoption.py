"""How far a damaged store has been taken over by the one in its place, on disk.

The invariant: the mark moves in the transaction that stores the blocks, so a power cut in between neither
doubles them nor leaves the rest behind: the next start goes on where the last one stood.
"""

import sqlite3
from dataclasses import dataclass

from edge.buffer_block import KeptBlock


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A damaged store that is not yet taken over whole."""

    name: str  # of its file, beside the buffer's
    after: tuple[str, int]  # stream and first number of the last block that was taken over
    rows: int  # taken over so far


class Adoption:
    """The marks. Whoever calls holds the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def begin(self, name: str) -> None:
        """Note that a damaged store is to be taken over."""
        self._connection.execute(
            "INSERT INTO adoption (damaged, stream, first_seq, row_count) VALUES (?, '', 0, 0)", (name,)
        )

    def unfinished(self) -> Unfinished | None:
        """Return a damaged store that is not yet taken over whole."""
        row = self._connection.execute(
            "SELECT damaged, stream, first_seq, row_count FROM adoption ORDER BY rowid LIMIT 1"
        ).fetchone()
        return None if row is None else Unfinished(row[0], (row[1], row[2]), row[3])

    def note(self, name: str, last: KeptBlock, rows: int) -> None:
        """Note the last block that was taken over, by its number in the damaged store."""
        self._connection.execute(
            "UPDATE adoption SET stream = ?, first_seq = ?, row_count = row_count + ? WHERE damaged = ?",
            (last.stream.value, last.first_seq, rows, name),
        )

    def end(self, name: str) -> None:
        """Note that all that is sound was taken over."""
        self._connection.execute("DELETE FROM adoption WHERE damaged = ?", (name,))
