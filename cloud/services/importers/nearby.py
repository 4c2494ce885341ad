"""A table of nearby services: the site's directory, filled or changed at once."""

import re
from collections.abc import Mapping, Sequence

from cloud.domain.access import Action
from cloud.domain.ids import NearbyServiceId
from cloud.domain.imports.fault import Fault
from cloud.domain.imports.kind import Key, Values, shown
from cloud.domain.imports.kinds.nearby import NEARBY
from cloud.domain.imports.plan import PlannedRow
from cloud.domain.nearby import (
    NAME_LENGTH_MAX,
    NOTE_LENGTH_MAX,
    PHONE_PATTERN,
    TEXT_LENGTH_MAX,
    NearbyCategory,
    NearbySaid,
    NearbyService,
)
from cloud.domain.premises import Site
from cloud.domain.user import User
from cloud.services.importers.importer import Importer, Look, Made
from cloud.services.nearby import SERVICES_MAX, change_service
from cloud.store import nearby
from cloud.store.db import Tx

_LENGTHS = {
    "name": NAME_LENGTH_MAX,
    "address": TEXT_LENGTH_MAX,
    "hours": TEXT_LENGTH_MAX,
    "note": NOTE_LENGTH_MAX,
}
_TEXTS = ("phone", "address", "hours", "note")


def look(tx: Tx, site: Site) -> Look:
    """Return the directory as the table has it; the first of two of one name is the one a row is about."""
    present: dict[Key, Values] = {}
    for one in nearby.list_services(tx, site.site_id):
        present.setdefault((one.said.name,), _values(one.said))
    new: set[Key] = set()

    def check(values: Values, there: Values | None) -> Sequence[Fault]:
        faults = [
            Fault("length", (str(len(shown(values[column]))), str(most)), column)
            for column, most in _LENGTHS.items()
            if len(shown(values[column])) > most
        ]
        phone = shown(values["phone"])
        if not re.fullmatch(PHONE_PATTERN, phone):
            faults.append(Fault("dialled", (phone,), "phone"))
        if not (phone or values["address"]):
            faults.append(Fault("unreachable", (), "phone"))
        if there is None and not faults:
            new.add((values["name"],))
            if len(present) + len(new) > SERVICES_MAX:
                faults.append(Fault("too_many", (str(SERVICES_MAX),)))
        return faults

    return Look(present, check)


def add(tx: Tx, actor: User, site: Site, rows: Sequence[PlannedRow]) -> Made:
    """Add services to the directory."""
    del actor
    made = []
    for row in rows:
        service_id = NearbyServiceId(tx.new_id())
        nearby.insert_service(tx, NearbyService(service_id, site.site_id, _said(row.values)))
        made.append(service_id)
    return {"nearby_service": made}


def change(tx: Tx, actor: User, site: Site, changed: Mapping[Key, Values]) -> None:
    """Let the directory say something else, as if each entry had been changed by hand."""
    known: dict[Key, NearbyService] = {}
    for one in nearby.list_services(tx, site.site_id):
        known.setdefault((one.said.name,), one)
    for key, values in changed.items():
        now = known[key]
        change_service(tx, actor, now.service_id, _said(_values(now.said) | dict(values)))


def _values(said: NearbySaid) -> dict[str, str | int | None]:
    return {
        "name": said.name,
        "category": said.category.value,
        **{name: getattr(said, name) or None for name in _TEXTS},
        "position": said.position or None,
    }


def _said(values: Values) -> NearbySaid:
    phone, address, hours, note = (str(values[name] or "") for name in _TEXTS)
    category, position = NearbyCategory(str(values["category"])), int(str(values["position"] or 0))
    return NearbySaid(str(values["name"]), category, phone, address, hours, note, position)


IMPORTER = Importer(NEARBY, Action.MANAGE_COMMUNITY, look, add, change)
