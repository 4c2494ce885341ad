"""Premises: the site's spaces on any day, as a picture, counted, found; one space's page with its history."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.houses import Layer, drawn_of, layered_houses
from cloud.console.lists import link
from cloud.console.pictures.building import BuildingPicture, draw_buildings
from cloud.console.typed import day_of, day_or, whole_of
from cloud.console.uploads import read_form_with_file
from cloud.domain.access import Action, may
from cloud.domain.attachment import ATTACHMENT_BYTES_MAX
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AttachmentId, BuildingId, SiteId, SpaceId, is_uuid
from cloud.domain.person import Occupancy, Person
from cloud.domain.premises import Building, SpaceKind
from cloud.domain.space_history import (
    AREA_BANDS_DM2,
    Orientation,
    SpaceCount,
    SpaceFacts,
    SpaceRecord,
    SpaceSearch,
    SpaceStatus,
    SpaceUse,
    first_use,
)
from cloud.domain.user import User
from cloud.services import persons, premises, spaces
from cloud.services.spaces import SpaceDetail
from cloud.store.db import Tx

_ROWS = 50
# More flats than this are not told apart in one picture: then one building is drawn.
_FILTERS = (
    "q",
    "building",
    "kind",
    "status",
    "layout",
    "use",
    "orientation",
    "floor",
    "area_from",
    "area_to",
)
_DM2_A_M2 = 100


@dataclass(frozen=True, slots=True)
class Share:
    """So many spaces are alike in one respect; `href` lists them."""

    word: str
    href: str
    count: int
    area_dm2: int


@dataclass(frozen=True, slots=True)
class PremisesView:
    """The site's spaces on a day."""

    on: date
    is_today: bool
    buildings: tuple[Building, ...]
    drawn: str  # code of the one building in the picture, or "" for all
    layer: Layer
    layers: tuple[tuple[Layer, str], ...]
    picture: BuildingPicture
    paths: Mapping[str, str]
    legend: Mapping[str, int]
    total: int
    by_status: tuple[Share, ...]
    by_layout: tuple[Share, ...]
    by_area: tuple[Share, ...]
    layouts: tuple[str, ...]
    typed: Mapping[str, str]
    found: int
    rows: tuple[SpaceRecord, ...]
    next_href: str


@dataclass(frozen=True, slots=True)
class SpaceView:
    """One space's page; `typed` is a form that came back."""

    detail: SpaceDetail
    on: date
    people: tuple[tuple[Person, Occupancy], ...]
    typed: Mapping[str, str]
    error: str = ""


@dataclass(frozen=True, slots=True)
class NewSpaceView:
    """The form for a new space or a new building."""

    buildings: tuple[Building, ...]
    typed: Mapping[str, str]
    error: str = ""


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show the site's spaces on a day."""
    view = await desk.read(_premises, desk.site.site_id, dict(desk.request.query), desk.format)
    return await desk.page("premises/list.html", view=view)


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one space on a day."""
    return await desk.page("premises/space.html", view=await _read_one(desk, {}, ""))


async def change(desk: Desk) -> web.StreamResponse:
    """Say what a space is like from a day on, correct its number, or attach a paper."""
    sent: tuple[Mapping[str, str], bytes] = ({}, b"")
    try:
        sent = await read_form_with_file(desk.request, ATTACHMENT_BYTES_MAX)
        code = await desk.write(_act, desk.site.site_id, _code(desk), *sent, desk.format)
    except (Conflict, Invalid) as error:
        view = await _read_one(desk, sent[0], str(error))
        return await desk.page("premises/space.html", status=422, view=view)
    return desk.go(f"/premises/{code}", "space-changed", code=code)


async def fetch_attachment(desk: Desk) -> web.StreamResponse:
    """Hand out a paper about a space."""
    text = desk.request.match_info["attachment"]
    if not is_uuid(text):
        raise NotFound(f"there is no attachment {text!r}")
    record, content = await desk.read(_attachment, desk.site.site_id, _code(desk), AttachmentId(text))
    return web.Response(
        body=content,
        content_type=record.media_type,
        headers={"Content-Disposition": "attachment", "Cache-Control": "private, no-store"},
    )


async def show_new(desk: Desk) -> web.StreamResponse:
    """Show the forms for a new space and a new building."""
    return await desk.page("premises/new.html", view=await desk.read(_form, desk.site.site_id, {}, ""))


async def submit_new(desk: Desk) -> web.StreamResponse:
    """Add a space or a building, or show the form again with what does not fit."""
    form = await desk.request.post()
    typed = {name: str(value).strip()[:500] for name, value in form.items()}
    try:
        code = await desk.write(_add, desk.site.site_id, typed, desk.format)
    except (Conflict, Invalid) as error:
        view = await desk.read(_form, desk.site.site_id, typed, str(error))
        return await desk.page("premises/new.html", status=422, view=view)
    if typed.get("act") == "building":
        return desk.go("/premises/new", "building-added", code=code)
    return desk.go(f"/premises/{code}", "space-changed", code=code)


async def _read_one(desk: Desk, typed: Mapping[str, str], error: str) -> SpaceView:
    on = day_or(desk.request.query.get("on", ""), desk.format.today)
    return await desk.read(_one, desk.site.site_id, _code(desk), on, typed, error)


def _premises(tx: Tx, actor: User, site_id: SiteId, query: Mapping[str, str], fmt: Format) -> PremisesView:
    on = min(day_or(query.get("on", ""), fmt.today), fmt.today)
    typed = {name: query.get(name, "").strip()[:100] for name in _FILTERS}
    kept = {**typed, "on": "" if on == fmt.today else on.isoformat()}
    buildings = tuple(premises.list_buildings(tx, actor, site_id))
    counted = spaces.counts(tx, actor, site_id, SpaceSearch(), on)
    wanted = _wanted(typed, buildings)
    page = spaces.search(tx, actor, site_id, wanted, on, query.get("after"), _ROWS)
    found = counted if wanted == SpaceSearch() else spaces.counts(tx, actor, site_id, wanted, on)
    homes = sum(one.count for one in counted if one.kind in (SpaceKind.FLAT, SpaceKind.SHOP))
    drawn = drawn_of(buildings, query.get("picture", "") or typed["building"], homes)
    layer = _layer(actor, query.get("layer", ""), is_today=on == fmt.today)
    houses, paths, legend = layered_houses(tx, actor, site_id, drawn, layer, on)
    columns = sum(len({flat.label[-2:] for flat in unit.flats}) for house in houses for unit in house.units)
    onward = "" if page.next_cursor is None else link("/premises", {**kept, "after": page.next_cursor})
    return PremisesView(
        on,
        on == fmt.today,
        buildings,
        drawn[0].code if len(drawn) < len(buildings) and drawn else "",
        layer,
        tuple(
            (one, link("/premises", {**kept, "layer": one.value, "picture": query.get("picture", "")}))
            for one in _layers(actor, is_today=on == fmt.today)
        ),
        draw_buildings(houses, min(660.0, 130.0 + 58.0 * columns)),
        paths,
        legend,
        sum(one.count for one in counted),
        _shares(counted, "status", lambda one: one.status.value, kept),
        _shares([one for one in counted if one.layout], "layout", lambda one: one.layout, kept),
        _by_area(counted, kept),
        tuple(sorted({one.layout for one in counted if one.layout})),
        {**kept, "layer": query.get("layer", "")},
        sum(one.count for one in found),
        page.items,
        onward,
    )


def _layers(actor: User, *, is_today: bool) -> list[Layer]:
    """Return what a picture may show: debts and alarms are known of today, debts not to everybody."""
    if not is_today:
        return [Layer.OCCUPANCY]
    return [one for one in Layer if one is not Layer.ARREARS or may(actor, Action.READ_LEDGER)]


def _layer(actor: User, word: str, *, is_today: bool) -> Layer:
    return next((one for one in _layers(actor, is_today=is_today) if one.value == word), Layer.OCCUPANCY)


def _shares(
    counted: Sequence[SpaceCount], name: str, word_of: Any, kept: Mapping[str, str]
) -> tuple[Share, ...]:
    summed: dict[str, tuple[int, int]] = {}
    for one in counted:
        count, area_dm2 = summed.get(word_of(one), (0, 0))
        summed[word_of(one)] = (count + one.count, area_dm2 + one.area_dm2)
    on = {"on": kept["on"]}
    return tuple(
        Share(word, link("/premises", {**on, name: word}), count, area_dm2)
        for word, (count, area_dm2) in sorted(summed.items(), key=lambda item: (-item[1][0], item[0]))
    )


def _by_area(counted: Sequence[SpaceCount], kept: Mapping[str, str]) -> tuple[Share, ...]:
    edges = (None, *(bound // _DM2_A_M2 for bound in AREA_BANDS_DM2), None)
    shares = []
    for band in range(len(AREA_BANDS_DM2) + 1):
        own = [
            one for one in counted if one.area_band == band and one.kind in (SpaceKind.FLAT, SpaceKind.SHOP)
        ]
        low, high = edges[band], edges[band + 1]
        if own:
            word = f"< {high} m²" if low is None else (f"≥ {low} m²" if high is None else f"{low}–{high} m²")
            bounds = {"area_from": str(low or ""), "area_to": str(high or "")}
            shares.append(
                Share(
                    word,
                    link("/premises", {"on": kept["on"], **bounds}),
                    sum(one.count for one in own),
                    sum(one.area_dm2 for one in own),
                )
            )
    return tuple(shares)


def _wanted(typed: Mapping[str, str], buildings: Sequence[Building]) -> SpaceSearch:
    """Return what a reader looks for; a word that is none of the list asks for nothing."""
    known = {one.code: one.building_id for one in buildings}
    return SpaceSearch(
        typed["q"],
        known.get(typed["building"]),
        _word(SpaceKind, typed["kind"]),
        _word(SpaceStatus, typed["status"]),
        _word(SpaceUse, typed["use"]),
        _word(Orientation, typed["orientation"]),
        typed["layout"],
        "",
        _floor(typed["floor"]),
        _dm2(typed["area_from"]),
        _dm2(typed["area_to"]),
    )


def _floor(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?[0-9]{1,4}", text) else None


def _one(
    tx: Tx, actor: User, site_id: SiteId, code: str, on: date, typed: Mapping[str, str], error: str
) -> SpaceView:
    detail = spaces.space_by_code(tx, actor, site_id, code, on)
    people: list[tuple[Person, Occupancy]] = []
    if may(actor, Action.READ_PEOPLE):
        people = persons.people_of_space(tx, actor, detail.record.space.space_id)
    return SpaceView(detail, on, tuple(people), typed, error)


def _act(
    tx: Tx, actor: User, site_id: SiteId, code: str, form: Mapping[str, str], content: bytes, fmt: Format
) -> str:
    detail = spaces.space_by_code(tx, actor, site_id, code)
    space_id = SpaceId(detail.record.space.space_id)
    match form.get("act", ""):
        case "change":
            from_on = day_of(form.get("from_on") or fmt.today.isoformat(), fmt)
            changes = _changes(form, detail.record.facts, fmt)
            spaces.change_space(tx, actor, space_id, from_on, changes, form.get("reason", "").strip())
        case "rename":
            floor = whole_of(form.get("floor", ""), fmt)
            new = form.get("code", "").strip()
            spaces.rename_space(tx, actor, space_id, new, form.get("unit_code", "").strip(), floor)
            return new
        case "attach":
            spaces.attach(tx, actor, space_id, form.get("title", ""), content)
        case "withdraw" if is_uuid(form.get("attachment", "")):
            spaces.withdraw_attachment(tx, actor, space_id, AttachmentId(form["attachment"]))
        case _:
            raise NotFound("there is no such act")
    return code


def _attachment(tx: Tx, actor: User, site_id: SiteId, code: str, attachment_id: AttachmentId) -> Any:
    detail = spaces.space_by_code(tx, actor, site_id, code)
    return spaces.fetch_attachment(tx, actor, detail.record.space.space_id, attachment_id)


def _form(tx: Tx, actor: User, site_id: SiteId, typed: Mapping[str, str], error: str) -> NewSpaceView:
    return NewSpaceView(tuple(premises.list_buildings(tx, actor, site_id)), typed, error)


def _add(tx: Tx, actor: User, site_id: SiteId, typed: Mapping[str, str], fmt: Format) -> str:
    if typed.get("act") == "building":
        floors = whole_of(typed.get("floors", ""), fmt)
        added = spaces.add_building(tx, actor, site_id, typed.get("code", ""), typed.get("name", ""), floors)
        return added.code
    building = next(
        (b for b in premises.list_buildings(tx, actor, site_id) if b.code == typed.get("building")), None
    )
    if building is None:
        raise Invalid(fmt.language.gettext("Choose a building; add one first if there is none."))
    kind = _word(SpaceKind, typed.get("kind", "")) or SpaceKind.FLAT
    floor = whole_of(typed.get("floor", ""), fmt)
    nothing = SpaceFacts(0, use=first_use(kind))
    said = {name: value for name, value in _changes(typed, nothing, fmt).items() if value is not None}
    spaces.add_space(
        tx,
        actor,
        BuildingId(building.building_id),
        typed.get("code", ""),
        typed.get("unit_code", ""),
        floor,
        kind,
        SpaceFacts(**{"built_area_dm2": 0, "use": first_use(kind), **said}),
    )
    return typed.get("code", "")


def _changes(form: Mapping[str, str], now: SpaceFacts, fmt: Format) -> dict[str, Any]:
    """Return what a form says a space is like, without what it is like already."""
    said: dict[str, Any] = {
        "built_area_dm2": _area(form, "built_area", fmt) or 0,
        "inner_area_dm2": _area(form, "inner_area", fmt),
        "layout": form.get("layout", "").strip(),
        "orientation": _word(Orientation, form.get("orientation", "")),
        "use": _word(SpaceUse, form.get("use", "")) or now.use,
        "title_number": form.get("title_number", "").strip(),
        "status": _word(SpaceStatus, form.get("status", "")),
        "handed_over_on": day_of(form["handed_over_on"], fmt) if form.get("handed_over_on") else None,
    }
    return {name: value for name, value in said.items() if value != getattr(now, name)}


def _area(form: Mapping[str, str], name: str, fmt: Format) -> int | None:
    text = form.get(name, "").replace(",", "").strip()
    if not text:
        return None
    found = _dm2(text)
    if found is None:
        expected = fmt.language.gettext(
            "An area is a number with at most two decimals, such as 89.60, not “%s”."
        )
        raise Invalid(expected % text)
    return found


def _dm2(text: str) -> int | None:
    try:
        exact = Decimal(text) * _DM2_A_M2 if text else None
    except InvalidOperation:
        return None
    if exact is None or not exact.is_finite() or exact != exact.to_integral_value() or abs(exact) >= 10**10:
        return None
    return int(exact)


def _word(words: Any, text: str) -> Any:
    return next((one for one in words if one.value == text), None)


def _code(desk: Desk) -> str:
    return desk.request.match_info["space"]
