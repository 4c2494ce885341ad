"""Boxes for tests of the cloud: the gateways' port as it really is, and certificates to come to it with.

A test's clock stands in another time than the TLS library's, which knows only the machine's: there the
dates in certificates are left to the tests that are about them.
"""

import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web

from cloud.command_key import public_hex
from cloud.domain.gateway import GatewayIdentity
from cloud.domain.ids import GatewayId, TenantId
from cloud.domain.user import system_user
from cloud.enrolment import sign
from cloud.keys import AUTHORITY, CLOCK, COMMAND_KEY, DATABASE
from cloud.services import enrolments
from provisioning.authority import GatewayName, key_fingerprint, key_pem, new_key
from provisioning.identity import Credential, Pair

NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME
LONG_AGO_MS = 0  # a box whose clock stands here leaves the dates to others


def gateways_tls(app: web.Application) -> ssl.SSLContext:
    """Return how the application serves gateways at 127.0.0.1."""
    now = datetime.datetime.fromtimestamp(app[CLOCK]() / 1000, datetime.UTC)
    context = app[AUTHORITY].tls_context(("127.0.0.1",), now)
    context.verify_flags |= NO_CHECK_TIME
    return context


@asynccontextmanager
async def gateways_port(runner: web.AppRunner) -> AsyncIterator[str]:
    """Serve gateways on a port of their own; yield its address."""
    assert runner.app is not None
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=gateways_tls(runner.app))
    await site.start()
    yield f"https://127.0.0.1:{site.port}"


def enrolled(
    app: web.Application, gateway_id: GatewayId, url: str = "https://127.0.0.1:1", tenant_id: int = 1
) -> Credential:
    """Return what a box has that has taken a slot: by a token offered and used just now."""
    name, key, tenant = GatewayName(tenant_id, gateway_id), new_key(), TenantId(tenant_id)
    database = app[DATABASE]
    offered = database.write_now(tenant, enrolments.offer, system_user(tenant), gateway_id)
    pem = database.write_now(
        tenant,
        enrolments.enrol,
        gateway_id,
        offered.secret,
        key_fingerprint(key.public_key()),
        partial(sign, app, name, key.public_key()),
        "127.0.0.1",
    )
    assert isinstance(pem, str), pem
    pair = Pair(key_pem(key).decode(), pem)
    command_key = public_hex(app[COMMAND_KEY])
    return Credential(url, "gw", name, command_key, app[AUTHORITY].roots_pem, pair)


def box_tls(app: web.Application, gateway: GatewayIdentity) -> ssl.SSLContext:
    """Return what a box of this gateway comes with."""
    return enrolled(app, gateway.gateway_id, tenant_id=gateway.tenant_id).tls_context(LONG_AGO_MS)
