"""A table of what the system before charged: kept for the parallel run, booked nowhere."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from cloud.domain.access import Action
from cloud.domain.imports.fault import Fault
from cloud.domain.imports.kind import Key, Values
from cloud.domain.imports.kinds.former_charges import FORMER_CHARGES
from cloud.domain.imports.plan import PlannedRow
from cloud.domain.money import plain
from cloud.domain.parallel_run import Charged
from cloud.domain.premises import Site
from cloud.domain.user import User
from cloud.services.importers.importer import Importer, Look, Made
from cloud.store import former_charges, people
from cloud.store.db import Tx


def look(tx: Tx, site: Site) -> Look:
    """Return what was brought in; an account that is named must be there."""
    accounts = people.accounts_by_number(tx, site.site_id)
    present: dict[Key, Values] = {
        (one.account_number, one.month, one.charge_code): {
            "account": one.account_number,
            "month": one.month,
            "charge": one.charge_code,
            "amount": Decimal(one.charged.amount_fen).scaleb(-2),
            "quantity": None
            if one.charged.quantity is None
            else Decimal(plain(one.charged.quantity.normalize())),
        }
        for one in former_charges.charges_of(tx, site.site_id)
    }

    def check(values: Values, _there: Values | None) -> Sequence[Fault]:
        number = str(values["account"])
        return () if number in accounts else (Fault("no_account", (number,), "account"),)

    return Look(present, check)


def add(tx: Tx, actor: User, site: Site, rows: Sequence[PlannedRow]) -> Made:
    """Keep the charges."""
    del actor
    accounts = people.accounts_by_number(tx, site.site_id)
    added = [
        (
            accounts[str(row.values["account"])].account_id,
            str(row.values["month"]),
            str(row.values["charge"]),
            _charged(row.values),
        )
        for row in rows
    ]
    return {"former_charge": former_charges.insert_charges(tx, added)}


def change(tx: Tx, actor: User, site: Site, changed: Mapping[Key, Values]) -> None:
    """Put amounts and usages right."""
    del actor
    known = {
        (one.account_number, one.month, one.charge_code): one
        for one in former_charges.charges_of(tx, site.site_id)
    }
    found: dict[str, Charged] = {}
    for key, values in changed.items():
        one = known[(str(key[0]), str(key[1]), str(key[2]))]
        there = {"amount": Decimal(one.charged.amount_fen).scaleb(-2), "quantity": one.charged.quantity}
        found[one.charge_id] = _charged({**there, **values})
    former_charges.update_charges(tx, found)


def _charged(values: Values) -> Charged:
    quantity = values["quantity"]
    amount_fen = int(Decimal(str(values["amount"])) * 100)
    return Charged(amount_fen, None if quantity is None else Decimal(str(quantity)))


IMPORTER = Importer(FORMER_CHARGES, Action.CLOSE_PERIOD, look, add, change)
