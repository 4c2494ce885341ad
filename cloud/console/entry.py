"""Doors for people: the door log, badges, entrances with who may pass; and a resident's own cards and codes.

The invariant: a code is shown whole to who lives there, and once to the office that made it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from markupsafe import Markup

from cloud.console.codes import picture_of_code
from cloud.console.desk import Desk
from cloud.domain.camera import CameraNow
from cloud.domain.entry import AccessGroup, Badge, BadgeState, Covers, Entrance, Passage
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AccessGroupId, AccountId, BadgeId, BuildingId, EntranceId, SiteId, is_uuid
from cloud.domain.page import LIMIT_MAX
from cloud.domain.people import Account
from cloud.domain.premises import Building
from cloud.domain.user import User
from cloud.services import badges, cameras, devices, entrances, passages, premises
from cloud.services.devices import Door
from cloud.store.db import Tx
from protocol.access import BadgeKind

_SHOWN = 60
_TAB = "/home/more"
_EVERY_DAY = 0b1111111


@dataclass(frozen=True, slots=True)
class LogView:
    """What happened at the doors, and which there are."""

    passages: tuple[Passage, ...]
    next_cursor: str
    doors: tuple[Door, ...]


@dataclass(frozen=True, slots=True)
class BadgesView:
    """A site's badges and the form for one more; `shown` is the passage of an unknown card to give away."""

    badges: tuple[Badge, ...]
    groups: Mapping[AccessGroupId, AccessGroup]
    typed: Mapping[str, str]
    shown: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class EntrancesView:
    """Entrances, groups, and the locks that are no entrance yet."""

    entrances: tuple[Entrance, ...]
    groups: tuple[AccessGroup, ...]
    locks: tuple[Door, ...]
    buildings: Mapping[BuildingId, Building]
    cameras: Mapping[EntranceId, Sequence[CameraNow]]  # that see a door
    error: str = ""


@dataclass(frozen=True, slots=True)
class OwnBadge:
    """A badge of one's own, and the picture of its code."""

    badge: Badge
    picture: Markup


@dataclass(frozen=True, slots=True)
class OwnView:
    """A resident's badges and the form for a code."""

    accounts: tuple[Account, ...]
    rows: tuple[OwnBadge, ...]
    error: str = ""


async def show_log(desk: Desk) -> web.StreamResponse:
    """Show who passed, or what is on the page anew."""
    view = await desk.read(_log, desk.site.site_id, desk.request.query.get("after") or None)
    if "part" in desk.request.query:
        return desk.part("access/log.html", view=view)
    return await desk.page("access/page.html", view=view)


async def show_badges(desk: Desk) -> web.StreamResponse:
    """Show the badges of a site."""
    shown = desk.request.query.get("give", "")
    view = await desk.read(_badges, desk.site.site_id, {"kind": "card"}, shown)
    return await desk.page("access/badges.html", view=view)


async def give(desk: Desk) -> web.StreamResponse:
    """Give a badge to somebody, or show the form again with what does not fit."""
    form = await _form(desk)
    try:
        given = await desk.write(_give, desk.site.site_id, form)
    except (Conflict, Invalid, NotFound) as error:
        view = await desk.read(_badges, desk.site.site_id, form, form.get("shown", ""), str(error))
        return await desk.page("access/badges.html", status=422, view=view)
    if given.code:
        return desk.go("/access/badges", "code-made", name=given.label, code=given.code)
    return desk.go("/access/badges", "badge-given", name=given.label)


async def change_badge(desk: Desk) -> web.StreamResponse:
    """Block a badge, let it open again, or end it."""
    badge_id, act = _badge_id(desk), (await _form(desk)).get("act", "")
    if act == "found":
        await desk.write(badges.report_found, badge_id)
        return desk.go("/access/badges", "badge-found")
    return await _lost_or_ended(desk, badge_id, act, "/access/badges")


async def show_entrances(desk: Desk) -> web.StreamResponse:
    """Show which doors there are and who may pass them."""
    return await desk.page("access/entrances.html", view=await desk.read(_entrances, desk.site.site_id))


async def add(desk: Desk) -> web.StreamResponse:
    """Add an entrance or an access group."""
    sent = await desk.request.post()
    form = {name: str(value).strip()[:100] for name, value in sent.items()}
    chosen = [str(value) for value in sent.getall("entrances", [])]
    try:
        added = await desk.write(_add, desk.site.site_id, form, chosen)
    except (Conflict, Invalid, NotFound) as error:
        view = await desk.read(_entrances, desk.site.site_id, str(error))
        return await desk.page("access/entrances.html", status=422, view=view)
    return desk.go("/access/entrances", "entrance-added", name=added)


async def show_own(desk: Desk) -> web.StreamResponse:
    """Show a resident's cards and codes."""
    return await desk.page("home/badges.html", tab=_TAB, view=await desk.read(_own))


async def make_code(desk: Desk) -> web.StreamResponse:
    """Make a code for somebody of the home."""
    form = await _form(desk)
    try:
        made = await desk.write(_make_code, form)
    except (Conflict, Invalid) as error:
        return await desk.page(
            "home/badges.html", status=422, tab=_TAB, view=await desk.read(_own, str(error))
        )
    return desk.go("/home/badges", "badge-given", name=made.label)


async def change_own(desk: Desk) -> web.StreamResponse:
    """Block or end a badge of one's own."""
    return await _lost_or_ended(desk, _badge_id(desk), (await _form(desk)).get("act", ""), "/home/badges")


async def _lost_or_ended(desk: Desk, badge_id: BadgeId, act: str, back: str) -> web.StreamResponse:
    if act == "end":
        await desk.write(badges.end, badge_id)
        return desk.go(back, "badge-ended")
    await desk.write(badges.report_lost, badge_id)
    return desk.go(back, "badge-lost")


async def _form(desk: Desk) -> dict[str, str]:
    return {name: str(value).strip()[:100] for name, value in (await desk.request.post()).items()}


def _log(tx: Tx, actor: User, site_id: SiteId, after: str | None) -> LogView:
    page = passages.list_passages(tx, actor, site_id, after, _SHOWN)
    return LogView(page.items, page.next_cursor or "", tuple(devices.doors(tx, actor, site_id)))


def _badges(
    tx: Tx, actor: User, site_id: SiteId, typed: Mapping[str, str], shown: str, error: str = ""
) -> BadgesView:
    groups = {one.group_id: one for one in entrances.list_groups(tx, actor, site_id)}
    found = badges.list_badges(tx, actor, site_id)[:LIMIT_MAX]
    return BadgesView(tuple(found), groups, typed, shown if is_uuid(shown) else "", error)


def _give(tx: Tx, actor: User, site_id: SiteId, form: Mapping[str, str]) -> Badge:
    number, account_id = form.get("account", ""), None
    if number:
        page = premises.list_accounts(tx, actor, site_id, number)
        account_id = next((one.account_id for one in page.items if one.number == number), None)
        if account_id is None:
            raise Invalid(f"there is no account {number}")
    try:
        kind = BadgeKind(form.get("kind", ""))
    except ValueError as error:
        raise Invalid(f"there is no badge {form.get('kind', '')!r}") from error
    secret = form.get("shown") or form.get("secret", "")
    group = form.get("group", "")
    chosen = [AccessGroupId(group)] if is_uuid(group) else []
    return badges.give(tx, actor, site_id, kind, form.get("label", ""), secret, account_id, chosen)


def _entrances(tx: Tx, actor: User, site_id: SiteId, error: str = "") -> EntrancesView:
    there = entrances.list_entrances(tx, actor, site_id)
    taken = {(one.gateway_id, one.device_code) for one in there}
    locks = devices.doors(tx, actor, site_id)
    return EntrancesView(
        tuple(there),
        tuple(entrances.list_groups(tx, actor, site_id)),
        tuple(one for one in locks if (one.gateway_id, one.device.code) not in taken),
        {one.building_id: one for one in premises.list_buildings(tx, actor, site_id)},
        _seen_by(tx, actor, site_id, there),
        error,
    )


def _seen_by(
    tx: Tx, actor: User, site_id: SiteId, there: Sequence[Entrance]
) -> dict[EntranceId, list[CameraNow]]:
    """Return for each door the cameras that see its lock or a reader before it."""
    found: dict[EntranceId, list[CameraNow]] = {}
    for one in there:
        seen = [
            camera
            for code in (one.device_code, *one.readers)
            for camera in cameras.seeing_device(tx, actor, site_id, one.gateway_id, code)
        ]
        found[one.entrance_id] = list({camera.camera.camera_id: camera for camera in seen}.values())
    return found


def _add(tx: Tx, actor: User, site_id: SiteId, form: Mapping[str, str], chosen: list[str]) -> str:
    name = form.get("name", "")
    if "lock" in form:
        locks = {f"{one.gateway_code}/{one.device.code}": one for one in devices.doors(tx, actor, site_id)}
        lock = locks.get(form["lock"])
        if lock is None:
            raise NotFound(f"there is no entrance {form['lock']}")
        return entrances.add_entrance(tx, actor, site_id, lock.gateway_id, name, lock.device.code).name
    building = form.get("building", "")
    covers = Covers.CHOSEN if building == "chosen" else Covers.RESIDENTS
    begin, end = _minute(form.get("from", "")), _minute(form.get("until", ""))
    hours = () if begin is None or end is None else ((_EVERY_DAY, begin, end),)
    ids = [EntranceId(one) for one in chosen if is_uuid(one)]
    place = BuildingId(building) if is_uuid(building) else None
    return entrances.add_group(tx, actor, site_id, name, covers, ids, hours, place).name


def _minute(text: str) -> int | None:
    hour, colon, minute = text.partition(":")
    if not (colon and hour.isdecimal() and minute.isdecimal()):
        return None
    return int(hour) * 60 + int(minute)


def _own(tx: Tx, actor: User, error: str = "") -> OwnView:
    rows = tuple(OwnBadge(one, _picture(one)) for one in badges.own_badges(tx, actor))
    return OwnView(tuple(premises.own_accounts(tx, actor)), rows, error)


def _make_code(tx: Tx, actor: User, form: Mapping[str, str]) -> Badge:
    accounts = premises.own_accounts(tx, actor)
    number = form.get("account", "")
    account = next((one for one in accounts if one.number == number), None)
    account_id = AccountId("") if account is None else account.account_id
    return badges.make_own_code(tx, actor, account_id, form.get("label", ""))


def _badge_id(desk: Desk) -> BadgeId:
    text = desk.request.match_info["badge"]
    if not is_uuid(text):
        raise NotFound(f"there is no badge {text!r}")
    return BadgeId(text)


def _picture(one: Badge) -> Markup:
    if not one.code or one.state is not BadgeState.GOOD:
        return Markup()
    return picture_of_code(one.code)
