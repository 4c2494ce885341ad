"""Common costs of a month: measured or stated, previewed, shared to the fen, taken back."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Nothing, Request, Route, View
from cloud.api.words import checked_decimal, plain_or_none
from cloud.domain.access import Action
from cloud.domain.apportionment import ShareBasis
from cloud.domain.ids import PeriodId
from cloud.domain.premises import Commodity
from cloud.services import shared_costs
from cloud.services.shared_costs import CostToShare, SharedCost

FEN_MAX = 10**12
_Name = Annotated[str, Meta(min_length=1, max_length=60)]
_Floor = Annotated[str, Meta(pattern=r"^-?[0-9]{1,3}$")]


class NewSharedCost(Request, frozen=True, kw_only=True):
    """A cost and how it is shared; `floor_coefficients` are by floor: {"1": "0.5"}."""

    component: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    name_zh: _Name
    name_en: _Name
    commodity: Commodity
    total_fen: Annotated[int, Meta(ge=1, le=FEN_MAX)]
    basis: ShareBasis
    from_what: Annotated[str, Meta(min_length=1, max_length=300)]
    excluded_accounts: Annotated[tuple[_Name, ...], Meta(max_length=5000)] = ()
    excluded_floors: Annotated[tuple[Annotated[int, Meta(ge=-9, le=200)], ...], Meta(max_length=100)] = ()
    floor_coefficients: Annotated[Mapping[_Floor, Decimal], Meta(max_length=200)] = {}


class Withdrawal(Request, frozen=True, kw_only=True):
    """Which shared cost, by the tariff that charges it."""

    tariff_code: _Name


class CommonUsageQuery(Request, frozen=True, kw_only=True):
    """Of which commodity, priced by which tariff."""

    commodity: Commodity
    tariff_code: _Name


class ShareView(View, frozen=True):
    """What one account bears."""

    account_number: str
    weight: Decimal | None
    share_fen: int


class SharedCostView(View, frozen=True):
    """A cost with everybody's share; the shares add up to `total_fen`."""

    tariff_code: str
    name_zh: str
    name_en: str
    total_fen: int
    basis: str
    from_what: str
    shares: tuple[ShareView, ...]


class SharedCostsView(View, frozen=True):
    """What was shared for a month and stands."""

    items: tuple[SharedCostView, ...]


class CommonUsageView(View, frozen=True):
    """What the masters measured beyond the homes, and what it costs; `from_what` is the same in words."""

    master: Decimal | None
    submeters: Decimal | None
    public_meters: Decimal | None
    loss: Decimal | None
    quantity: Decimal | None
    unit: str
    total_fen: int
    from_what: str


async def list_costs(call: Call[Nothing, Nothing]) -> SharedCostsView:
    """List what was shared for a month."""
    found = await call.read(shared_costs.costs_of_period, PeriodId(call.id("period_id")))
    return SharedCostsView(items=tuple(_view(one) for one in found))


async def measure(call: Call[CommonUsageQuery, Nothing]) -> CommonUsageView:
    """Measure what the common parts used in a month."""
    period_id, query = PeriodId(call.id("period_id")), call.query
    found = await call.read(shared_costs.measure_site_cost, period_id, query.commodity, query.tariff_code)
    return CommonUsageView(
        master=plain_or_none(found.usage.master),
        submeters=plain_or_none(found.usage.submeters),
        public_meters=plain_or_none(found.usage.public_meters),
        loss=plain_or_none(found.usage.loss),
        quantity=plain_or_none(found.quantity),
        unit=found.unit,
        total_fen=found.total_fen,
        from_what=found.words(),
    )


async def preview(call: Call[Nothing, NewSharedCost]) -> SharedCostView:
    """Show what everybody would bear; nothing is written."""
    period_id = PeriodId(call.id("period_id"))
    return _view(await call.read(shared_costs.preview_cost, period_id, _cost(call.body)))


async def share(call: Call[Nothing, NewSharedCost]) -> web.Response:
    """Share a cost among the accounts of a month."""
    period_id = PeriodId(call.id("period_id"))
    return await call.create(_view, shared_costs.share_cost, period_id, _cost(call.body))


async def withdraw(call: Call[Nothing, Withdrawal]) -> None:
    """Take a shared cost back before the month's first invoice."""
    period_id = PeriodId(call.id("period_id"))
    await call.write(shared_costs.withdraw_cost, period_id, call.body.tariff_code)


def _cost(body: NewSharedCost) -> CostToShare:
    coefficients: Mapping[int, Decimal] = {
        int(floor): checked_decimal(f"floor_coefficients/{floor}", value)
        for floor, value in body.floor_coefficients.items()
    }
    return CostToShare(
        body.component,
        body.name_zh,
        body.name_en,
        body.commodity.value,
        body.total_fen,
        body.basis,
        body.from_what,
        body.excluded_accounts,
        body.excluded_floors,
        coefficients,
    )


def _view(one: SharedCost) -> SharedCostView:
    return SharedCostView(
        tariff_code=one.tariff_code,
        name_zh=one.name_zh,
        name_en=one.name_en,
        total_fen=one.total_fen,
        basis=one.basis,
        from_what=one.from_what,
        shares=tuple(
            ShareView(
                account_number=bearing.account_number,
                weight=plain_or_none(bearing.weight),
                share_fen=bearing.share_fen,
            )
            for bearing in one.bearings
        ),
    )


_PATH = "/api/v1/periods/{period_id}/shared_costs"
_CLOSE = Action.CLOSE_PERIOD

ROUTES = (
    Route("GET", _PATH, "List shared costs", _CLOSE, list_costs, SharedCostsView),
    Route(
        "GET",
        "/api/v1/periods/{period_id}/common_usage",
        "Measure common usage",
        _CLOSE,
        measure,
        CommonUsageView,
        query=CommonUsageQuery,
        description="What the site's master meters measured beyond its homes, losses included, by a tariff.",
    ),
    Route(
        "POST",
        _PATH + "/preview",
        "Preview a shared cost",
        _CLOSE,
        preview,
        SharedCostView,
        body=NewSharedCost,
    ),
    Route(
        "POST",
        _PATH,
        "Share a cost",
        _CLOSE,
        share,
        SharedCostView,
        body=NewSharedCost,
        status=201,
        creates=True,
        description="Shares add up to the total to the fen: the largest remainders get the fen left over. "
        "Refused once the month has an invoice.",
    ),
    Route(
        "POST",
        _PATH + "/withdrawal",
        "Take a shared cost back",
        _CLOSE,
        withdraw,
        None,
        body=Withdrawal,
    ),
)
