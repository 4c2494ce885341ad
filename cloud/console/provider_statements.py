"""A provider's daily bill, uploaded and held beside our books; nothing of it is kept."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.payments import METHOD_NAMES
from cloud.domain.errors import Invalid
from cloud.domain.payment import Method
from cloud.domain.payment_order import ONLINE_METHODS
from cloud.domain.provider_statement import MATCH_NAMES, Comparison, Match
from cloud.services import provider_statements

# What a person looks through on a page; a day of a large site has this many.
_ROWS_SHOWN = 500


@dataclass(frozen=True, slots=True)
class StatementView:
    """The page: the form as it was filled in, and what came of it."""

    methods: tuple[tuple[str, str], ...]
    method: str
    on: date
    found: Comparison | None
    names: Mapping[Match, str]
    rows_max: int
    error: str

    @property
    def to_see_to(self) -> int:
        """Return how many rows somebody must look at."""
        if self.found is None:
            return 0
        wrong = (Match.AMOUNT, Match.MISSING_HERE, Match.MISSING_THERE)
        return sum(self.found.counts[match] for match in wrong)


async def show(desk: Desk) -> web.StreamResponse:
    """Ask for a provider's bill, yesterday's by default."""
    yesterday = desk.format.today - timedelta(days=1)
    return await desk.page("payments/statement.html", view=_view(desk, Method.WECHAT.value, yesterday))


async def compare(desk: Desk) -> web.StreamResponse:
    """Compare an uploaded bill; what is no such bill is said beside the form."""
    form = await desk.request.post()
    method, said = str(form.get("method", "")), str(form.get("on", ""))
    on = _day(said) or desk.format.today
    try:
        found = await _compared(desk, form.get("file"), method, on)
    except Invalid as error:
        view = _view(desk, method, on, error=str(error))
        return await desk.page("payments/statement.html", status=422, view=view)
    return await desk.page("payments/statement.html", view=_view(desk, method, on, found))


def _day(said: str) -> date | None:
    try:
        return date.fromisoformat(said)
    except ValueError:
        return None


async def _compared(desk: Desk, file: object, method: str, on: date) -> Comparison:
    if method not in {one.value for one in ONLINE_METHODS}:
        raise Invalid(f"there is no provider {method!r}")
    if not isinstance(file, web.FileField):
        raise Invalid("no file was sent")
    data = await asyncio.to_thread(file.file.read)
    return await desk.read(
        provider_statements.reconcile, desk.site.site_id, Method(method), on, file.filename, data
    )


def _view(
    desk: Desk, method: str, on: date, found: Comparison | None = None, error: str = ""
) -> StatementView:
    language = 0 if desk.format.is_chinese else 1
    methods = tuple(
        (one.value, desk.language.gettext(METHOD_NAMES[one]))
        for one in sorted(ONLINE_METHODS, key=lambda one: one.value, reverse=True)
    )
    names = {match: name[language] for match, name in MATCH_NAMES.items()}
    return StatementView(methods, method, on, found, names, _ROWS_SHOWN, error)
