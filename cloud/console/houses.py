"""A site's buildings made ready to draw: every flat, what is wrong there, and where a click leads."""

from collections.abc import Sequence

from cloud.console.pictures.building import Flat, House, Lift, Mark, Unit
from cloud.domain.access import Action, may
from cloud.domain.ids import SiteId
from cloud.domain.premises import SpaceKind, SpaceState
from cloud.domain.user import User
from cloud.services import premises
from cloud.store.db import Tx


def houses_of(
    tx: Tx, actor: User, site_id: SiteId, lifts: Sequence[Lift] = ()
) -> tuple[list[House], dict[str, str]]:
    """Return the buildings of a site, and the address of each flat's account by the flat's code.

    Who may not open accounts gets no address.

    Lifts are given to units in order, one each: which lift serves which unit is not recorded yet.
    """
    opens_accounts = may(actor, Action.READ_LEDGER)
    waiting = list(lifts)
    houses = []
    paths: dict[str, str] = {}
    for building in premises.list_buildings(tx, actor, site_id):
        states = premises.building_picture(tx, actor, site_id, building.building_id)
        by_unit: dict[str, list[SpaceState]] = {}
        for state in states:
            if state.space.kind is SpaceKind.FLAT:
                by_unit.setdefault(state.space.unit_code, []).append(state)
            if opens_accounts and state.account_id is not None:
                paths[state.space.code] = f"/accounts/{state.account_id}"
        units = tuple(
            Unit(name, tuple(_flat(state) for state in flats), waiting.pop(0) if waiting else None)
            for name, flats in sorted(by_unit.items())
        )
        floors = max([building.floors, *(state.space.floor for state in states)])
        houses.append(House(building.name, floors, units))
    return houses, paths


def _flat(state: SpaceState) -> Flat:
    label = state.space.code.rpartition("-")[2]
    return Flat(state.space.code, label, state.space.floor, _mark(state))


def _mark(state: SpaceState) -> Mark:
    if state.alarms_open:
        return Mark.CRITICAL
    if state.meters_held or state.meters_overdue:
        return Mark.ATTENTION
    return Mark.VACANT if state.account_id is None else Mark.NONE
