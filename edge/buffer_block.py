"""A block as the buffer keeps it: what it is worth, and the checksum that tells a damaged one."""

import sqlite3
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from protocol.sync import Stream


class ValueClass(IntEnum):
    """What a block is worth when room runs out; smaller goes first."""

    TELEMETRY = 0
    BILLING = 1  # readings of billed points
    EVIDENCED = 2  # readings with their raw frame: period boundaries are among them
    EVENT = 3


@dataclass(frozen=True, slots=True)
class KeptBlock:
    """A block as it is stored; an empty payload is one that was given up."""

    stream: Stream
    first_seq: int
    row_count: int
    value_class: ValueClass
    oldest_at_ms: int
    payload: bytes
    booted_at_ms: int | None = None  # where the clock that stamped it was not confirmed; see `edge.dating`

    def checksum(self) -> int:
        """Return what tells a damaged block: CRC-32 of all that it says."""
        head = (self.stream.value, self.first_seq, self.row_count, int(self.value_class), self.oldest_at_ms)
        return zlib.crc32(self.payload, zlib.crc32(repr(head).encode()))


def block_from_row(row: Sequence[Any]) -> KeptBlock:
    """Return the block of a row without its checksum; sqlite3.DatabaseError if it cannot be one."""
    stream, first_seq, row_count, value_class, oldest_at_ms, payload = row
    try:
        return KeptBlock(
            Stream(stream), first_seq, row_count, ValueClass(value_class), oldest_at_ms, bytes(payload)
        )
    except (TypeError, ValueError) as error:
        raise sqlite3.DatabaseError(f"block {stream!r} {first_seq!r} is damaged: {error}") from error


def checked_block(row: Sequence[Any]) -> KeptBlock:
    """Return the block of a row that ends with its checksum; sqlite3.DatabaseError if that does not fit."""
    *columns, checksum = row
    block = block_from_row(columns)
    if block.checksum() != checksum:
        raise sqlite3.DatabaseError(f"block {block.stream.value} {block.first_seq} is damaged: its checksum")
    return block


def undated_checksum(stream: str, first_seq: int, boot_id: str, booted_at_ms: int) -> int:
    """Return what tells a damaged note that a block is still to be dated."""
    return zlib.crc32(repr((stream, first_seq, boot_id, booted_at_ms)).encode())
