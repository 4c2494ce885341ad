"""Offering a gateway's place to a box, and taking it back.

The invariant: a token's secret is on one page once; it is in no address, no log and no history, and the
page says until when it holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import segno
from aiohttp import web
from markupsafe import Markup

from cloud.console.desk import Desk
from cloud.console.gateways import find_gateway
from cloud.domain.errors import Conflict, Invalid
from cloud.services import enrolments, gateways
from cloud.services.enrolments import Offered
from cloud.web.enrolment_token import enrolment_token

_FIELDS = ("code", "name")


@dataclass(frozen=True, slots=True)
class NewGatewayView:
    """The form: what was typed, and what is wrong with it, by field."""

    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token, the one time it is shown."""

    code: str
    token: str
    picture: Markup
    fingerprint: str
    expires_at_ms: int


async def show(desk: Desk) -> web.StreamResponse:
    """Show the form for a new gateway."""
    return await desk.page("gateways/new.html", view=NewGatewayView())


async def create(desk: Desk) -> web.StreamResponse:
    """Make a slot and show its token, or the form again with what does not fit."""
    form = await desk.request.post()
    typed = {name: str(form.get(name, "")).strip()[:200] for name in _FIELDS}
    try:
        offered = await desk.write(enrolments.create, desk.site.site_id, typed["code"], typed["name"])
    except (Conflict, Invalid) as error:
        view = NewGatewayView(typed, {"code": str(error)})
        return await desk.page("gateways/new.html", status=422, view=view)
    return await _shown_once(desk, typed["code"], offered)


async def offer(desk: Desk) -> web.StreamResponse:
    """Make a token for a slot there is, and show it."""
    gateway = await desk.read(find_gateway, desk.site.site_id, desk.request.match_info["code"])
    return await _shown_once(desk, gateway.code, await desk.write(enrolments.offer, gateway.gateway_id))


async def revoke(desk: Desk) -> web.StreamResponse:
    """Let nobody speak for a slot any more."""
    gateway = await desk.read(find_gateway, desk.site.site_id, desk.request.match_info["code"])
    await desk.write(gateways.revoke, gateway.gateway_id)
    return desk.go(f"/gateways/{gateway.code}", "gateway-revoked", code=gateway.code)


async def trust(desk: Desk) -> web.StreamResponse:
    """Note that one box speaks for a slot after all."""
    gateway = await desk.read(find_gateway, desk.site.site_id, desk.request.match_info["code"])
    await desk.write(gateways.trust_again, gateway.gateway_id)
    return desk.go(f"/gateways/{gateway.code}", "gateway-trusted", code=gateway.code)


async def _shown_once(desk: Desk, code: str, offered: Offered) -> web.StreamResponse:
    token = enrolment_token(desk.request.app, offered, desk.actor.tenant_id)
    # Dark on white in either theme: cameras want it so. Sized by the page's own style sheet.
    drawn = segno.make(str(token), error="m").svg_inline(omitsize=True, dark="#000", light="#fff", border=4)
    view = TokenView(code, str(token), Markup(drawn), token.fingerprint, offered.expires_at_ms)  # noqa: S704
    return await desk.page("gateways/token.html", view=view)
