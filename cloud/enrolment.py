"""The door for boxes that want to be gateways: EST (RFC 7030), a token first, then the certificate itself.

The invariant: what a box asks for is a certificate for its key and nothing else; an attempt is counted
before the token is looked at; and only the gateways' port has this door, whose root the token names.
"""

import base64
import binascii
import datetime
import re
from collections.abc import Mapping
from functools import partial

import msgspec
from aiohttp import hdrs, web
from cryptography.hazmat.primitives.asymmetric import ec

from cloud.command_key import public_hex
from cloud.domain.errors import Unauthenticated
from cloud.domain.ids import GatewayId, TenantId, tenant_numbered
from cloud.domain.rate_limit import ENROL_PER_ADDRESS, RENEW_PER_GATEWAY
from cloud.ingest import Malformed, WrongType, body_of, gateway_of, render_error
from cloud.keys import AUTHORITY, CLOCK, COMMAND_KEY, DATABASE
from cloud.services import enrolments, premises, rate_limits
from cloud.services.enrolments import Certified, Refusal
from cloud.web.door import Door
from cloud.web.identity import address_of
from cloud.web.peer import says
from provisioning.authority import (
    AuthorityError,
    GatewayName,
    certificate_pem,
    certificates_from_pem,
    key_fingerprint,
    request_from_der,
)
from provisioning.est import (
    BODY_BYTES_MAX,
    CACERTS_PATH,
    CERTIFICATES_TYPE,
    ENROL_PATH,
    REENROL_PATH,
    REQUEST_TYPE,
    STANDING_PATH,
    Standing,
    decode_request,
    encode_certificates,
)

_USER = re.compile(r"([1-9][0-9]{0,9})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_NOT_VALID = "this enrolment token is not valid (any more): ask a manager for a new one"
_CERTS_ONLY: Mapping[str, str] = {
    hdrs.CONTENT_TYPE: f"{CERTIFICATES_TYPE}; smime-type=certs-only",
    "Content-Transfer-Encoding": "base64",
}


def mount(app: web.Application) -> None:
    """Add the addresses of enrolment."""
    app.router.add_get(CACERTS_PATH, _cacerts)
    app.router.add_post(ENROL_PATH, _enrol)
    app.router.add_post(REENROL_PATH, _renew)
    app.router.add_get(STANDING_PATH, _standing)


ENROLMENT = Door("enrolment", ("/.well-known/est/", STANDING_PATH), mount, render_error, for_gateways=True)


async def _cacerts(request: web.Request) -> web.Response:
    """Tell the roots gateways and cloud are certified by; a box compares them with its token."""
    return _certificates(request.app[AUTHORITY].roots_pem)


async def _enrol(request: web.Request) -> web.Response:
    """Give the first certificate to whoever holds a slot's token."""
    address = address_of(request)
    name, secret = _claimed(request)
    buckets = [(ENROL_PER_ADDRESS, address)]
    tenant_id = TenantId(name.tenant_id)
    await request.app[DATABASE].write(tenant_id, rate_limits.take_attempt, buckets)
    public_key = await _requested_key(request)
    given = await request.app[DATABASE].write(
        tenant_id,
        enrolments.enrol,
        GatewayId(name.gateway_id),
        secret,
        key_fingerprint(public_key),
        partial(sign, request.app, name, public_key),
        address,
    )
    is_refused = isinstance(given, Refusal)
    await request.app[DATABASE].write(
        tenant_id, rate_limits.report_attempt, buckets, was_right=not is_refused
    )
    if isinstance(given, Refusal):
        raise Unauthenticated(_NOT_VALID)
    return _certificates(given)


async def _renew(request: web.Request) -> web.Response:
    """Give the next certificate to a gateway that shows the present one."""
    gateway = await gateway_of(request)
    name = GatewayName(gateway.tenant_id, gateway.gateway_id)
    public_key = await _requested_key(request)
    buckets = [(RENEW_PER_GATEWAY, gateway.gateway_id)]
    await request.app[DATABASE].write(gateway.tenant_id, rate_limits.take_attempt, buckets)
    given = await request.app[DATABASE].write(
        gateway.tenant_id,
        enrolments.renew,
        gateway,
        key_fingerprint(public_key),
        partial(sign, request.app, name, public_key),
    )
    return _certificates(given)


async def _standing(request: web.Request) -> web.Response:
    """Tell a gateway who it is here, and what its commands are signed with."""
    gateway = await gateway_of(request)
    site = await request.app[DATABASE].read(gateway.tenant_id, premises.site_of, gateway.site_id)
    standing = Standing(
        gateway.code, site.code, site.name, public_hex(request.app[COMMAND_KEY]), request.app[CLOCK]()
    )
    return web.Response(body=msgspec.json.encode(standing), content_type="application/json")


def _claimed(request: web.Request) -> tuple[GatewayName, str]:
    scheme, _, packed = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    try:
        user, _, secret = base64.b64decode(packed, validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        user = secret = ""
    match = _USER.fullmatch(user)
    if scheme != "Basic" or match is None or tenant_numbered(int(match[1])) is None:
        raise Unauthenticated("no enrolment token: expected HTTP Basic with <tenant id>.<gateway id>")
    return GatewayName(int(match[1]), match[2]), secret


async def _requested_key(request: web.Request) -> ec.EllipticCurvePublicKey:
    if request.content_type != REQUEST_TYPE:
        raise WrongType(f"a certificate request has Content-Type {REQUEST_TYPE}, not {request.content_type}")
    try:
        _, public_key = request_from_der(decode_request(await body_of(request, BODY_BYTES_MAX)))
    except AuthorityError as error:
        raise Malformed(str(error)) from error
    return public_key


def sign(
    app: web.Application, name: GatewayName, public_key: ec.EllipticCurvePublicKey, begins_ms: int
) -> Certified:
    """Sign a gateway's certificate that begins at an instant."""
    authority = app[AUTHORITY]
    now = datetime.datetime.fromtimestamp(app[CLOCK]() // 1000, datetime.UTC)
    begins = datetime.datetime.fromtimestamp(begins_ms // 1000, datetime.UTC)
    certificate = authority.certify(name, public_key, now, begins)
    return Certified(says(certificate), certificate_pem(certificate, *authority.issuer.chain).decode())


def _certificates(pem: str) -> web.Response:
    body = encode_certificates(list(certificates_from_pem(pem.encode())))
    return web.Response(body=body, headers=_CERTS_ONLY)
