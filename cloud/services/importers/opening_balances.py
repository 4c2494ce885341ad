"""A table of opening balances: each row is posted once; undoing posts its opposite."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from cloud.domain.access import Action
from cloud.domain.ids import AccountId
from cloud.domain.imports.fault import Fault
from cloud.domain.imports.kind import Key, Values
from cloud.domain.imports.kinds.opening_balances import OPENING_BALANCES
from cloud.domain.imports.plan import PlannedRow
from cloud.domain.ledger import DEPOSIT
from cloud.domain.opening import Opening, OpeningKind
from cloud.domain.periods import PeriodCode, billing_month, local_date, time_zone
from cloud.domain.premises import Site
from cloud.domain.user import User
from cloud.services import openings
from cloud.services.importers.importer import Importer, Look, Made
from cloud.store import openings as opening_store
from cloud.store import people
from cloud.store.db import Tx

# What was taken over that is no document, as it is kept to be undone: kind, account, month, fen.
_HELD = "opening_held"
_DUE_AFTER_MONTH_DAYS = 14


def look(tx: Tx, site: Site) -> Look:
    """Return what was taken over already; arrears of a month that is billed here are no opening balance."""
    accounts = people.accounts_by_number(tx, site.site_id)
    numbers = {one.account_id: number for number, one in accounts.items()}
    ours = openings.months_of_ours(tx, site)
    today = local_date(tx.now_ms, time_zone(site.time_zone))
    present: dict[Key, Values] = {}
    for owed in opening_store.invoices_of_site(tx, site.site_id):
        if owed.stands:
            number = numbers[owed.account_id]
            row = _values(number, OpeningKind.ARREARS, owed.month, owed.total_fen, owed.due_on)
            present[(number, OpeningKind.ARREARS.value, owed.month)] = row
    for (account_id, ledger_account, month), fen in opening_store.held_of_site(tx, site.site_id).items():
        number = numbers[account_id]
        kind = OpeningKind.DEPOSIT if ledger_account == DEPOSIT else OpeningKind.PREPAYMENT
        present[(number, kind.value, month)] = _values(number, kind, month, fen, None)

    def check(values: Values, _there: Values | None) -> Sequence[Fault]:
        number, month = str(values["account"]), str(values["month"])
        if number not in accounts:
            return (Fault("no_account", (number,), "account"),)
        if billing_month(month).start_on > today:
            return (Fault("day_ahead", (month,), "month"),)
        if values["amount"] == 0:
            return (Fault("above_zero", (), "amount"),)
        if values["kind"] == OpeningKind.ARREARS.value and month in ours:
            return (Fault("month_of_ours", (month,), "month"),)
        if values["kind"] == OpeningKind.ARREARS.value and billing_month(month).end_on > today:
            return (Fault("day_ahead", (str(billing_month(month).last_on),), "month"),)
        return ()

    return Look(present, check)


def add(tx: Tx, actor: User, site: Site, rows: Sequence[PlannedRow]) -> Made:
    """Post the balances."""
    del actor
    accounts = people.accounts_by_number(tx, site.site_id)
    taken = [
        Opening(
            accounts[str(row.values["account"])].account_id,
            OpeningKind(row.values["kind"]),
            PeriodCode(str(row.values["month"])),
            int(Decimal(str(row.values["amount"])) * 100),
            _due_on(row.values),
        )
        for row in rows
    ]
    issued = openings.take_over(tx, site, taken)
    held = [one for one in taken if one.kind is not OpeningKind.ARREARS]
    return {
        "invoice": issued,
        _HELD: [f"{one.kind.value} {one.account_id} {one.month} {one.amount_fen}" for one in held],
    }


def take_back(tx: Tx, actor: User, site: Site, made: Mapping[str, Sequence[str]], reason: str) -> None:
    """Post the opposite of what an import posted."""
    held = []
    for kept in made.get(_HELD, ()):
        kind, account_id, month, fen = kept.split(" ")
        code = PeriodCode(month)
        held.append(
            Opening(AccountId(account_id), OpeningKind(kind), code, int(fen), billing_month(code).end_on)
        )
    openings.undo(tx, actor, site, made.get("invoice", ()), held, reason)


def _due_on(values: Values) -> date:
    said = values["due_on"]
    if isinstance(said, date):
        return said
    return billing_month(str(values["month"])).end_on + timedelta(days=_DUE_AFTER_MONTH_DAYS)


def _values(number: str, kind: OpeningKind, month: str, fen: int, due_on: date | None) -> Values:
    amount = Decimal(fen).scaleb(-2)
    return {"account": number, "kind": kind.value, "month": month, "amount": amount, "due_on": due_on}


IMPORTER = Importer(OPENING_BALANCES, Action.CORRECT_INVOICES, look, add, take_back=take_back)
