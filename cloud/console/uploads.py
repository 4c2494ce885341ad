"""Forms that carry pictures: read piece by piece, within limits, and turned into photos we keep.

The invariant: no more is held in memory than the limits say, and what is no photo is refused before
anything is changed.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import BodyPartReader, web

from cloud.domain.errors import Invalid
from cloud.domain.photo import PHOTO_BYTES_MAX, CleanPhoto
from cloud.services import photos

PHOTOS_AT_ONCE_MAX = 6
_TEXT_BYTES_MAX = 16 * 1024  # above every text a form of ours takes
_FIELDS_MAX = 40
# A dozen megabytes over a phone's slow line.
_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What a form sent: its fields, and its photos made harmless."""

    values: Mapping[str, str]
    photos: tuple[CleanPhoto, ...] = ()


async def read_form(request: web.Request, fields_max: int = _FIELDS_MAX) -> Sent:
    """Return a form's fields and photos; Invalid for what is no photo, or too many."""
    if request.content_type != "multipart/form-data":
        form = await request.post()
        return Sent({name: str(value) for name, value in form.items()})
    values: dict[str, str] = {}
    kept: list[CleanPhoto] = []
    async with asyncio.timeout(_TIMEOUT_S):
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or not part.name or len(values) >= fields_max:
                raise web.HTTPBadRequest
            if part.filename is None:
                raw = await _read(part, _TEXT_BYTES_MAX)
                values[part.name] = raw.decode(errors="replace")
                continue
            raw = await _read(part, PHOTO_BYTES_MAX)
            if not raw:  # a file field nobody chose a file for
                continue
            if len(kept) >= PHOTOS_AT_ONCE_MAX:
                raise Invalid(f"at most {PHOTOS_AT_ONCE_MAX} photos can be sent at once")
            kept.append(await asyncio.to_thread(photos.clean, raw))
    return Sent(values, tuple(kept))


async def read_form_with_file(request: web.Request, bytes_max: int) -> tuple[Mapping[str, str], bytes]:
    """Return a form's fields, and the one file it carries as it came; empty where there is none."""
    if request.content_type != "multipart/form-data":
        form = await request.post()
        return {name: str(value) for name, value in form.items()}, b""
    values: dict[str, str] = {}
    content = b""
    async with asyncio.timeout(_TIMEOUT_S):
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or not part.name or len(values) >= _FIELDS_MAX:
                raise web.HTTPBadRequest
            if part.filename is not None:
                content = await _read(part, bytes_max) or content
            else:
                values[part.name] = (await _read(part, _TEXT_BYTES_MAX)).decode(errors="replace")
    return values, content


async def _read(part: BodyPartReader, bytes_max: int) -> bytes:
    read = bytearray()
    while chunk := await part.read_chunk():
        read += chunk
        if len(read) > bytes_max:
            raise Invalid(f"one of the files is larger than {bytes_max // (1024 * 1024)} MB")
    return bytes(read)
