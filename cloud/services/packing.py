"""Packing days long past: a register's day in one row, from which a month is rated by time of use.

The invariant: what is packed can be made anew at any time, so nothing depends on it having been done; a
few registers a transaction, so that it holds up nobody.
"""

from cloud.domain.packed_day import DAY_MS
from cloud.store import reading_days
from cloud.store.db import Tx

# Some tens of milliseconds of quarter-hours.
REGISTERS_AT_ONCE = 50
# A bill looks back a month and some days; what is older is read from its rows.
DAYS_KEPT_UP = 40


def pack_some(tx: Tx, day: int) -> int:
    """Pack a UTC day of some registers; return of how many, 0 once there is nothing to do."""
    series = reading_days.unpacked_series(tx, day, REGISTERS_AT_ONCE)
    if series:
        reading_days.pack_day(tx, day, series)
    return len(series)


def days_to_pack(now_ms: int) -> range:
    """Return the UTC days that are long past and that a bill may still ask for, newest first."""
    newest = now_ms // DAY_MS - reading_days.PACKED_AFTER_DAYS - 1
    return range(newest, newest - DAYS_KEPT_UP, -1)


def has_unpacked(tx: Tx, day: int) -> bool:
    """Tell whether a day still has registers to pack, without taking any."""
    return bool(reading_days.unpacked_series(tx, day, 1))
