"""Ballast: a file of nothing beside the buffer, thrown overboard when the disk is full.

What fills a disk is mostly somebody else: a log, a download. The room it gives back lets alarms and billing
readings be stored until a person comes. The invariant: it is laid only where there is room to spare, so that
it never makes the disk full itself.
"""

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

# Some hours of a large box's readings; days of a small one's.
BALLAST_BYTES = 8 * 1024 * 1024
# Laid while the disk has this many times its size free.
_ROOM_TIMES = 4


class Ballast:
    """One file. Used on the buffer's thread."""

    def __init__(self, path: Path, size_bytes: int = BALLAST_BYTES) -> None:
        self._path = path
        self._size_bytes = size_bytes

    def lay(self) -> None:
        """Make the file if it is missing and there is room; without it one lives less safely, but lives."""
        if self._path.exists():
            return
        try:
            free = os.statvfs(self._path.parent)
            if free.f_bavail * free.f_frsize < _ROOM_TIMES * self._size_bytes:
                return
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size_bytes)
            finally:
                os.close(descriptor)
        except OSError as error:
            log.warning("no ballast could be laid", extra={"path": str(self._path), "reason": str(error)})

    def drop(self) -> bool:
        """Throw it overboard; False if there is none."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
