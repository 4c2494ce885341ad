"""The conservation check of a month: where each commodity went, and the meters that tell or do not."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from cloud.api.reports import MONTH
from cloud.api.route import Call, Nothing, Request, Route, View, view_of
from cloud.api.words import plain_or_none
from cloud.domain.access import Action
from cloud.domain.conservation import Balance, BalanceVerdict, PointUse
from cloud.domain.ids import SiteId
from cloud.domain.premises import Commodity, ServicePointKind
from cloud.services import conservation


class BalanceQuery(Request, frozen=True, kw_only=True):
    """Which month; of the one that goes on, up to its newest readings."""

    month: Annotated[str, Meta(pattern=MONTH)]


class PointUseView(View, frozen=True):
    """What one service point measured; null with `problem` where that is not known."""

    code: str
    kind: ServicePointKind
    building: str
    serial: str
    quantity: Decimal | None
    problem: str


class BalanceView(View, frozen=True):
    """master = submeters + public_meters + loss; the sums are null while something is not known."""

    commodity: Commodity
    unit: str
    verdict: BalanceVerdict
    master: Decimal | None
    submeters: Decimal | None
    public_meters: Decimal | None
    loss: Decimal | None
    points: tuple[PointUseView, ...]


class BalancesView(View, frozen=True):
    """Every commodity that has a master meter."""

    month: str
    items: tuple[BalanceView, ...]


async def get_balances(call: Call[BalanceQuery, Nothing]) -> BalancesView:
    """Check that what the masters of a site measured went somewhere."""
    month = call.query.month
    found = await call.read(conservation.month_balances, SiteId(call.id("site_id")), month)
    return BalancesView(month=month, items=tuple(_balance_view(one) for one in found))


def _balance_view(one: Balance) -> BalanceView:
    usage = one.usage
    return BalanceView(
        commodity=one.commodity,
        unit=one.unit,
        verdict=one.verdict,
        master=None if usage is None else plain_or_none(usage.master),
        submeters=None if usage is None else plain_or_none(usage.submeters),
        public_meters=None if usage is None else plain_or_none(usage.public_meters),
        loss=None if usage is None else plain_or_none(usage.loss),
        points=tuple(_point_view(point) for point in one.points),
    )


def _point_view(point: PointUse) -> PointUseView:
    problem = "" if point.problem is None else f"{point.problem.meter_serial}: {point.problem.detail}"
    return view_of(point, PointUseView, quantity=plain_or_none(point.quantity), problem=problem)


ROUTES = (
    Route(
        "GET",
        "/api/v1/sites/{site_id}/balances",
        "Check where commodities went",
        Action.READ_LEDGER,
        get_balances,
        BalancesView,
        query=BalanceQuery,
        description="Per commodity with a master meter: master = sub-meters + public meters + loss. While a "
        "meter cannot be measured the sums are null and the meter says why.",
    ),
)
