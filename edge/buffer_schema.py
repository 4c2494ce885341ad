"""The tables of the buffer and how they came to be, release by release; forward only.

Imported only where there is something to migrate: sqlite-utils brings along some fifteen megabytes, which
a box that runs for a year need not carry for the sake of its first second.
"""

import sqlite3

from sqlite_utils import Database, Migrations

from edge.buffer_block import block_from_row
from edge.buffer_retained import mark_checksum

_migrations = Migrations("buffer")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables to their present form, each step in a transaction of its own."""
    _migrations.apply(Database(connection))


@_migrations(name="0001_first")
def _first(db: Database) -> None:
    statements = (
        """CREATE TABLE store (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            epoch INTEGER NOT NULL CHECK (epoch > 0),
            created_at_ms INTEGER NOT NULL
        ) STRICT""",
        """CREATE TABLE stream (
            name TEXT PRIMARY KEY,
            next_seq INTEGER NOT NULL DEFAULT 1,
            stored_rows INTEGER NOT NULL DEFAULT 0,
            acked_rows INTEGER NOT NULL DEFAULT 0,
            evicted_rows INTEGER NOT NULL DEFAULT 0,
            put_aside_rows INTEGER NOT NULL DEFAULT 0
        ) STRICT""",
        """CREATE TABLE block (
            stream TEXT NOT NULL REFERENCES stream (name),
            first_seq INTEGER NOT NULL CHECK (first_seq > 0),
            row_count INTEGER NOT NULL CHECK (row_count > 0),
            value_class INTEGER NOT NULL,
            oldest_at_ms INTEGER NOT NULL,
            payload BLOB NOT NULL,
            PRIMARY KEY (stream, first_seq)
        ) STRICT""",
        """CREATE TABLE put_aside (
            stream TEXT NOT NULL,
            first_seq INTEGER NOT NULL,
            row_count INTEGER NOT NULL,
            payload BLOB NOT NULL,
            code TEXT NOT NULL,
            detail TEXT NOT NULL,
            put_aside_at_ms INTEGER NOT NULL,
            PRIMARY KEY (stream, first_seq)
        ) STRICT""",
        """CREATE TABLE rule_state (
            rule_id TEXT PRIMARY KEY,
            state BLOB NOT NULL
        ) STRICT""",
    )
    for statement in statements:
        db.execute(statement)
    db.execute("INSERT INTO stream (name) VALUES ('event'), ('history')")


@_migrations(name="0002_checksum")
def _checksum(db: Database) -> None:
    # SQLite has none of its own: a flipped bit inside a payload would be sent as a value.
    db.execute("ALTER TABLE block ADD COLUMN checksum INTEGER")
    rows = db.execute(
        "SELECT rowid, stream, first_seq, row_count, value_class, oldest_at_ms, payload FROM block"
    ).fetchall()
    for rowid, *columns in rows:
        db.execute(
            "UPDATE block SET checksum = ? WHERE rowid = ?", (block_from_row(columns).checksum(), rowid)
        )


@_migrations(name="0003_undated")
def _undated(db: Database) -> None:
    # History stamped by a clock nobody had confirmed: in which boot, and when that began by that clock.
    db.execute(
        """CREATE TABLE undated (
            stream TEXT NOT NULL,
            first_seq INTEGER NOT NULL,
            boot_id TEXT NOT NULL,
            booted_at_ms INTEGER NOT NULL,
            checksum INTEGER NOT NULL,
            PRIMARY KEY (stream, first_seq),
            FOREIGN KEY (stream, first_seq) REFERENCES block (stream, first_seq)
                ON DELETE CASCADE ON UPDATE CASCADE
        ) STRICT, WITHOUT ROWID"""
    )


@_migrations(name="0004_acked_through")
def _acked_through(db: Database) -> None:
    # What was acknowledged stays for a while; the number up to which it was tells it from what waits.
    db.execute("ALTER TABLE stream ADD COLUMN acked_through INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE stream ADD COLUMN acked_checksum INTEGER NOT NULL DEFAULT 0")
    # Until now only what waits was kept: all below the first of it had been acknowledged or put aside.
    rows = db.execute(
        "SELECT s.name, coalesce(min(b.first_seq), s.next_seq) - 1"
        " FROM stream s LEFT JOIN block b ON b.stream = s.name GROUP BY s.name"
    ).fetchall()
    for name, through in rows:
        db.execute(
            "UPDATE stream SET acked_through = ?, acked_checksum = ? WHERE name = ?",
            (through, mark_checksum(name, through), name),
        )


@_migrations(name="0005_adoption")
def _adoption(db: Database) -> None:
    # A damaged store of gigabytes takes minutes to take over; a power cut in between must not lose the rest.
    db.execute(
        """CREATE TABLE adoption (
            damaged TEXT PRIMARY KEY,
            stream TEXT NOT NULL,
            first_seq INTEGER NOT NULL,
            row_count INTEGER NOT NULL
        ) STRICT"""
    )
