"""Who is asking: from a cookie or a bearer token to an actor, once a request.

A session's secret reads `<tenant>.<43 characters>`: 256 random bits, of which the store keeps only the
SHA-256. A browser holds it in a cookie no script can read; a program sends the same secret as
`Authorization: Bearer`. The invariant: an unsafe request by cookie has passed `require_same_origin`
before its actor is known to anybody, and no password is compared before its attempt was counted.
"""

import ipaddress

from aiohttp import hdrs, web

from cloud.config import DEFAULT_TENANT
from cloud.domain.access import Action, may, require
from cloud.domain.errors import Unauthenticated
from cloud.domain.ids import TenantId
from cloud.domain.rate_limit import SIGN_IN_PER_ADDRESS, SIGN_IN_PER_LOGIN, SIGN_IN_PER_PAIR
from cloud.domain.user import User
from cloud.keys import ACTOR, CONFIG, DATABASE, PASSWORDS, SESSION_LIMITS
from cloud.services import audit, authentication, rate_limits, users
from cloud.services.users import Awaited, SignedIn
from cloud.web.headers import is_secure
from cloud.web.origin import require_same_origin

_BEARER = "Bearer "
_SECRET_LENGTH_MAX = 80
_BETWEEN = "~"  # half sessions in one cookie; in no secret


async def actor_of(request: web.Request) -> User | None:
    """Return who is asking, or None; Forbidden if another site's page makes the browser ask."""
    if ACTOR not in request:
        _, is_cookie = credential_of(request)
        require_same_origin(request, has_cookie=is_cookie)
        request[ACTOR] = await actor_anew(request)
    return request[ACTOR]


async def require_actor(request: web.Request) -> User:
    """Return who is asking; Unauthenticated if nobody we know."""
    actor = await actor_of(request)
    if actor is None:
        raise Unauthenticated("nobody is signed in with this request")
    return actor


async def require_permission(request: web.Request, action: Action) -> User:
    """Return who is asking if the policy allows them the action; Forbidden, and noted, if not."""
    actor = await require_actor(request)
    if not may(actor, action):
        resource = request.match_info.route.resource
        route = f"{request.method} {'' if resource is None else resource.canonical}"
        await request.app[DATABASE].write(actor.tenant_id, audit.record_denial, actor, action, route)
    require(actor, action)
    return actor


async def actor_anew(request: web.Request) -> User | None:
    """Return who is asking as of now: a stream outlives the moment it was opened in."""
    token, _ = credential_of(request)
    return await users.actor_of_session(request.app[DATABASE], request.app[SESSION_LIMITS], token)


async def sign_in(request: web.Request, login: str, password: str, company: str = "") -> tuple[SignedIn, ...]:
    """Begin a session, or half of one; of several companies where the password is right, half of each.

    Unauthenticated if login or password are wrong, TooMany for who tries too often.
    """
    app = request.app
    require_same_origin(request, has_cookie=cookie_name(request) in request.cookies)
    address = address_of(request)
    buckets = (
        (SIGN_IN_PER_ADDRESS, address),
        (SIGN_IN_PER_LOGIN, login),
        (SIGN_IN_PER_PAIR, f"{login} {address}"),
    )
    companies: list[TenantId] = [DEFAULT_TENANT]

    async def attempt() -> tuple[SignedIn, ...]:
        companies[:] = await authentication.companies_of(app[DATABASE], DEFAULT_TENANT, login, company)
        client = request.headers.get(hdrs.USER_AGENT, "")
        return await authentication.sign_in(
            app[DATABASE],
            app[PASSWORDS],
            app[SESSION_LIMITS],
            companies,
            login,
            password,
            client,
            address,
        )

    try:
        begun = await rate_limits.guess(app[DATABASE], DEFAULT_TENANT, buckets, attempt, Unauthenticated)
    except Unauthenticated:
        for tenant_id in companies:
            await app[DATABASE].write(tenant_id, audit.record_failed_sign_in, login, address)
        raise
    if len(begun) == 1 and begun[0].awaited is Awaited.NOTHING:
        request[ACTOR] = begun[0].user
    return begun


async def give_code(request: web.Request, token: str, code: str) -> SignedIn:
    """Make half a session whole; Unauthenticated if the code is wrong, or the password was too long ago."""
    tenant_id = users.tenant_of_token(token)
    if tenant_id is None:
        raise Unauthenticated("nobody is signing in with this request")
    app = request.app
    signed_in = await authentication.give_code(app[DATABASE], app[SESSION_LIMITS], tenant_id, token, code)
    request[ACTOR] = signed_in.user
    return signed_in


async def reauthenticate(request: web.Request, *, password: str = "", code: str = "") -> None:
    """Note that who asks has just shown again who they are; Unauthenticated if they have not."""
    actor = await require_actor(request)
    token, _ = credential_of(request)
    app = request.app
    await authentication.reauthenticate(
        app[DATABASE], app[PASSWORDS], actor, token, password=password, code=code
    )


async def sign_out(request: web.Request) -> None:
    """End the session the request carries, if it carries one."""
    token, is_cookie = credential_of(request)
    require_same_origin(request, has_cookie=is_cookie)
    tenant_id = users.tenant_of_token(token)
    if tenant_id is not None:
        await request.app[DATABASE].write(tenant_id, users.sign_out, token)


def credential_of(request: web.Request) -> tuple[str, bool]:
    """Return the session's secret the request carries ("" for none), and whether a cookie carries it.

    A bearer token wins: a program that sends one means it, whatever cookies its library keeps.
    """
    authorization = request.headers.get(hdrs.AUTHORIZATION, "")
    if authorization.startswith(_BEARER):
        return authorization.removeprefix(_BEARER).strip()[:_SECRET_LENGTH_MAX], False
    secret = request.cookies.get(cookie_name(request), "")[:_SECRET_LENGTH_MAX]
    return secret, bool(secret)


def address_of(request: web.Request) -> str:
    """Return where the request comes from: the peer, or whom a proxy of ours says it speaks for.

    An IPv6 caller owns at least a /64, so that is what counts as one address.
    """
    peer = request.remote or ""
    forwarded = request.headers.get("X-Forwarded-For", "")
    if forwarded and peer in request.app[CONFIG].http.trusted_proxies:
        # The last entry is the one our proxy added; those before it are the caller's own words.
        peer = forwarded.rpartition(",")[2].strip()
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer[:64]
    if address.version == 6:
        return str(ipaddress.ip_network(f"{address}/64", strict=False))
    return str(address)


def cookie_name(request: web.Request) -> str:
    """Return the session cookie's name; over TLS the prefix binds it to this very host and path."""
    return "__Host-gatehouse" if is_secure(request) else "gatehouse"


def half_of(request: web.Request) -> str:
    """Return the secret of the half session the browser holds, or nothing."""
    return next(iter(halves_of(request)), "")


def halves_of(request: web.Request) -> list[str]:
    """Return the secrets of all half sessions the browser holds: one is to be chosen."""
    held = request.cookies.get(_half_cookie_name(request), "")
    return [secret[:_SECRET_LENGTH_MAX] for secret in held.split(_BETWEEN)[: authentication.COMPANIES_MAX]]


def set_half_cookie(request: web.Request, response: web.StreamResponse, *tokens: str) -> None:
    """Hand half a session to the browser, or several, apart from a whole one; they open nothing."""
    response.set_cookie(
        _half_cookie_name(request),
        _BETWEEN.join(tokens),
        path="/",
        max_age=users.HALF_LASTS_MS // 1000,
        httponly=True,
        samesite="Lax",
        secure=is_secure(request),
    )


def clear_half_cookie(request: web.Request, response: web.StreamResponse) -> None:
    """Take half a session from the browser."""
    name = _half_cookie_name(request)
    response.del_cookie(name, path="/", httponly=True, samesite="Lax", secure=is_secure(request))


def _half_cookie_name(request: web.Request) -> str:
    return f"{cookie_name(request)}_half"


def set_session_cookie(request: web.Request, response: web.StreamResponse, token: str) -> None:
    """Hand the session to the browser; it lasts until the browser closes or the session ends."""
    response.set_cookie(
        cookie_name(request), token, path="/", httponly=True, samesite="Lax", secure=is_secure(request)
    )


def clear_session_cookie(request: web.Request, response: web.StreamResponse) -> None:
    """Take the session from the browser, and what it had stored of us."""
    response.del_cookie(
        cookie_name(request), path="/", httponly=True, samesite="Lax", secure=is_secure(request)
    )
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
