"""Set up a whole site from one document (`cloud.domain.site_document` shows its shape).

The invariant: a document adds, it never edits or removes. Loading it again changes nothing; where it
contradicts what is there, or names what nobody has, nothing at all is loaded and every such place is told.
"""

from collections.abc import Sequence
from decimal import Decimal

from cloud.domain.access import Action, require
from cloud.domain.dispatch import Shift
from cloud.domain.errors import GatehouseError, Invalid
from cloud.domain.ids import SiteId
from cloud.domain.people import Supply
from cloud.domain.periods import time_zone
from cloud.domain.site_document import (
    AccountEntry,
    BuildingEntry,
    ServicePointEntry,
    SiteDocument,
    SiteEntry,
    SpaceEntry,
    SubscriptionEntry,
    SupplyEntry,
    TechnicianEntry,
    UserEntry,
)
from cloud.domain.space_history import SpaceFacts, first_use
from cloud.domain.user import User
from cloud.services import subscriptions, tariffs, technicians, users
from cloud.services.passwords import hash_password
from cloud.services.setup_equipment import load_equipment
from cloud.services.setup_field import load_gateways, load_installations, load_meters
from cloud.services.setup_known import Known
from cloud.services.setup_people import load_people
from cloud.store import audit, people, premises
from cloud.store import subscriptions as subscription_store
from cloud.store import technicians as technician_store
from cloud.store import users as user_store
from cloud.store.db import Tx


def load_building(tx: Tx, actor: User, document: SiteDocument) -> SiteId:
    """Create what the document names and is not there yet, in one transaction; return the site.

    Invalid lists every contradiction and every code that neither document nor database has. Passwords of
    new users are hashed here, some tens of milliseconds each.
    """
    require(actor, Action.MANAGE_PREMISES)
    known = Known(tx, actor, _load_site(tx, document.site))
    _load_buildings(known, document.buildings)
    load_gateways(known, document.gateways)
    _load_service_points(known, document.service_points)
    load_meters(known, document.meters)
    load_installations(known, document.installations)
    _load_accounts(known, document.accounts)
    _load_tariffs(known, [bytes(raw) for raw in document.tariffs])
    _load_supplies(known, document.supplies)
    _load_subscriptions(known, document.subscriptions)
    load_equipment(known, document.equipment)
    _load_users(known, document.users)
    _load_technicians(known, document.technicians)
    load_people(known, document.people)
    if known.problems:
        count = len(known.problems)
        raise Invalid(f"the site document has {count} problem(s); nothing was loaded", known.problems)
    audit.record(tx, actor.user_id, "load_site_document", "site", known.site_id)
    return known.site_id


def _load_site(tx: Tx, entry: SiteEntry) -> SiteId:
    time_zone(entry.time_zone)
    found = premises.find_site_by_code(tx, entry.code)
    if found is None:
        return premises.insert_site(tx, entry.code, entry.name, entry.time_zone, entry.address)
    if found.time_zone != entry.time_zone:
        raise Invalid(
            f"site {entry.code} is in {found.time_zone}, the document says {entry.time_zone}: "
            "what is billed already would begin at other moments"
        )
    return found.site_id


def _load_buildings(known: Known, entries: Sequence[BuildingEntry]) -> None:
    buildings = {one.code: one for one in premises.list_buildings(known.tx, known.site_id)}
    spaces = {one.code: one for one in premises.list_spaces(known.tx, known.site_id)}
    known.spaces |= {code: one.space_id for code, one in spaces.items()}
    known.buildings |= {code: one.building_id for code, one in buildings.items()}
    for number, entry in enumerate(entries):
        place = f"/buildings/{number}"
        if entry.code in buildings:
            known.compare(place, floors=(buildings[entry.code].floors, entry.floors))
        else:
            known.buildings[entry.code] = premises.insert_building(
                known.tx, known.site_id, entry.code, entry.name, entry.floors
            )
        for space_number, space in enumerate(entry.spaces):
            if space.code in spaces:
                known.compare(
                    f"{place}/spaces/{space_number}",
                    kind=(spaces[space.code].kind.value, space.kind.value),
                    built_area_dm2=(spaces[space.code].built_area_dm2, space.built_area_dm2),
                )
            elif space.code in known.spaces:
                known.wrong(f"{place}/spaces/{space_number}", f"the code {space.code!r} is there twice")
            else:
                known.spaces[space.code] = premises.insert_space(
                    known.tx,
                    known.buildings[entry.code],
                    space.code,
                    space.unit_code,
                    space.floor,
                    space.kind,
                    space.built_area_dm2,
                    _facts(known, f"{place}/spaces/{space_number}", space),
                    known.actor.person_id,
                )


def _facts(known: Known, place: str, entry: SpaceEntry) -> SpaceFacts | None:
    try:
        return SpaceFacts(
            entry.built_area_dm2,
            entry.inner_area_dm2,
            entry.layout,
            entry.orientation,
            entry.use or first_use(entry.kind),
            entry.title_number,
            entry.status,
            entry.handed_over_on,
        )
    except Invalid as error:
        known.wrong(place, str(error))
        return None


def _load_service_points(known: Known, entries: Sequence[ServicePointEntry]) -> None:
    there = {one.code: one for one in premises.list_service_points(known.tx, known.site_id)}
    known.service_points |= {code: one.service_point_id for code, one in there.items()}
    for number, entry in enumerate(entries):
        place = f"/service_points/{number}"
        space_id = known.find(known.spaces, entry.space, f"{place}/space", "space")
        if entry.code in there:
            known.compare(
                place,
                commodity=(there[entry.code].commodity.value, entry.commodity.value),
                kind=(there[entry.code].kind.value, entry.kind.value),
                space=(there[entry.code].space_id, space_id),
            )
        elif entry.kind.value == "flat" and space_id is None:
            known.wrong(f"{place}/space", "a flat's service point is in a space")
        elif entry.code in known.service_points:
            known.wrong(place, f"the code {entry.code!r} is there twice")
        else:
            known.service_points[entry.code] = premises.insert_service_point(
                known.tx, known.site_id, space_id, entry.code, entry.commodity, entry.kind
            )


def _load_accounts(known: Known, entries: Sequence[AccountEntry]) -> None:
    there = people.accounts_by_number(known.tx, known.site_id)
    known.accounts |= {number: one.account_id for number, one in there.items()}
    for number, entry in enumerate(entries):
        place = f"/accounts/{number}"
        space_id = known.find(known.spaces, entry.space, f"{place}/space", "space")
        if entry.number in there:
            known.compare(
                place,
                holder_name=(there[entry.number].holder_name, entry.holder_name),
                household_size=(there[entry.number].household_size, entry.household_size),
                space=(there[entry.number].space_id, space_id),
            )
        elif entry.number in known.accounts:
            known.wrong(place, f"the number {entry.number!r} is there twice")
        else:
            known.accounts[entry.number] = people.insert_account(
                known.tx,
                known.site_id,
                entry.number,
                entry.holder_name,
                space_id,
                entry.household_size,
                entry.opened_on,
            )


def _load_tariffs(known: Known, bodies: Sequence[bytes]) -> None:
    for number, body in enumerate(bodies):
        try:
            tariffs.import_document(known.tx, known.actor, body, activate=True)
        except Invalid as error:
            known.problems += [
                problem._replace(pointer=f"/tariffs/{number}{problem.pointer}") for problem in error.problems
            ]
            known.wrong(f"/tariffs/{number}", str(error))
        except GatehouseError as error:
            known.wrong(f"/tariffs/{number}", str(error))


def _load_supplies(known: Known, entries: Sequence[SupplyEntry]) -> None:
    for number, entry in enumerate(entries):
        place = f"/supplies/{number}"
        account_id = known.find(known.accounts, entry.account, f"{place}/account", "account")
        point_id = known.find(
            known.service_points, entry.service_point, f"{place}/service_point", "service point"
        )
        if account_id is None or point_id is None:
            continue
        if entry.to_on is not None and entry.to_on <= entry.from_on:
            known.wrong(f"{place}/to_on", f"{entry.to_on} is not after {entry.from_on}")
            continue
        said = Supply(account_id, point_id, entry.tariff, entry.from_on, entry.to_on)
        there = people.supplies_of_service_point(known.tx, point_id)
        if said in there:
            continue
        rival = next((one for one in there if _meet(one, said)), None)
        if rival is not None:
            known.wrong(
                place,
                f"{entry.service_point} is supplied by {rival.tariff_code} from {rival.from_on} already: "
                "end that supply first",
            )
        else:
            people.insert_supply(known.tx, said)


def _load_subscriptions(known: Known, entries: Sequence[SubscriptionEntry]) -> None:
    for number, entry in enumerate(entries):
        place = f"/subscriptions/{number}"
        account_id = known.find(known.accounts, entry.account, f"{place}/account", "account")
        if account_id is None:
            continue
        there = {
            (one.tariff_code, one.label) for one in subscription_store.subscriptions_of(known.tx, account_id)
        }
        if (entry.tariff, entry.label) in there:
            continue
        try:
            subscriptions.subscribe(
                known.tx,
                known.actor,
                account_id,
                entry.tariff,
                entry.from_on,
                label=entry.label,
                count=entry.count,
                area_m2=None if entry.area_m2 is None else Decimal(entry.area_m2),
            )
        except GatehouseError as error:
            known.wrong(place, str(error))


def _load_users(known: Known, entries: Sequence[UserEntry]) -> None:
    for number, entry in enumerate(entries):
        place = f"/users/{number}"
        account_ids = [
            known.find(known.accounts, code, f"{place}/accounts/{index}", "account")
            for index, code in enumerate(entry.accounts)
        ]
        found = user_store.find_by_login(known.tx, entry.login)
        own = frozenset(account_id for account_id in account_ids if account_id is not None)
        if found is not None:
            # A password that was changed since stays changed.
            known.compare(place, role=(found.user.role.value, entry.role.value))
            user_store.add_accounts(known.tx, found.user.user_id, own)
            continue
        try:
            users.create_user(
                known.tx,
                known.actor,
                entry.login,
                entry.display_name,
                entry.role,
                hash_password(entry.password),
                entry.locale,
                own,
            )
        except GatehouseError as error:
            known.wrong(place, str(error))


def _load_technicians(known: Known, entries: Sequence[TechnicianEntry]) -> None:
    there = {one.user_id for one in technician_store.list_technicians(known.tx)}
    for number, entry in enumerate(entries):
        place = f"/technicians/{number}"
        found = user_store.find_by_login(known.tx, entry.user)
        if found is None:
            known.wrong(f"{place}/user", f"there is no user {entry.user!r}")
        elif found.user.user_id not in there:  # what was said of somebody since stays
            shift = Shift(frozenset(entry.weekdays), entry.from_minute, entry.to_minute)
            try:
                technicians.set_technician(
                    known.tx, known.actor, found.user.user_id, entry.skills, entry.buildings, shift
                )
            except GatehouseError as error:
                known.wrong(place, str(error))


def _meet(one: Supply, other: Supply) -> bool:
    """Tell whether two supplies of a place by the same tariff, or by two people, share a day."""
    if one.tariff_code != other.tariff_code and one.account_id == other.account_id:
        return False
    return (one.to_on is None or other.from_on < one.to_on) and (
        other.to_on is None or one.from_on < other.to_on
    )
