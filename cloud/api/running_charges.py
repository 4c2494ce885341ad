"""The charge so far: what an account's bill would be by now."""

from decimal import Decimal

from cloud.api.periods import UsageProblemView
from cloud.api.route import Call, Nothing, Route, View, view_of
from cloud.domain.access import Action
from cloud.domain.errors import NotFound
from cloud.domain.ids import AccountId
from cloud.domain.running_charge import RunningCharge
from cloud.services import running


class RunningServiceView(View, frozen=True):
    """A service point's or fee's part; `until_next_tier` is how much more the present price still covers."""

    service_point_id: str | None
    service_point_code: str
    commodity: str
    unit: str
    quantity: Decimal
    amount_fen: int
    tier: int | None
    until_next_tier: Decimal | None
    measured_at_ms: int | None


class RunningChargeView(View, frozen=True):
    """An account's charge so far in the running period; `problems` says why where there is none."""

    account_id: str
    period_code: str
    as_of_ms: int
    total_fen: int
    currency: str
    services: tuple[RunningServiceView, ...]
    problems: tuple[UsageProblemView, ...]


async def get_running_charge(call: Call[Nothing, Nothing]) -> RunningChargeView:
    """Show an account's charge so far."""
    found = await call.read(running.running_charge, AccountId(call.id("account_id")))
    if found is None:
        raise NotFound("there is no charge yet: nothing was read in this period")
    return _charge_view(found)


def _charge_view(charge: RunningCharge) -> RunningChargeView:
    services = tuple(view_of(service, RunningServiceView) for service in charge.services)
    problems = tuple(view_of(problem, UsageProblemView) for problem in charge.problems)
    return view_of(charge, RunningChargeView, services=services, problems=problems)


ROUTES = (
    Route(
        "GET",
        "/api/v1/accounts/{account_id}/running_charge",
        "Show the charge so far",
        Action.READ_OWN_ACCOUNTS,
        get_running_charge,
        RunningChargeView,
    ),
)
