"""Sites, buildings, spaces and accounts: what there is to serve, and for whom."""

import re
from collections.abc import Collection

from cloud.domain.access import Action, require, require_account, sees_bills
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AccountId, BuildingId, SiteId, SpaceId
from cloud.domain.page import Page, checked_limit, key_from_cursor, page_of
from cloud.domain.people import Account, Supply
from cloud.domain.periods import local_date, time_zone
from cloud.domain.premises import Building, ServicePoint, Site, Space, SpaceState
from cloud.domain.user import Role, User
from cloud.store import audit, people, premises, space_states
from cloud.store.db import Tx

SITE_NAME_LENGTH_MAX = 100
# It leads the numbers of invoices and repairs, so it must be quick to say.
_SITE_CODE = re.compile(r"[A-Za-z0-9]{1,10}")
# Beyond this nobody scrolls a list of homes; whoever fills the form in types the number.
OFFERED_MAX = 500


def list_sites(tx: Tx, actor: User) -> list[Site]:
    """Return the sites by code."""
    require(actor, Action.READ_PREMISES)
    return premises.list_sites(tx)


def sites_of_staff(tx: Tx, actor: User) -> list[Site]:
    """Return the sites whose names stand above what somebody works with; a resident's are their homes'."""
    return [] if actor.role is Role.RESIDENT else premises.list_sites(tx)


def add_site(tx: Tx, actor: User, code: str, name: str, address: str, zone: str) -> Site:
    """Add a site; Conflict if the company has one of that code."""
    require(actor, Action.MANAGE_SITES)
    if not _SITE_CODE.fullmatch(code):
        raise Invalid(f"the code {code!r} is not 1 to 10 letters and digits")
    if not 1 <= len(name) <= SITE_NAME_LENGTH_MAX:
        raise Invalid(f"the name has {len(name)} characters, expected 1 to {SITE_NAME_LENGTH_MAX}")
    time_zone(zone)
    if premises.find_site_by_code(tx, code) is not None:
        raise Conflict(f"there is a site {code!r} already")
    site_id = premises.insert_site(tx, code, name, zone, address)
    audit.record(tx, actor.user_id, "add_site", "site", site_id, {"code": code})
    return site_of(tx, site_id)


def get_site(tx: Tx, actor: User, site_id: SiteId) -> Site:
    """Return one site."""
    require(actor, Action.READ_PREMISES)
    return site_of(tx, site_id)


def site_by_code(tx: Tx, actor: User, code: str) -> Site:
    """Return the site of that code; NotFound if there is none."""
    require(actor, Action.READ_PREMISES)
    found = premises.find_site_by_code(tx, code)
    if found is None:
        raise NotFound(f"there is no site {code!r}")
    return found


def site_of(tx: Tx, site_id: SiteId) -> Site:
    """Return the site of something already allowed; NotFound if there is none of that id."""
    found = premises.find_site(tx, site_id)
    if found is None:
        raise NotFound(f"there is no site {site_id}")
    return found


def list_buildings(tx: Tx, actor: User, site_id: SiteId) -> list[Building]:
    """Return a site's buildings by code."""
    require(actor, Action.READ_PREMISES)
    site_of(tx, site_id)
    return premises.list_buildings(tx, site_id)


def list_spaces(tx: Tx, actor: User, site_id: SiteId, building_id: BuildingId | None = None) -> list[Space]:
    """Return the spaces of a site, or of one of its buildings, by building, floor and code."""
    require(actor, Action.READ_PREMISES)
    site_of(tx, site_id)
    return premises.list_spaces(tx, site_id, building_id)


def count_homes(tx: Tx, actor: User, site_id: SiteId) -> int:
    """Return how many flats and shops a site has."""
    require(actor, Action.READ_PREMISES)
    return premises.count_homes(tx, site_id)


def find_spaces(tx: Tx, actor: User, space_ids: Collection[SpaceId]) -> dict[SpaceId, Space]:
    """Return spaces by id; unknown ids are left out."""
    require(actor, Action.READ_PREMISES)
    return premises.find_spaces(tx, space_ids)


def space_called(tx: Tx, actor: User, site_id: SiteId, code: str) -> Space | None:
    """Return the space people call so, or None; of several the first building's."""
    require(actor, Action.READ_PREMISES)
    found = premises.spaces_called(tx, site_id, code)
    return premises.find_space(tx, found[0]) if found else None


def offered_codes(tx: Tx, actor: User, site_id: SiteId) -> tuple[str, ...]:
    """Return what a site's spaces are called, for a form to offer; none where they are too many to offer."""
    require(actor, Action.READ_PREMISES)
    found = premises.space_codes(tx, site_id, OFFERED_MAX + 1)
    return tuple(found) if len(found) <= OFFERED_MAX else ()


def list_service_points(tx: Tx, actor: User, site_id: SiteId) -> list[ServicePoint]:
    """Return the places of a site where something is measured, by code."""
    require(actor, Action.READ_PREMISES)
    site_of(tx, site_id)
    return premises.list_service_points(tx, site_id)


def building_picture(tx: Tx, actor: User, site_id: SiteId, building_id: BuildingId) -> list[SpaceState]:
    """Return every space of a building with what is not normal there, from the top floor down."""
    require(actor, Action.READ_PREMISES)
    today = local_date(tx.now_ms, time_zone(site_of(tx, site_id).time_zone))
    return space_states.list_states(tx, building_id, today)


def list_accounts(
    tx: Tx, actor: User, site_id: SiteId, search: str = "", cursor: str | None = None, limit: int = 50
) -> Page[Account]:
    """Return a site's accounts by number; `search` is part of a number, holder's name or space's code."""
    require(actor, Action.READ_PREMISES)
    checked_limit(limit)
    site_of(tx, site_id)
    after = str(key_from_cursor(cursor, str)[0]) if cursor else ""
    found = people.list_accounts(tx, site_id, search.strip()[:100], after, limit + 1)
    return page_of(found, limit, lambda last: (last.number,))


def get_account(tx: Tx, actor: User, account_id: AccountId) -> tuple[Account, list[Supply]]:
    """Return one account and what is supplied to it; to a resident others than their own do not exist."""
    require(actor, Action.READ_OWN_ACCOUNTS)
    require_account(actor, account_id)
    found = people.find_account(tx, account_id)
    if found is None:
        raise NotFound("there is no such account")
    return found, people.supplies_of_account(tx, account_id)


def account_numbered(tx: Tx, actor: User, site_id: SiteId, number: str) -> Account:
    """Return the account of that number."""
    require(actor, Action.READ_PREMISES)
    found = people.find_by_number(tx, site_id, number)
    if found is None:
        raise NotFound(f"the site has no account {number!r}")
    return found


def billed_accounts(tx: Tx, actor: User) -> list[Account]:
    """Return those of the actor's accounts whose bills they may see, by number."""
    return [one for one in own_accounts(tx, actor) if sees_bills(actor, one.account_id)]


def own_accounts(tx: Tx, actor: User) -> list[Account]:
    """Return the accounts tied to the actor, by number; none for staff."""
    require(actor, Action.READ_OWN_ACCOUNTS)
    found = [people.find_account(tx, account_id) for account_id in sorted(actor.account_ids)]
    return sorted((account for account in found if account is not None), key=lambda account: account.number)
