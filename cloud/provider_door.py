"""The door for payment providers: their callbacks.

The invariant: nobody is asked who they are, because the provider's signature says it; what is not
signed, not fresh, or about another amount changes nothing. A callback that was taken is answered as taken
every time, so that a storm of repetitions ends.
"""

import asyncio
import logging

from aiohttp import web

from cloud.config import DEFAULT_TENANT
from cloud.domain.errors import GatehouseError, NotFound
from cloud.domain.payment import Method
from cloud.keys import CLOCK, DATABASE, PROVIDERS
from cloud.providers import CALLBACK_PATH
from cloud.providers.provider import Provider, ProviderFault
from cloud.services import payment_orders
from cloud.web.door import Door

log = logging.getLogger(__name__)

# Both providers' callbacks are a few kilobytes.
BODY_BYTES_MAX = 64 * 1024


def mount(app: web.Application) -> None:
    """Add the address providers call."""
    app.router.add_post(CALLBACK_PATH, _callback)


async def render_error(_request: web.Request, error: Exception) -> web.StreamResponse:
    """Return an answer that tells a stranger nothing, and makes a provider come again."""
    status = error.status if isinstance(error, web.HTTPException) else 400
    return web.Response(status=404 if isinstance(error, NotFound) else status, text="failure")


PROVIDER_DOOR = Door("providers", ("/provider/",), mount, render_error)


async def _callback(request: web.Request) -> web.Response:
    provider = _provider(request)
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise web.HTTPRequestEntityTooLarge(BODY_BYTES_MAX, request.content_length or 0)
    body = await request.content.read(BODY_BYTES_MAX + 1)
    while chunk := await request.content.read(BODY_BYTES_MAX + 1):
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise web.HTTPRequestEntityTooLarge(BODY_BYTES_MAX, len(body))
    fault: str | None = None
    try:
        paid = await asyncio.to_thread(provider.read_callback, request.headers, body, request.app[CLOCK]())
        if paid is not None:
            database = request.app[DATABASE]
            tenant_id = await payment_orders.company_of(database, DEFAULT_TENANT, paid.number)
            await database.write(tenant_id, payment_orders.settle, provider.method, paid)
    except ProviderFault as error:
        fault = "not genuine or not fresh"
        log.warning(
            "a callback was not believed", extra={"method": provider.method.value, "error": str(error)}
        )
    except GatehouseError as error:
        fault = "not booked"
        log.error(  # noqa: TRY400 - the message says all there is; money waits for a person
            "a payment a provider tells of was not booked",
            extra={"method": provider.method.value, "error": str(error)},
        )
    answer = provider.answer(fault)
    return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)


def _provider(request: web.Request) -> Provider:
    try:
        return request.app[PROVIDERS][Method(request.match_info["method"])]
    except (KeyError, ValueError) as error:
        raise NotFound("no such provider is configured") from error
