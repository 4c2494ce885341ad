"""The days of a year that tariffs treat specially: published ones, and those told of this site."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.typed import day_of, texts_of
from cloud.domain.errors import Invalid
from cloud.domain.holidays import DayKind, parse_holidays
from cloud.domain.ids import SiteId
from cloud.domain.user import User
from cloud.services import special_days
from cloud.store.db import Tx
from cloud.store.special_days import ToldDay
from cloud.tariffs import shipped_holidays

HOT = "hot"
# What tariffs name; a program may tell of others by the API.
_KINDS = (HOT, *(kind.value for kind in DayKind))
_SOURCE_LENGTH_MAX = 200
_PUBLISHED_IN = "CN"


@dataclass(frozen=True, slots=True)
class PublishedDay:
    """A day of the published calendar that is not what its weekday says."""

    on: date
    kind: str


@dataclass(frozen=True, slots=True)
class DaysView:
    """A year; `document` is the notice its holidays stand in, "" where none is known yet."""

    year: int
    told: tuple[ToldDay, ...]
    published: tuple[PublishedDay, ...]
    document: str
    kinds: tuple[str, ...]
    typed: Mapping[str, str]
    error: str


async def show(desk: Desk) -> web.StreamResponse:
    """Show the special days of a year, this one unless `year` says another."""
    view = await desk.read(_view, desk.site.site_id, _year(desk), {}, "")
    return await desk.page("tariffs/days.html", view=view)


async def write(desk: Desk) -> web.StreamResponse:
    """Tell what kind of day it is, or take that back."""
    typed = await texts_of(desk)
    try:
        on = day_of(typed.get("on", ""), desk.format, "on")
        if typed.get("act") == "forget":
            await desk.write(special_days.forget_day, desk.site.site_id, on)
        else:
            kind, source = _told(desk, typed)
            await desk.write(special_days.tell_day, desk.site.site_id, on, kind, source)
    except Invalid as error:
        view = await desk.read(_view, desk.site.site_id, _year(desk), typed, str(error))
        return await desk.page("tariffs/days.html", status=422, view=view)
    return desk.go(f"/tariffs/days?year={on.year}", "special-days-changed")


def _told(desk: Desk, typed: Mapping[str, str]) -> tuple[str, str]:
    language = desk.format.language
    kind, source = typed.get("kind", ""), typed.get("source", "").strip()
    if kind not in _KINDS:
        raise Invalid(language.gettext("Choose what kind of day it is."))
    if not 1 <= len(source) <= _SOURCE_LENGTH_MAX:
        raise Invalid(language.gettext("Write who says so, in up to 200 characters."))
    return kind, source


def _year(desk: Desk) -> int:
    text = desk.request.query.get("year", "")
    is_year = text.isascii() and text.isdigit() and date.min.year <= int(text[:5]) < date.max.year
    return int(text) if is_year else desk.format.today.year


def _view(tx: Tx, actor: User, site_id: SiteId, year: int, typed: Mapping[str, str], error: str) -> DaysView:
    told = special_days.list_days(tx, actor, site_id, date(year, 1, 1), date(year + 1, 1, 1))
    body = shipped_holidays(_PUBLISHED_IN)
    calendar = None if body is None else parse_holidays(body)
    published: tuple[PublishedDay, ...] = ()
    document = ""
    if calendar is not None and year in calendar.documents:
        document = calendar.documents[year]
        days = sorted(on for on in calendar.days if on.year == year)
        published = tuple(PublishedDay(on, calendar.days[on].value) for on in days)
    return DaysView(year, tuple(told), published, document, _KINDS, typed, error)
