"""A site's buildings made ready to draw: every flat, what is wrong there, and where a click leads."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from enum import Enum

from cloud.console.pictures.building import Flat, House, Lift, Mark, Unit
from cloud.domain.access import Action, may
from cloud.domain.ids import AccountId, SiteId, SpaceId
from cloud.domain.premises import Building, SpaceKind, SpaceState
from cloud.domain.space_history import SpaceStatus
from cloud.domain.user import User
from cloud.services import payments, premises, spaces
from cloud.store.db import Tx

# More than three buildings of a hundred flats are no picture any more: one building is.
_HOMES_DRAWN_MAX = 300
# After three months a debt is no oversight any more: the third bucket of ageing.
_GRAVE_AFTER_DAYS = 90


def drawn_of(buildings: Sequence[Building], wanted: str, homes: int) -> Sequence[Building]:
    """Return the buildings a picture has: all of a small site, else the one that is wanted, or the first."""
    chosen = [one for one in buildings if one.code == wanted]
    if chosen:
        return chosen
    return buildings if homes <= _HOMES_DRAWN_MAX else buildings[:1]


def houses_of(
    tx: Tx, actor: User, site_id: SiteId, buildings: Sequence[Building], lifts: Sequence[Lift] = ()
) -> tuple[list[House], dict[str, str]]:
    """Return buildings of a site, and the address of each flat's account by the flat's code.

    Who may not open accounts gets no address.

    Lifts are given to units in order, one each: which lift serves which unit is not recorded yet.
    """
    opens_accounts = may(actor, Action.READ_LEDGER)
    waiting = list(lifts)
    houses = []
    paths: dict[str, str] = {}
    for building in buildings:
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


class Layer(Enum):
    """What the picture of premises shows by its colours."""

    OCCUPANCY = "occupancy"
    ARREARS = "arrears"
    ALARMS = "alarms"


_OCCUPATION = {
    SpaceStatus.COMMON: Mark.NONE,
    SpaceStatus.LET: Mark.WAITING,
    SpaceStatus.NOT_HANDED_OVER: Mark.CLOSED,
    SpaceStatus.OCCUPIED: Mark.NONE,
    SpaceStatus.RENOVATING: Mark.ATTENTION,
    SpaceStatus.VACANT: Mark.VACANT,
}
_DRAWN = frozenset({SpaceKind.FLAT, SpaceKind.SHOP})


def layered_houses(
    tx: Tx, actor: User, site_id: SiteId, buildings: Sequence[Building], layer: Layer, on: date
) -> tuple[list[House], dict[str, str], dict[str, int]]:
    """Return buildings with one thing shown on a day: houses, each space's page, and how many are marked how.

    What is below ground is listed and not drawn.
    """
    owing = _owing(tx, actor, site_id, on) if layer is Layer.ARREARS else {}
    alarmed: dict[SpaceId, Mark] = {}
    houses: list[House] = []
    paths: dict[str, str] = {}
    legend: Counter[str] = Counter()
    for building in buildings:
        if layer is Layer.ALARMS:
            states = premises.building_picture(tx, actor, site_id, building.building_id)
            alarmed = {state.space.space_id: _mark(state) for state in states if state.alarms_open}
        by_unit: dict[str, list[Flat]] = {}
        for one in spaces.of_building(tx, actor, site_id, building.building_id, on):
            if one.space.kind not in _DRAWN or one.space.floor < 1:
                continue
            if layer is Layer.OCCUPANCY:
                mark = _OCCUPATION[one.status]
                legend[one.status.value] += 1
            else:
                mark = alarmed.get(one.space.space_id, Mark.NONE)
                if one.account_id is not None:
                    mark = owing.get(one.account_id, mark)
                legend[mark.value] += 1
            label = one.space.code.rpartition("-")[2]
            by_unit.setdefault(one.space.unit_code, []).append(
                Flat(one.space.code, label, one.space.floor, mark)
            )
            paths[one.space.code] = f"/premises/{one.space.code}"
        floors = max([building.floors, *(flat.floor for flats in by_unit.values() for flat in flats)])
        units = tuple(Unit(name, tuple(flats)) for name, flats in sorted(by_unit.items()))
        if units:
            houses.append(House(building.name, floors, units))
    return houses, paths, dict(legend)


def _owing(tx: Tx, actor: User, site_id: SiteId, on: date) -> dict[AccountId, Mark]:
    """Return how grave each account's debt is: amber when it is overdue, red after ninety days."""
    grave_before = on - timedelta(days=_GRAVE_AFTER_DAYS)
    return {
        one.account_id: Mark.CRITICAL if one.oldest_due_on < grave_before else Mark.ATTENTION
        for one in payments.list_arrears(tx, actor, site_id, on)
    }


def _flat(state: SpaceState) -> Flat:
    label = state.space.code.rpartition("-")[2]
    return Flat(state.space.code, label, state.space.floor, _mark(state))


def _mark(state: SpaceState) -> Mark:
    if state.alarms_open:
        return Mark.CRITICAL
    if state.meters_held or state.meters_overdue:
        return Mark.ATTENTION
    return Mark.VACANT if state.account_id is None else Mark.NONE
