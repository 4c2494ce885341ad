"""The gateways' door for pictures: one at a time, checked, written anew, acknowledged by its digest.

The invariant: an acknowledgement leaves only after the picture is committed, or after it is known that it
never will be; a box lets go of it on either. At most a few are decoded at a time.
"""

import asyncio

from aiohttp import web

from cloud.domain.errors import Invalid
from cloud.ingest import Malformed, WrongType, body_of, gateway_of, render_error
from cloud.keys import DATABASE
from cloud.services import cameras, photos
from cloud.web.door import Door
from protocol.errors import EnvelopeError
from protocol.picture import (
    PICTURE_BODY_BYTES_MAX,
    PICTURE_CONTENT_TYPE,
    PICTURES_PATH,
    PictureAck,
    decode_picture,
    encode_picture_ack,
)

# A picture decoded is 25 MB for a moment.
DECODED_MAX = 4

_TURNS: web.AppKey[asyncio.Semaphore] = web.AppKey("picture_turns", asyncio.Semaphore)


def mount(app: web.Application) -> None:
    """Add the address."""
    app[_TURNS] = asyncio.Semaphore(DECODED_MAX)
    app.router.add_post(PICTURES_PATH, _take)


PICTURES = Door("pictures", (PICTURES_PATH,), mount, render_error, for_gateways=True)


async def _take(request: web.Request) -> web.Response:
    """Take in one picture."""
    gateway = await gateway_of(request)
    if request.content_type != PICTURE_CONTENT_TYPE:
        raise WrongType(f"a picture has Content-Type {PICTURE_CONTENT_TYPE}, not {request.content_type}")
    body = await body_of(request, PICTURE_BODY_BYTES_MAX)
    try:
        sent = decode_picture(body)
    except EnvelopeError as error:
        raise Malformed(str(error)) from error
    try:
        async with request.app[_TURNS]:
            cleaned = await asyncio.to_thread(photos.clean, sent.content)
    except Invalid as error:
        problem = str(error)
    else:
        problem = await request.app[DATABASE].write(gateway.tenant_id, cameras.accept, gateway, sent, cleaned)
    ack = PictureAck(sent.picture_id, sent.digest, problem)
    return web.Response(body=encode_picture_ack(ack), content_type="application/json")
