"""A disk that can lose its power or fail: what is written is not kept until it is synced.

SQLite runs on it through a VFS. A write is seen at once by whoever reads, as in a page cache, and
stays apart from the platter until the file is synced. At a cut each sector of what was not synced
is kept, lost or torn, in an order of its own; so are truncations, and deletions and new files of
which the directory was not synced. The invariant: what a sync returned for survives every cut, and
nothing else may be relied upon. Chance comes from the seed alone: a seed is a disk's whole fate.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import apsw

SECTOR_BYTES = 512
# What a cut or a fault may fall upon. Reads of a healthy file change nothing and are counted apart.
CHANGES = ("write", "sync", "truncate", "delete")

_numbers = count()

# As SQLite names the places where an operating system's error surfaces.
_IO_ERRORS = {
    "delete": apsw.SQLITE_IOERR_DELETE,
    "read": apsw.SQLITE_IOERR_READ,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
    "write": apsw.SQLITE_IOERR_WRITE,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """From the `at`-th operation on (1 = the next), `times` operations of these kinds fail."""

    at: int
    times: int | None = 1  # None: every one from there on
    is_full: bool = False  # no room: only a write can fail for that
    kinds: tuple[str, ...] = CHANGES


@dataclass(slots=True)
class _Content:
    seen: bytearray = field(default_factory=bytearray)
    kept: bytearray | None = None  # what the platter holds; None: not even its name
    # Since the last sync, in order: (offset, bytes), or (size, None) for a truncation.
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)


class Disk(apsw.VFS):
    """Files by name, in one folder. `unregister` it when done.

    One that `lies` returns from a sync without having kept anything, as some cards do.
    """

    def __init__(self, rng: random.Random, *, lies: bool = False) -> None:
        self.vfs = f"disk-{next(_numbers)}"
        self.operations = 0  # of CHANGES, ever
        self.syncs = 0
        self.written_bytes = 0
        self._random = rng
        self.lies = lies
        self._files: dict[str, _Content] = {}
        self._forgotten: dict[str, _Content] = {}  # deleted, and the directory not synced
        self._fault: Fault | None = None
        self._passed = 0  # operations the fault has seen
        super().__init__(self.vfs, base="")

    def fail(self, fault: Fault | None) -> None:
        """Arrange for operations to fail from now on, or no longer."""
        self._fault, self._passed = fault, 0

    def cut_at(self, operation: int) -> None:
        """Let the power fail at the `operation`-th change from now: it is asked for, and nothing is after."""
        self._fault, self._passed = Fault(operation, None, kinds=(*CHANGES, "read")), 0

    @property
    def has_failed(self) -> bool:
        """Tell whether the fault has been met at least once."""
        return self._fault is not None and self._passed >= self._fault.at

    def left_behind(self, rng: random.Random) -> "Disk":
        """Return the disk as a killed process leaves it to the next: the kernel keeps what was written.

        The dying process may go on writing here; nobody will look.
        """
        disk = Disk(rng, lies=self.lies)
        for name, content in self._files.items():
            kept = None if content.kept is None else bytearray(content.kept)
            disk._files[name] = _Content(bytearray(content.seen), kept, list(content.unsynced))
        disk._forgotten = dict(self._forgotten)
        return disk

    def restart(self) -> None:
        """Cut the power and give it back: forget what was not synced, as chance will have it."""
        for name, content in self._forgotten.items():
            if name not in self._files and self._random.random() < 0.5:
                self._files[name] = content
        self._forgotten = {}
        fate = self._random.choice((_keep_all, _lose_all, _half, _half, _mostly_kept))
        for name, content in list(self._files.items()):
            if content.kept is None and fate(self._random) == 0:
                del self._files[name]
                continue
            kept = bytearray(content.kept or b"")
            self._settle(kept, content.unsynced, fate)
            self._files[name] = _Content(bytearray(kept), kept)
        self._fault = None

    def _settle(
        self,
        kept: bytearray,
        unsynced: list[tuple[int, bytes | None]],
        fate: Callable[[random.Random], float],
    ) -> None:
        pieces: list[tuple[int, bytes | None]] = []
        for offset, data in unsynced:
            pieces += [(offset, None)] if data is None else _by_sector(offset, data)
        self._random.shuffle(pieces)
        for offset, data in pieces:
            share = fate(self._random)
            if data is None:
                if share == 1 and offset < len(kept):
                    del kept[offset:]
                continue
            part = data[: int(len(data) * share)]
            if part:
                _put(kept, offset, part)

    def operate(self, kind: str) -> None:
        """Count an operation; raise if it is to fail."""
        self.operations += kind in CHANGES
        self.syncs += kind == "sync"
        fault = self._fault
        if fault is None:
            return
        # A cut counts changes, and once it has come nothing works any more.
        if kind in fault.kinds and (kind != "read" or self._passed >= fault.at or fault.kinds == ("read",)):
            self._passed += 1
            last = fault.at + fault.times if fault.times is not None else self._passed + 1
            if fault.at <= self._passed < last:
                raise _error(kind, is_full=fault.is_full)

    def put(self, name: str, content: bytes) -> None:
        """Lay a file on the platter."""
        self._files[name] = _Content(bytearray(content), bytearray(content))

    def read(self, name: str) -> bytes:
        """Return what is seen in a file; nothing if there is none."""
        return bytes(self._files[name].seen) if name in self._files else b""

    def size_bytes(self) -> int:
        """Return what all files take."""
        return sum(len(content.seen) for content in self._files.values())

    def sync_directory(self) -> None:
        """Let deletions be final."""
        self._forgotten = {}

    # What follows is called by SQLite.

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> "_File":  # type: ignore[override]  # noqa: N802
        """Open a file, making it if asked to."""
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None:
            content = _Content()
        else:
            if path not in self._files:
                if not flags[0] & apsw.SQLITE_OPEN_CREATE:
                    raise apsw.CantOpenError(f"{path} is not on this disk")
                self.operate("write")
                self._files[path] = _Content()
                # The directory's own journal keeps a new file from meeting the old one of its name.
                self._forgotten.pop(path, None)
            content = self._files[path]
        flags[1] = flags[0]
        return _File(self, content)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        """Delete a file; the name may come back if the directory is not synced."""
        self.operate("delete")
        content = self._files.pop(filename, None)
        if content is None:
            error = apsw.IOError(f"{filename} is not on this disk")
            error.extendedresult = apsw.SQLITE_IOERR_DELETE_NOENT  # type: ignore[attr-defined]
            raise error
        if not syncdir and content.kept is not None:
            self._forgotten[filename] = content

    def xAccess(self, pathname: str, flags: int) -> bool:  # noqa: N802
        """Tell whether the file is there; all of them may be read and written."""
        return pathname in self._files

    def xFullPathname(self, name: str) -> str:  # noqa: N802
        """Return the name: there are no folders."""
        return name

    def xRandomness(self, numbytes: int) -> bytes:  # noqa: N802
        """Return bytes of the seed, so that a run can be had again."""
        return self._random.randbytes(numbytes)


class _File:
    """An open file. Locks are not needed: one connection, in exclusive mode."""

    def __init__(self, disk: Disk, content: _Content) -> None:
        self._disk = disk
        self._content = content

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self._disk.operate("read")
        return bytes(self._content.seen[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        try:
            self._disk.operate("write")
        except apsw.FullError:
            raise
        except apsw.Error:
            # It was asked for: some of it may reach the platter, and a reader may see it.
            self._write(offset, data)
            raise
        self._write(offset, data)

    def _write(self, offset: int, data: bytes) -> None:
        self._disk.written_bytes += len(data)
        _put(self._content.seen, offset, data)
        self._content.unsynced.append((offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._disk.operate("truncate")
        del self._content.seen[newsize:]
        self._content.unsynced.append((newsize, None))

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.operate("sync")
        if self._content.kept is None:
            # As SQLite does on Linux: the first sync of a new file takes the directory along.
            self._disk.sync_directory()
        if self._disk.lies:
            return
        kept = self._content.kept
        if kept is None:
            self._content.kept = bytearray(self._content.seen)
        else:
            # What was written since is all that differs, and is far less than the file.
            for offset, data in self._content.unsynced:
                if data is None:
                    del kept[offset:]
                else:
                    _put(kept, offset, data)
        self._content.unsynced = []

    def xFileSize(self) -> int:  # noqa: N802
        return len(self._content.seen)

    def xLock(self, level: int) -> None:  # noqa: N802
        pass

    def xUnlock(self, level: int) -> None:  # noqa: N802
        pass

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return False

    def xClose(self) -> None:  # noqa: N802
        pass

    def xFileControl(self, op: int, ptr: int) -> bool:  # noqa: N802
        return False

    def xSectorSize(self) -> int:  # noqa: N802
        return 4096  # as SQLite's own files say on Linux

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        # As on Linux: a write changes no byte beside it. Tearing within a sector keeps to that.
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _by_sector(offset: int, data: bytes) -> list[tuple[int, bytes | None]]:
    pieces: list[tuple[int, bytes | None]] = []
    end = offset + len(data)
    at = offset
    while at < end:
        until = min(end, (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
        pieces.append((at, data[at - offset : until - offset]))
        at = until
    return pieces


def _error(kind: str, *, is_full: bool) -> apsw.Error:
    if is_full:
        return apsw.FullError("no room on the disk")
    error = apsw.IOError(f"the disk failed in {kind}")
    error.extendedresult = _IO_ERRORS[kind]  # type: ignore[attr-defined]
    return error


# Shares of a sector that reach the platter.


def _keep_all(rng: random.Random) -> float:
    return 1.0


def _lose_all(rng: random.Random) -> float:
    return 0.0


def _half(rng: random.Random) -> float:
    return rng.choice((0.0, 0.0, 1.0, 1.0, rng.random()))


def _mostly_kept(rng: random.Random) -> float:
    return 1.0 if rng.random() < 0.9 else rng.random() * (rng.random() < 0.5)
