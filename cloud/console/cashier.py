"""The cashier's desk: what was taken today beside what is in the drawer, and money that is to go back.

The invariant: whoever asked for a refund sees no button to approve it; the service refuses it anyhow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.language import mark
from cloud.console.payments import METHOD_NAMES
from cloud.console.typed import BadField, day_or, fen_of
from cloud.domain.errors import Conflict, Forbidden, Invalid
from cloud.domain.ids import RefundId, SiteId
from cloud.domain.payment import Method
from cloud.domain.refund import Refund, RefundSource, RefundState
from cloud.domain.user import User
from cloud.services import day_close, premises, refunds
from cloud.services.day_close import DayOfMethod
from cloud.store.db import Tx

SOURCE_NAMES: Mapping[RefundSource, str] = {
    RefundSource.CREDIT: mark("credit"),
    RefundSource.DEPOSIT: mark("deposit"),
}
_FIELD_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One way money comes in, on the day looked at."""

    name: str
    day: DayOfMethod


@dataclass(frozen=True, slots=True)
class RefundRow:
    """Money that is to go back, or went."""

    refund: Refund
    account_number: str
    source: str
    method: str
    can_decide: bool


@dataclass(frozen=True, slots=True)
class CashierView:
    """The desk on one day."""

    on: date
    rows: tuple[MethodRow, ...]
    refunds: tuple[RefundRow, ...]
    error: str
    typed: Mapping[str, str]

    @property
    def taken_fen(self) -> int:
        """Return what came in on the day, less what was paid out."""
        return sum(row.day.recorded_fen for row in self.rows)


async def show(desk: Desk) -> web.StreamResponse:
    """Show the day asked for, today by default."""
    return await _page(desk, _past_day(desk.request.query.get("day", ""), desk.format))


async def close_day(desk: Desk) -> web.StreamResponse:
    """Write down what was counted."""
    form = await desk.request.post()
    typed = {
        name: str(form.get(name, "")).strip()[:_FIELD_LENGTH_MAX] for name in ("counted", "note", "method")
    }
    on = _past_day(str(form.get("day", "")), desk.format)
    gettext = desk.language.gettext
    try:
        counted = fen_of(typed["counted"], desk.format, least_fen=0)
        row = await desk.write(
            day_close.close_day, desk.site.site_id, on, Method(typed["method"]), counted, typed["note"]
        )
    except BadField as error:
        return await _page(desk, on, str(error), typed, status=422)
    except Invalid:
        told = gettext("Counted and recorded differ: say in the note what it is.")
        return await _page(desk, on, told, typed, status=422)
    except Conflict:
        return await _page(desk, on, gettext("That was counted already."), typed, status=409)
    name = gettext(METHOD_NAMES[row.method])
    return desk.go(f"/payments/day?day={on}", "day-closed", name=name, amount=desk.format.money(counted))


async def decide(desk: Desk) -> web.StreamResponse:
    """Approve or refuse a refund somebody else asked for."""
    form = await desk.request.post()
    refund_id = RefundId(desk.request.match_info["refund_id"])
    is_approved = form.get("decision") == "approve"
    try:
        done = await desk.write(refunds.approve if is_approved else refunds.refuse, refund_id)
    except (Conflict, Forbidden):
        told = desk.language.gettext("This refund cannot be decided on by you, or not any more.")
        return await _page(desk, desk.format.today, told, status=409)
    word = "refund-approved" if is_approved else "refund-refused"
    return desk.go("/payments/day", word, number=done.number, amount=desk.format.money(done.amount_fen))


async def _page(
    desk: Desk, on: date, error: str = "", typed: Mapping[str, str] | None = None, status: int = 200
) -> web.Response:
    view = await desk.read(_view, desk.site.site_id, on, error, typed or {}, desk.format)
    return await desk.page("payments/day.html", status=status, view=view)


def _view(
    tx: Tx, actor: User, site_id: SiteId, on: date, error: str, typed: Mapping[str, str], fmt: Format
) -> CashierView:
    gettext = fmt.language.gettext
    rows = tuple(
        MethodRow(gettext(METHOD_NAMES[one.method]), one) for one in day_close.day_of(tx, actor, site_id, on)
    )
    found = tuple(
        RefundRow(
            one,
            premises.get_account(tx, actor, one.account_id)[0].number,
            gettext(SOURCE_NAMES[one.source]),
            gettext(METHOD_NAMES[one.method]),
            one.state is RefundState.REQUESTED and one.requested_by != actor.person_id,
        )
        for one in refunds.list_refunds(tx, actor, site_id)[:20]
    )
    return CashierView(on, rows, found, error, typed)


def _past_day(text: str, fmt: Format) -> date:
    return min(day_or(text, fmt.today), fmt.today)
