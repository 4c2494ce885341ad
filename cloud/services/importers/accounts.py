"""A table of accounts: who pays for which flat."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from cloud.domain.access import Action
from cloud.domain.imports.fault import Fault
from cloud.domain.imports.kind import Key, Values
from cloud.domain.imports.kinds.accounts import ACCOUNTS
from cloud.domain.imports.plan import PlannedRow
from cloud.domain.premises import Site
from cloud.domain.user import User
from cloud.services.importers.importer import Importer, Look, Made
from cloud.store import bulk, people, premises
from cloud.store.bulk import NewAccount
from cloud.store.db import Tx


def look(tx: Tx, site: Site) -> Look:
    """Return the site's accounts as the table has them; a flat that is named must be there."""
    spaces = {one.code for one in premises.list_spaces(tx, site.site_id)}
    present: dict[Key, Values] = {
        (one.number,): {
            "number": one.number,
            "holder_name": one.holder_name,
            "space": one.space_code or None,
            "household_size": one.household_size,
            "opened_on": one.opened_on,
        }
        for one in people.accounts_by_number(tx, site.site_id).values()
    }

    def check(values: Values, _there: Values | None) -> Sequence[Fault]:
        code = values["space"]
        return () if code is None or code in spaces else (Fault("no_space", (str(code),), "space"),)

    return Look(present, check)


def add(tx: Tx, actor: User, site: Site, rows: Sequence[PlannedRow]) -> Made:
    """Open accounts."""
    del actor
    spaces = {one.code: one.space_id for one in premises.list_spaces(tx, site.site_id)}
    added = []
    for row in rows:
        opened_on = row.values["opened_on"]
        assert isinstance(opened_on, date), "the column is needed"
        code = row.values["space"]
        added.append(
            NewAccount(
                str(row.values["number"]),
                str(row.values["holder_name"]),
                None if code is None else spaces[str(code)],
                int(str(row.values["household_size"])),
                opened_on,
            )
        )
    return {"account": bulk.insert_accounts(tx, site.site_id, added)}


def change(tx: Tx, actor: User, site: Site, changed: Mapping[Key, Values]) -> None:
    """Change holders' names and household sizes; bills that were issued keep what they say."""
    del actor
    ids = {number: one.account_id for number, one in people.accounts_by_number(tx, site.site_id).items()}
    bulk.update_accounts(tx, {ids[str(key[0])]: _columns(values) for key, values in changed.items()})


def _columns(values: Values) -> Mapping[str, Any]:
    return {name: values[name] for name in ("holder_name", "household_size") if name in values}


IMPORTER = Importer(ACCOUNTS, Action.MANAGE_PREMISES, look, add, change)
