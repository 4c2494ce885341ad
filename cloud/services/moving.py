"""Moving in and out as one act: people, account, supplies and the dials of the day change hands together.

The invariant: on the day of the move one account ends where the next begins, at the same registers;
nobody pays for a day they did not live there, and no meter is left without one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from cloud.domain.access import Action, require
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AccountId, InstallationId, PersonId, SiteId, SpaceId
from cloud.domain.invoice import InvoiceKind
from cloud.domain.people import Account, Supply
from cloud.domain.periods import billing_month, local_date, time_zone
from cloud.domain.person import MeterAtMove, MovePlan, Occupancy, Relation
from cloud.domain.premises import ServicePoint, Site, Space
from cloud.domain.space_history import SpaceStatus
from cloud.domain.usage import DialReading
from cloud.domain.user import User
from cloud.services import badges, households, ledger, manual_readings, persons, spaces
from cloud.services.premises import site_of
from cloud.store import audit, invoices, meters, people, premises
from cloud.store import persons as person_store
from cloud.store.db import Tx
from cloud.store.numbers import next_number

_PAPERS_MAX = 200


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who moves in and becomes the account's holder; who is known already is named by id."""

    person_id: PersonId | None
    name: str
    phone: str
    relation: Relation
    household_size: int


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move has changed."""

    ended: Account | None
    opened: Account | None
    person_id: PersonId | None


def plan(tx: Tx, actor: User, space_id: SpaceId, on: date) -> MovePlan:
    """Return what a move on a day would change, and which dials a person must still read."""
    require(actor, Action.MANAGE_PEOPLE)
    site, space = _place(tx, space_id)
    account = _account_on(tx, space_id, on)
    points = _points(tx, site, space_id)
    _, tariffs = _supplies(tx, points)
    leaving = [one for one in person_store.occupancies_of_space(tx, space_id) if _may_leave(one, on)]
    names = [person_store.find_person(tx, one.person_id) for one in leaving]
    return MovePlan(
        space_id,
        space.code,
        on,
        None if account is None else account.account_id,
        "" if account is None else account.number,
        "" if account is None else account.holder_name,
        0 if account is None else ledger.balance(tx, actor, account.account_id),
        tuple(one.name for one in names if one is not None),
        tuple(_meter_on(tx, actor, point, on) for point in points),
        tuple(sorted({code for codes in tariffs.values() for code in codes})),
        None if account is None else _billed_until(tx, account.account_id),
    )


def move(
    tx: Tx,
    actor: User,
    space_id: SpaceId,
    on: date,
    arriving: Arrival | None,
    dials: Mapping[str, Decimal] | None = None,
) -> Moved:
    """Let who lives in a space leave on a day, and somebody else begin on it; nobody: it stands empty.

    `dials` are registers a person read, by installation. Conflict where a dial of the day is not known,
    or the day has been billed already; nothing is changed then.
    """
    require(actor, Action.MANAGE_PEOPLE)
    site, space = _place(tx, space_id)
    today = local_date(tx.now_ms, time_zone(site.time_zone))
    if on > today:
        raise Invalid(f"{on} has not begun: the registers of the day cannot be known yet")
    planned = plan(tx, actor, space_id, on)
    if planned.account_id is None and arriving is None:
        raise Conflict(f"{space.code} has no account that could end on {on}")
    if planned.billed_until is not None and planned.billed_until > on:
        raise Conflict(
            f"{planned.account_number} is billed until {planned.billed_until}: take that bill back first"
        )
    _read_dials(tx, actor, planned, dials or {})
    ended = _leave(tx, actor, site.site_id, planned)
    opened, person_id = None, None
    if arriving is not None:
        opened, person_id = _arrive(tx, actor, site, planned, arriving)
    is_let = arriving is not None and arriving.relation is Relation.TENANT
    spaces.record_occupation(tx, actor, space_id, on, SpaceStatus.LET if is_let else None, "")
    detail = {
        "on": on.isoformat(),
        "ended": planned.account_number,
        "opened": "" if opened is None else opened.number,
    }
    audit.record(tx, actor.user_id, "move", "space", space_id, detail)
    return Moved(ended, opened, person_id)


def _read_dials(tx: Tx, actor: User, planned: MovePlan, dials: Mapping[str, Decimal]) -> None:
    for meter in planned.meters:
        value = dials.get(meter.installation_id)
        if value is not None:
            installation_id = InstallationId(meter.installation_id)
            manual_readings.record_reading(
                tx, actor, installation_id, planned.on, value, f"change of hands {planned.on}"
            )
    lacking = [meter.serial for meter in planned.missing if meter.installation_id not in dials]
    if lacking:
        raise Conflict(f"the register of {planned.on} is not known of meter {', '.join(lacking)}: read it")


def _leave(tx: Tx, actor: User, site_id: SiteId, planned: MovePlan) -> Account | None:
    leaving = [
        one.occupancy_id
        for one in person_store.occupancies_of_space(tx, planned.space_id)
        if _may_leave(one, planned.on)
    ]
    if leaving:
        person_store.end_occupancies(tx, leaving, planned.on)
    if planned.account_id is None:
        return None
    people.close_account(tx, planned.account_id, planned.on)
    people.end_supplies(tx, planned.account_id, planned.on)
    households.end_with_account(tx, actor, planned.account_id)
    badges.end_of_account(tx, actor, planned.account_id, site_id)
    audit.record(tx, actor.user_id, "close_account", "account", planned.account_id)
    return people.find_account(tx, planned.account_id)


def _arrive(
    tx: Tx, actor: User, site: Site, planned: MovePlan, arriving: Arrival
) -> tuple[Account, PersonId]:
    if arriving.household_size < 1:
        raise Invalid(f"the household has {arriving.household_size} persons, expected at least 1")
    person_id = arriving.person_id
    if person_id is None:
        person_id = persons.add_person(tx, actor, site.site_id, arriving.name, arriving.phone).person_id
    found = person_store.find_person(tx, person_id)
    if found is None:
        raise NotFound(f"there is no person {person_id}")
    persons.relate(tx, actor, person_id, planned.space_id, arriving.relation, planned.on)
    points = _points(tx, site, planned.space_id)
    _, tariffs = _supplies(tx, points)
    number = _free_number(tx, site, planned)
    account_id = people.insert_account(
        tx, site.site_id, number, found.name, planned.space_id, arriving.household_size, planned.on
    )
    for point in points:
        for code in tariffs.get(point.code, ()):
            people.insert_supply(tx, Supply(account_id, point.service_point_id, code, planned.on, None))
    audit.record(tx, actor.user_id, "open_account", "account", account_id)
    opened = people.find_account(tx, account_id)
    assert opened is not None, "it has just been opened"
    return opened, person_id


def _free_number(tx: Tx, site: Site, planned: MovePlan) -> str:
    """Return the next account number of a home: `A-00101`, then `A-00101-2`, `A-00101-3`."""
    own = [one.number for one in people.accounts_of_spaces(tx, [planned.space_id])]
    base = planned.account_number or min(own, key=len, default="")
    if not base:
        while _is_taken(tx, site, fresh := f"A-N{next_number(tx, site.code, 'account'):04d}"):
            pass
        return fresh
    root = base.rpartition("-")[0] if base.count("-") > 1 else base
    following = 2
    while _is_taken(tx, site, f"{root}-{following}"):
        following += 1
    return f"{root}-{following}"


def _is_taken(tx: Tx, site: Site, number: str) -> bool:
    return people.find_by_number(tx, site.site_id, number) is not None


def _place(tx: Tx, space_id: SpaceId) -> tuple[Site, Space]:
    site_id, space = premises.site_of_space(tx, space_id), premises.find_space(tx, space_id)
    if site_id is None or space is None:
        raise NotFound(f"there is no space {space_id}")
    return site_of(tx, site_id), space


def _account_on(tx: Tx, space_id: SpaceId, on: date) -> Account | None:
    """Return the account that is open on the day before `on`, or begins on it."""
    for account in people.accounts_of_spaces(tx, [space_id]):
        if account.closed_on is None and account.opened_on < on:
            return account
    return None


def _points(tx: Tx, site: Site, space_id: SpaceId) -> list[ServicePoint]:
    return premises.list_service_points(tx, site.site_id, space_id)


def _supplies(
    tx: Tx, points: Sequence[ServicePoint]
) -> tuple[dict[str, list[Supply]], dict[str, tuple[str, ...]]]:
    """Return each point's supplies, and the tariffs of those that were the last."""
    every = {point.code: people.supplies_of_service_point(tx, point.service_point_id) for point in points}
    tariffs = {}
    for code, supplies in every.items():
        last = max((one.from_on for one in supplies), default=None)
        tariffs[code] = tuple(sorted({one.tariff_code for one in supplies if one.from_on == last}))
    return every, tariffs


def _meter_on(tx: Tx, actor: User, point: ServicePoint, on: date) -> MeterAtMove:
    hung = [one for one in meters.installations_of(tx, point.service_point_id) if one.to_at_ms is None]
    if not hung:
        return MeterAtMove(point.code, "", "", "", None, None, "no meter hangs there")
    installation = hung[-1]
    unit = {"electricity": "kWh", "water": "m3"}[point.commodity.value]
    try:
        read = manual_readings.nearest_reading(tx, actor, installation.installation_id, on)
    except Conflict as error:
        read = ("not_begun", str(error))
    if isinstance(read, DialReading):
        return MeterAtMove(
            point.code,
            installation.meter.serial,
            installation.installation_id,
            unit,
            read.value_micro,
            read.measured_at_ms,
            "",
        )
    return MeterAtMove(
        point.code, installation.meter.serial, installation.installation_id, unit, None, None, read[1]
    )


def _billed_until(tx: Tx, account_id: AccountId) -> date | None:
    """Return the day the last bill ends before that was not taken back."""
    papers = invoices.list_summaries(
        tx, site_id=None, account_ids=[account_id], period_code=None, before_id=None, limit=_PAPERS_MAX
    )
    standing: dict[str, int] = {}
    for paper in papers:
        step = 1 if paper.kind is InvoiceKind.INVOICE else -1
        standing[paper.period_code] = standing.get(paper.period_code, 0) + step
    return max((billing_month(code).end_on for code, count in standing.items() if count > 0), default=None)


def _may_leave(one: Occupancy, on: date) -> bool:
    return one.to_on is None and one.from_on < on
