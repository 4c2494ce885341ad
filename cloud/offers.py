"""The door for configurations and grants: a gateway asks for its own, and tells what came of it.

The invariant: a bundle is signed here, for the gateway whose credential asks for it, from what a person
has sent; nothing that one gateway says changes what another is told.
"""

from typing import TypeVar

import msgspec
from aiohttp import web

from cloud.ingest import Malformed, body_of, gateway_of, render_error
from cloud.keys import COMMAND_KEY, DATABASE
from cloud.services import configurations, granting
from cloud.web.door import Door
from protocol.access import GRANTS_PATH, GrantQuestion
from protocol.configuration import (
    BUNDLE_PATH,
    CONFIGURATION_BYTES_MAX,
    REPORT_PATH,
    RUNNING_PATH,
    BundleQuestion,
    Heard,
    Report,
    Running,
)
from provisioning.bundle import sealed
from provisioning.grants import sealed_grants

# A question or a report with all its reasons.
_SMALL_BYTES_MAX = 256 * 1024

_T = TypeVar("_T")


def mount(app: web.Application) -> None:
    """Add the addresses."""
    app.router.add_post(BUNDLE_PATH, _bundle)
    app.router.add_post(REPORT_PATH, _report)
    app.router.add_post(RUNNING_PATH, _running)
    app.router.add_post(GRANTS_PATH, _grants)


OFFERS = Door(
    "offers", (BUNDLE_PATH, REPORT_PATH, RUNNING_PATH, GRANTS_PATH), mount, render_error, for_gateways=True
)


async def _bundle(request: web.Request) -> web.Response:
    """Answer the signed bundle that waits; nothing where none does."""
    gateway = await gateway_of(request)
    asked = await _said(request, BundleQuestion, _SMALL_BYTES_MAX)
    found = await request.app[DATABASE].read(gateway.tenant_id, configurations.offered, gateway, asked.above)
    body = b"" if found is None else sealed(found, request.app[COMMAND_KEY])
    return web.Response(body=body, content_type="application/octet-stream")


async def _grants(request: web.Request) -> web.Response:
    """Answer the signed grants that are newer than the gateway's; nothing where there are none."""
    gateway = await gateway_of(request)
    has = await _said(request, GrantQuestion, _SMALL_BYTES_MAX)
    found = await request.app[DATABASE].read(gateway.tenant_id, granting.offered, gateway, has)
    body = b"" if found is None else sealed_grants(found, request.app[COMMAND_KEY])
    return web.Response(body=body, content_type="application/octet-stream")


async def _report(request: web.Request) -> web.Response:
    """Take down what became of a configuration."""
    gateway = await gateway_of(request)
    told = await _said(request, Report, _SMALL_BYTES_MAX)
    await request.app[DATABASE].write(gateway.tenant_id, configurations.take_report, gateway, told)
    return _heard()


async def _running(request: web.Request) -> web.Response:
    """Take down what runs there."""
    gateway = await gateway_of(request)
    told = await _said(request, Running, CONFIGURATION_BYTES_MAX)
    await request.app[DATABASE].write(gateway.tenant_id, configurations.take_running, gateway, told)
    return _heard()


async def _said(request: web.Request, shape: type[_T], bytes_max: int) -> _T:
    body = await body_of(request, bytes_max)
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"{shape.__name__}: {error}") from error


def _heard() -> web.Response:
    return web.Response(body=msgspec.json.encode(Heard()), content_type="application/json")
