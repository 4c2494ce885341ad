"""Visitors: a resident's codes to send on, and the gate's page that lets in by them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from aiohttp import web
from markupsafe import Markup

from cloud.console.codes import picture_of_code
from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.typed import day_of, instant_of, whole_of
from cloud.domain.barring import Barring
from cloud.domain.errors import Conflict, Invalid, NotFound, TooMany
from cloud.domain.ids import BarringId, SiteId, VisitId, is_uuid
from cloud.domain.people import Account
from cloud.domain.periods import midnight_ms
from cloud.domain.user import User
from cloud.domain.visit import Visit, VisitState
from cloud.keys import DATABASE
from cloud.services import barrings, premises, visits
from cloud.store.db import Tx

_TAB = "/home/more"
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class VisitRow:
    """One visit; the picture of its code for who may see that."""

    visit: Visit
    state: VisitState
    picture: Markup
    barred_because: str = ""


@dataclass(frozen=True, slots=True)
class OwnVisitsView:
    """A resident's visits and the form for one more."""

    accounts: tuple[Account, ...]
    rows: tuple[VisitRow, ...]
    typed: Mapping[str, str]
    error: str = ""


@dataclass(frozen=True, slots=True)
class GateView:
    """Who is expected today, and who came."""

    rows: tuple[VisitRow, ...]
    expected: int
    barrings: tuple[Barring, ...]
    typed: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


async def show_own(desk: Desk) -> web.StreamResponse:
    """Show a resident's visits."""
    view = await desk.read(_own, desk.format, {}, "")
    return await desk.page("home/visitors.html", tab=_TAB, view=view)


async def invite(desk: Desk) -> web.StreamResponse:
    """Expect somebody, or show the form again with what does not fit."""
    form = {name: str(value).strip()[:100] for name, value in (await desk.request.post()).items()}
    try:
        added = await desk.write(_invite, form, desk.format)
    except (Conflict, Invalid) as error:
        view = await desk.read(_own, desk.format, form, str(error))
        return await desk.page("home/visitors.html", status=422, tab=_TAB, view=view)
    return desk.go("/home/visitors", "visitor-invited", name=added.name)


async def take_back(desk: Desk) -> web.StreamResponse:
    """Take a visit back."""
    text = desk.request.match_info["visit"]
    if not is_uuid(text):
        raise NotFound(f"there is no visit {text!r}")
    await desk.write(visits.take_back, VisitId(text))
    return desk.go("/home/visitors", "visitor-taken-back")


async def show_gate(desk: Desk) -> web.StreamResponse:
    """Show who is expected today."""
    return await desk.page("visitors.html", view=await _gate(desk))


async def admit(desk: Desk) -> web.StreamResponse:
    """Let in who has this code, once."""
    form = await desk.request.post()
    try:
        admitted = await visits.admit_by_code(
            desk.request.app[DATABASE], desk.actor, desk.site.site_id, str(form.get("code", ""))
        )
    except (Conflict, NotFound, TooMany) as error:
        return await desk.page("visitors.html", status=422, view=await _gate(desk, str(error)))
    return desk.go("/visitors", "visitor-admitted", name=admitted.name, place=admitted.space_code)


async def bar(desk: Desk) -> web.StreamResponse:
    """Let somebody in no more, or again."""
    form = {name: str(value).strip()[:500] for name, value in (await desk.request.post()).items()}
    try:
        if form.get("act") == "lift":
            await desk.write(barrings.lift, BarringId(_barring_id(form.get("barring", ""))))
        else:
            await desk.write(_bar, desk.site.site_id, form, desk.format)
    except (Conflict, Invalid) as error:
        return await desk.page("visitors.html", status=422, view=await _gate(desk, str(error), form))
    return desk.go("/visitors", "barring-changed")


async def _gate(desk: Desk, error: str = "", typed: Mapping[str, str] | None = None) -> GateView:
    found, fits = await desk.read(visits.gate_today, desk.site.site_id)
    now_ms = desk.format.now_ms
    rows = tuple(
        VisitRow(
            one,
            one.state_at(now_ms),
            Markup(),
            fits[one.visit_id].reason if one.visit_id in fits else "",
        )
        for one in found
    )
    expected = sum(row.state is VisitState.EXPECTED for row in rows)
    barred = await desk.read(barrings.list_barrings, desk.site.site_id)
    return GateView(rows, expected, tuple(barred), typed or {}, error)


def _bar(tx: Tx, actor: User, site_id: SiteId, form: Mapping[str, str], fmt: Format) -> Barring:
    until_ms: int | None = None
    if form.get("until"):
        until_ms = midnight_ms(day_of(form["until"], fmt) + timedelta(days=1), fmt.zone)
    name, plate, reason = (form.get(word, "") for word in ("name", "plate", "reason"))
    return barrings.bar(tx, actor, site_id, name, plate, reason, until_ms)


def _barring_id(text: str) -> str:
    if not is_uuid(text):
        raise NotFound(f"there is no barring {text!r}")
    return text


def _own(tx: Tx, actor: User, fmt: Format, typed: Mapping[str, str], error: str) -> OwnVisitsView:
    rows = tuple(
        VisitRow(one, one.state_at(fmt.now_ms), _picture(one, fmt.now_ms))
        for one in visits.own_visits(tx, actor)
    )
    filled = {"on": fmt.today.isoformat(), "from": "09:00", "hours": "4", **typed}
    return OwnVisitsView(tuple(premises.own_accounts(tx, actor)), rows, filled, error)


def _invite(tx: Tx, actor: User, form: Mapping[str, str], fmt: Format) -> Visit:
    accounts = premises.own_accounts(tx, actor)
    wanted = form.get("account", "")
    account = next((one for one in accounts if one.number == wanted), None)
    if account is None:
        raise Invalid(fmt.language.gettext("Choose which home it is about."))
    from_ms = instant_of(f"{form.get('on', '')}T{form.get('from', '')}", fmt)
    until_ms = from_ms + whole_of(form.get("hours", ""), fmt) * _HOUR_MS
    return visits.invite(
        tx, actor, account.account_id, form.get("name", ""), from_ms, until_ms, form.get("plate", "")
    )


def _picture(one: Visit, now_ms: int) -> Markup:
    if one.state_at(now_ms) is not VisitState.EXPECTED:
        return Markup()
    return picture_of_code(one.code)
