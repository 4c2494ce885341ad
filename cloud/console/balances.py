"""Where energy and water went in a month: a page for every site and month, with where the loss is."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from aiohttp import web

from cloud.console.bill_check import problem_text
from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.pictures.flow import Flow, draw_flow
from cloud.console.tariffs import commodity_name
from cloud.domain.conservation import LOSS_MOST, Balance, BalanceVerdict, PointUse
from cloud.domain.errors import Invalid
from cloud.domain.ids import SiteId
from cloud.domain.periods import billing_month
from cloud.domain.premises import ServicePointKind
from cloud.domain.user import User
from cloud.services import conservation
from cloud.store.db import Tx

_MONTHS_SHOWN = 12
_POINTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Part:
    """One place the master's quantity went to: homes of a building, a public meter, the loss."""

    kind: str
    name: str
    quantity: Decimal
    share: Decimal | None


@dataclass(frozen=True, slots=True)
class Look:
    """A meter to look at, and why."""

    point: PointUse
    reason: str


@dataclass(frozen=True, slots=True)
class BalanceView:
    """One commodity's month."""

    balance: Balance
    name: str
    verdict: str
    sentence: str
    parts: tuple[Part, ...]
    flow: Flow | None
    looks: tuple[Look, ...]
    more: int


@dataclass(frozen=True, slots=True)
class BalancesView:
    """The page."""

    month: date
    code: str
    months: tuple[tuple[str, date], ...]
    is_running: bool
    balances: tuple[BalanceView, ...]


async def show(desk: Desk) -> web.StreamResponse:
    """Show a month, the newest that has ended unless asked."""
    asked = desk.request.query.get("month", "")
    view = await desk.read(_view, desk.site.site_id, asked, desk.format)
    return await desk.page("reports/balance.html", view=view)


def _view(tx: Tx, actor: User, site_id: SiteId, asked: str, fmt: Format) -> BalancesView:
    codes = conservation.months_of_site(tx, actor, site_id)
    # The first is the month that goes on, whose meters have not all been read at one moment.
    code = asked or codes[min(1, len(codes) - 1)]
    try:
        dates = billing_month(code)
    except (Invalid, ValueError) as error:
        raise Invalid(f"a month is written 2026-10, not {asked!r}") from error
    found = conservation.month_balances(tx, actor, site_id, code)
    return BalancesView(
        dates.start_on,
        code,
        tuple((one, billing_month(one).start_on) for one in codes[:_MONTHS_SHOWN]),
        dates.end_on > fmt.today,
        tuple(_balance_view(one, fmt) for one in found),
    )


def _balance_view(balance: Balance, fmt: Format) -> BalanceView:
    gettext = fmt.language.gettext
    parts = _parts(balance, fmt)
    flow = None
    if balance.usage is not None and balance.usage.master > 0:
        flow = draw_flow([max(0.0, float(part.quantity)) for part in parts])
    missing = [Look(one, problem_text(one.problem, fmt)) for one in balance.missing if one.problem]
    still = [Look(one, gettext("counted nothing all month")) for one in balance.still]
    is_in_order = balance.verdict is BalanceVerdict.IN_ORDER
    looks = missing + ([] if is_in_order else still)
    return BalanceView(
        balance,
        commodity_name(balance.commodity.value, fmt),
        balance.verdict.value,
        _sentence(balance, fmt),
        parts,
        flow,
        tuple(looks[:_POINTS_SHOWN]),
        max(0, len(looks) - _POINTS_SHOWN),
    )


def _parts(balance: Balance, fmt: Format) -> tuple[Part, ...]:
    gettext = fmt.language.gettext
    usage = balance.usage
    master = None if usage is None else usage.master

    def part(kind: str, name: str, quantity: Decimal) -> Part:
        share = Decimal(round(Fraction(quantity) / Fraction(master) * 10_000)).scaleb(-4) if master else None
        return Part(kind, name, quantity, share)

    parts = [
        part("sub", gettext("Homes of %(building)s") % {"building": name}, quantity)
        for name, quantity in balance.buildings.items()
    ]
    parts += [
        part("public", gettext("Public meter %(code)s") % {"code": one.code}, one.quantity)
        for one in balance.of(ServicePointKind.PUBLIC)
        if one.quantity is not None
    ]
    if usage is not None:
        parts.append(part("loss", gettext("Loss"), usage.loss))
    return tuple(parts)


def _sentence(balance: Balance, fmt: Format) -> str:
    gettext = fmt.language.gettext
    most = fmt.percent(Decimal(round(LOSS_MOST[balance.commodity] * 100)).scaleb(-2), 0)
    usage = balance.usage
    loss = "" if usage is None else fmt.quantity(abs(usage.loss), balance.unit)
    words = {
        BalanceVerdict.IN_ORDER: gettext("%(loss)s are lost, which is within the %(most)s that may be."),
        BalanceVerdict.LOSS_HIGH: gettext(
            "%(loss)s are lost, more than the %(most)s that may be. Look for a leak, a meter that stands, a "
            "supply without a meter, or a wrong multiplier."
        ),
        BalanceVerdict.NEGATIVE: gettext(
            "The meters below the master measured %(loss)s more than it did. One of them, or its multiplier, "
            "is wrong; check the master first."
        ),
        BalanceVerdict.NOT_KNOWN: gettext(
            "The loss is not known while the meters below have no reading at both ends of the month."
        ),
    }
    return words[balance.verdict] % {"loss": loss, "most": most}
