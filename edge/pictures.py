"""Pictures on their way to the cloud: on disk until it has them, and what somebody is looking at right now.

The invariants: a picture taken for an alarm, or asked for, is on the disk before it is called taken, and
leaves it only when the cloud has named its digest; the shelf never grows past its bounds, the oldest makes
room. What is shown live is nowhere but in memory, one picture a camera, the newest.
"""

import asyncio
import logging
import re
from pathlib import Path

from edge.configurations import write_durably
from edge.errors import StorageFault
from protocol.errors import EnvelopeError
from protocol.picture import Picture, PictureCause, decode_picture, encode_picture

log = logging.getLogger(__name__)

FOLDER = "pictures"
# A week without the cloud with an alarm every hour; 64 MiB is what a card of 8 GB can spare.
PICTURES_MAX, SHELF_BYTES_MAX = 200, 64 * 1024 * 1024
_SUFFIX = ".picture"
_ID = re.compile(r"[0-9a-f-]{36}")


class PictureShelf:
    """A folder of pictures, oldest first by name."""

    def __init__(self, folder: Path) -> None:
        self.grown = asyncio.Event()
        self.dropped = 0
        self._folder = folder
        self._live: dict[str, Picture] = {}
        if folder.is_dir() and any(folder.glob(f"*{_SUFFIX}")):
            self.grown.set()

    async def put(self, picture: Picture) -> None:
        """Keep a picture until the cloud has it; StorageFault where the disk does not take it."""
        if picture.cause is PictureCause.LIVE:
            self._live[picture.device_id] = picture
        else:
            await asyncio.to_thread(self._write, picture)
        self.grown.set()

    def take_live(self) -> Picture | None:
        """Return what somebody is waiting to see, and forget it."""
        return self._live.pop(next(iter(self._live))) if self._live else None

    async def oldest(self) -> tuple[Path, Picture] | None:
        """Return the next picture to send, None where there is none."""
        return await asyncio.to_thread(self._read)

    async def drop(self, path: Path) -> None:
        """Let go of a picture."""
        await asyncio.to_thread(path.unlink, missing_ok=True)

    def _write(self, picture: Picture) -> None:
        if not _ID.fullmatch(picture.picture_id):
            raise StorageFault(f"picture {picture.picture_id[:40]!r}: its id is no UUID")
        content = encode_picture(picture)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._make_room(len(content))
            name = f"{picture.taken_at_ms:015d}-{picture.picture_id}{_SUFFIX}"
            write_durably(self._folder / name, content)
        except OSError as error:
            raise StorageFault(f"{self._folder}: {error}") from error

    def _make_room(self, length: int) -> None:
        kept = [(path, path.stat().st_size) for path in self._paths()]
        used = sum(size for _, size in kept)
        while kept and (len(kept) >= PICTURES_MAX or used + length > SHELF_BYTES_MAX):
            path, size = kept.pop(0)
            path.unlink(missing_ok=True)
            used -= size
            self.dropped += 1
            log.warning("a picture makes room for a newer one", extra={"picture": path.stem})

    def _read(self) -> tuple[Path, Picture] | None:
        for path in self._paths():
            try:
                return path, decode_picture(path.read_bytes())
            except (OSError, EnvelopeError) as error:
                log.warning(
                    "a picture on disk is damaged", extra={"picture": path.stem, "reason": str(error)}
                )
                path.unlink(missing_ok=True)
        return None

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{_SUFFIX}")) if self._folder.is_dir() else []
