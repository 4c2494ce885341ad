"""Common costs of a month: stated or measured, looked at account by account, shared, taken back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.language import mark
from cloud.console.sayings import say
from cloud.console.tariffs import commodity_name
from cloud.console.typed import BadField, fen_of, number_of, texts_of, whole_of
from cloud.domain.apportionment import ShareBasis
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import PeriodId, SiteId
from cloud.domain.periods import billing_month
from cloud.domain.premises import Commodity
from cloud.domain.user import User
from cloud.services import billing, shared_costs, tariffs
from cloud.services.shared_costs import COMMON_COSTS, CostToShare, SharedCost
from cloud.store.db import Tx
from cloud.store.tariffs import TariffState

_OTHER = "other"
_KINDS: Mapping[str, str] = {
    "lift": mark("Lifts"),
    "lighting": mark("Common lights"),
    "pump": mark("Water pumps"),
    "common_water": mark("Common water"),
    _OTHER: mark("Something else"),
}
_BASES: Mapping[ShareBasis, str] = {
    ShareBasis.AREA: mark("by floor area"),
    ShareBasis.ROOM: mark("equally by home"),
    ShareBasis.HEADCOUNT: mark("by persons"),
    ShareBasis.FLOOR_COEFFICIENT: mark("by area and floor coefficient"),
    ShareBasis.AREA_AND_FLOOR: mark("half by area, half by floor"),
}
_LIST = re.compile(r"[\s,，、;；]+")


@dataclass(frozen=True, slots=True)
class SharedView:
    """The page: what was shared, the form, and what it would make of everybody's bill."""

    code: str
    month: date
    has_invoices: bool
    shared: tuple[SharedCost, ...]
    kinds: tuple[tuple[str, str], ...]
    bases: tuple[tuple[str, str], ...]
    commodities: tuple[tuple[str, str], ...]
    tariffs: tuple[tuple[str, str], ...]
    typed: Mapping[str, str]
    preview: SharedCost | None = None
    field: str = ""
    error: str = ""


async def show(desk: Desk) -> web.StreamResponse:
    """Show what is shared in a month, and the form for more."""
    view = await _view_of(desk, {})
    return await desk.page("billing/shared.html", view=view)


async def act(desk: Desk) -> web.StreamResponse:
    """Preview, share, or take back."""
    code = desk.request.match_info["code"]
    typed = await texts_of(desk)
    period = await desk.write(billing.open_period, desk.site.site_id, code)
    try:
        if typed.get("act") == "withdraw":
            await desk.write(shared_costs.withdraw_cost, period.period_id, typed.get("tariff", ""))
            return desk.go(f"/billing/{code}/shared", "cost-withdrawn")
        cost = await desk.read(_cost, period.period_id, typed, desk.format)
        if typed.get("act") == "share":
            done = await desk.write(shared_costs.share_cost, period.period_id, cost)
            name = done.name_zh if desk.format.is_chinese else done.name_en
            return desk.go(f"/billing/{code}/shared", "cost-shared", name=name, count=str(len(done.bearings)))
        found = await desk.read(shared_costs.preview_cost, period.period_id, cost)
    except (Conflict, Invalid, NotFound) as error:
        field = error.name if isinstance(error, BadField) else ""
        view = await _view_of(desk, typed, field=field, error=say(str(error), desk.language))
        return await desk.page("billing/shared.html", status=422, view=view)
    # What was measured is stated from here on: what is shared is what was looked at.
    seen = {
        **typed,
        "how": "stated",
        "amount": desk.format.amount(cost.total_fen),
        "from_what": cost.from_what,
    }
    return await desk.page("billing/shared.html", view=await _view_of(desk, seen, preview=found))


async def _view_of(
    desk: Desk,
    typed: Mapping[str, str],
    *,
    preview: SharedCost | None = None,
    field: str = "",
    error: str = "",
) -> SharedView:
    code = desk.request.match_info["code"]
    return await desk.read(_view, desk.site.site_id, code, typed, preview, field, error, desk.format)


def _view(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    code: str,
    typed: Mapping[str, str],
    preview: SharedCost | None,
    field: str,
    error: str,
    fmt: Format,
) -> SharedView:
    gettext = fmt.language.gettext
    try:
        month = billing_month(code).start_on
    except ValueError as wrong:
        raise NotFound(f"there is no month {code!r}") from wrong
    period = next((one for one in billing.list_periods(tx, actor, site_id) if one.code == code), None)
    count = 0 if period is None else billing.issued_of_period(tx, actor, period.period_id)[0]
    shared = [] if period is None else shared_costs.costs_of_period(tx, actor, period.period_id)
    priced = {
        one.code: one.name_zh if fmt.is_chinese else one.name_en
        for one in tariffs.list_tariffs(tx, actor)
        if one.state is TariffState.ACTIVE and one.commodity in {commodity.value for commodity in Commodity}
    }
    for one in shared:
        priced.pop(one.tariff_code, None)
    return SharedView(
        code,
        month,
        count > 0,
        tuple(shared),
        tuple((kind, gettext(words)) for kind, words in _KINDS.items()),
        tuple((basis.value, gettext(words)) for basis, words in _BASES.items()),
        tuple((one.value, commodity_name(one.value, fmt)) for one in Commodity),
        tuple(priced.items()),
        {"basis": "area", "how": "stated", "commodity": "electricity", "kind": "lift", **typed},
        preview,
        field,
        error,
    )


def _cost(tx: Tx, actor: User, period_id: PeriodId, typed: Mapping[str, str], fmt: Format) -> CostToShare:
    """Return the cost typed; where it is measured, what the masters say."""
    gettext = fmt.language.gettext
    kind = typed.get("kind", "")
    if kind not in _KINDS:
        raise BadField("kind", gettext("Choose one of these."))
    typed_name = typed.get("name", "")[:60]
    name_zh, name_en = COMMON_COSTS.get(kind, (typed_name, typed_name))
    if not name_zh:
        raise BadField("name", gettext("Say what the line is called on the bill."))
    try:
        commodity = Commodity(typed.get("commodity", ""))
        basis = ShareBasis(typed.get("basis", ""))
    except ValueError as error:
        raise BadField("basis", gettext("Choose one of these.")) from error
    from_what = typed.get("from_what", "")
    if typed.get("how") == "measured":
        tariff_code = typed.get("tariff_code", "")
        if not tariff_code:
            raise BadField("tariff_code", gettext("Choose the tariff that prices it."))
        measured = shared_costs.measure_site_cost(tx, actor, period_id, commodity, tariff_code)
        total_fen, from_what = measured.total_fen, measured.words()
    else:
        total_fen = fen_of(typed.get("amount", ""), fmt)
        if not from_what:
            raise BadField("from_what", gettext("Say what it is from: an invoice, a month."))
    return CostToShare(
        kind,
        name_zh,
        name_en,
        commodity.value,
        total_fen,
        basis,
        from_what,
        tuple(_words(typed.get("excluded", ""))),
        tuple(whole_of(one, fmt, "floors") for one in _words(typed.get("floors", ""))),
        _coefficients(typed.get("coefficients", ""), fmt),
    )


def _words(text: str) -> list[str]:
    return [one for one in _LIST.split(text) if one]


def _coefficients(text: str, fmt: Format) -> Mapping[int, Decimal]:
    """Return "1:0.5 2:0.8" as coefficients by floor."""
    found = {}
    for one in _words(text.replace("：", ":")):
        floor, colon, value = one.partition(":")
        if not colon:
            expected = fmt.language.gettext("Write each floor with its coefficient: 1:0.5 2:0.8.")
            raise BadField("coefficients", expected)
        found[whole_of(floor, fmt, "coefficients")] = number_of(value, fmt, "coefficients")
    return found
