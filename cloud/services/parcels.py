"""Parcels: taken in for a home, which is told, and handed out once against six digits.

The invariant: who hands out sees where a parcel goes and lies, never its code; who guesses waits ever longer.
"""

import secrets

from cloud.domain.access import Action, require
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import ParcelId, SiteId
from cloud.domain.notice import NewNotice, Topic
from cloud.domain.parcel import CARRIER_LENGTH_MAX, CODE_DIGITS, SHELF_LENGTH_MAX, Parcel
from cloud.domain.rate_limit import PARCEL_CODE_PER_USER
from cloud.domain.user import User
from cloud.services.notices import notify, withdraw
from cloud.services.premises import site_of
from cloud.services.rate_limits import guess
from cloud.store import audit, parcels, people
from cloud.store.db import Database, Tx

_CODES_TRIED = 8
_LISTED_MAX = 200
_DAY_MS = 24 * 3_600_000


def take_in(tx: Tx, actor: User, site_id: SiteId, home: str, carrier: str = "", shelf: str = "") -> Parcel:
    """Put a parcel on the shelf for a home, named as people do (`1-101`, `A-00101`), and tell it."""
    require(actor, Action.HANDLE_PARCELS)
    wanted = home.strip()
    for name, value, longest in (
        ("carrier", carrier, CARRIER_LENGTH_MAX),
        ("shelf", shelf, SHELF_LENGTH_MAX),
    ):
        if len(value) > longest:
            raise Invalid(f"the {name} has {len(value)} characters, expected 0 to {longest}")
    site = site_of(tx, site_id)
    account = next(
        (
            one
            for one in people.list_accounts(tx, site_id, wanted, "", _LISTED_MAX)
            if wanted in (one.space_code, one.number) and one.closed_on is None
        ),
        None,
    )
    if account is None or not wanted:
        raise NotFound(f"nobody lives at {wanted!r}: type the home as on its door, 1-101")
    for _ in range(_CODES_TRIED):
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        parcel_id = parcels.insert_parcel(
            tx, site_id, account.account_id, carrier.strip(), shelf.strip(), code, actor.person_id
        )
        if parcel_id is None:
            continue
        audit.record(tx, actor.user_id, "take_in_parcel", "parcel", parcel_id)
        notify(
            tx,
            NewNotice(
                Topic.ANNOUNCEMENT,
                f"parcel:{parcel_id}",
                {
                    "site": site.name,
                    "title": "parcel_taken_in",
                    "text": f"{account.space_code} {carrier.strip()}".strip(),
                },
                account_id=account.account_id,
                about=f"parcel:{parcel_id}",
                link="/home/parcels",
            ),
        )
        return _found(tx, parcel_id)
    raise Conflict("no free code was found: try again")


def list_shelf(tx: Tx, actor: User, site_id: SiteId) -> list[Parcel]:
    """Return what is on the shelf and what was handed out within a day, without codes."""
    require(actor, Action.HANDLE_PARCELS)
    site_of(tx, site_id)
    return parcels.parcels_of_site(tx, site_id, tx.now_ms - _DAY_MS, _LISTED_MAX)


def own_parcels(tx: Tx, actor: User) -> list[Parcel]:
    """Return the parcels of the actor's homes with their codes."""
    require(actor, Action.USE_COMMUNITY)
    return parcels.parcels_of_accounts(tx, actor.account_ids, _LISTED_MAX) if actor.account_ids else []


async def hand_out_by_code(database: Database, actor: User, site_id: SiteId, code: str) -> Parcel:
    """Hand out the parcel of a code; TooMany for who tries too often, for it may be a guess."""
    return await guess(
        database,
        actor.tenant_id,
        [(PARCEL_CODE_PER_USER, actor.user_id)],
        lambda: database.write(actor.tenant_id, hand_out, actor, site_id, code),
        NotFound,
    )


def hand_out(tx: Tx, actor: User, site_id: SiteId, code: str) -> Parcel:
    """Hand out the parcel of a code, once."""
    require(actor, Action.HANDLE_PARCELS)
    site_of(tx, site_id)
    digits = "".join(sign for sign in code if sign.isdecimal())
    found = parcels.find_by_code(tx, site_id, digits) if len(digits) == CODE_DIGITS else None
    if found is None:
        raise NotFound("no parcel on the shelf has this code")
    if not parcels.hand_out(tx, found.parcel_id, actor.person_id):
        raise Conflict("the parcel was handed out already")
    withdraw(tx, f"parcel:{found.parcel_id}")
    audit.record(tx, actor.user_id, "hand_out_parcel", "parcel", found.parcel_id)
    return _found(tx, found.parcel_id)


def _found(tx: Tx, parcel_id: ParcelId) -> Parcel:
    found = parcels.find_parcel(tx, parcel_id)
    if found is None:
        raise NotFound(f"there is no parcel {parcel_id}")
    return found
