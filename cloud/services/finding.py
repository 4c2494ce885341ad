"""Finding anything of a site by what people call it: each kind for those who may read its list.

The invariant: a search shows nothing its actor's own lists would not; whole numbers of people are
compared sealed and come back masked.
"""

from collections.abc import Callable, Sequence

from cloud.domain.access import Action, may, require
from cloud.domain.errors import Invalid
from cloud.domain.finding import EACH_MAX, SEARCH_LENGTH_MAX, Found, FoundKind
from cloud.domain.ids import SiteId
from cloud.domain.user import User
from cloud.services import invoices, meters, persons, premises
from cloud.store import finding
from cloud.store.db import Tx

_OF_ONE_HOME = 3  # its last bills, when one home was meant

_Finder = Callable[[Tx, User, SiteId, str], Sequence[Found]]


def find(tx: Tx, actor: User, site_id: SiteId, text: str) -> list[Found]:
    """Return what of a site is called like this, at most a few of each kind, in the order of the kinds."""
    require(actor, Action.READ_PREMISES)
    premises.site_of(tx, site_id)
    wanted = " ".join(text.split())
    if len(wanted) > SEARCH_LENGTH_MAX:
        raise Invalid(f"the search has {len(wanted)} characters, at most {SEARCH_LENGTH_MAX} make sense")
    if not wanted:
        return []
    return [
        one for action, finder in _FINDERS if may(actor, action) for one in finder(tx, actor, site_id, wanted)
    ]


def _accounts(tx: Tx, actor: User, site_id: SiteId, text: str) -> Sequence[Found]:
    return [
        Found(
            FoundKind.ACCOUNT,
            account.number,
            " ".join(filter(None, (account.space_code, account.holder_name))),
            account.number,
        )
        for account in premises.list_accounts(tx, actor, site_id, text, None, EACH_MAX).items
    ]


def _people(tx: Tx, actor: User, site_id: SiteId, text: str) -> Sequence[Found]:
    return [
        Found(
            FoundKind.PERSON,
            row.person.person_id,
            row.person.name,
            " ".join(filter(None, (*(home.space_code for home in row.homes), row.person.phone))),
        )
        for row in persons.list_people(tx, actor, site_id, text, None, EACH_MAX).items
    ]


def _meters(tx: Tx, actor: User, site_id: SiteId, text: str) -> Sequence[Found]:
    return [
        Found(
            FoundKind.METER,
            row.serial,
            row.serial,
            row.space_code or row.service_point_code,
            row.commodity.value,
        )
        for row in meters.list_meters(tx, actor, site_id, search=text, limit=EACH_MAX).items
    ]


def _invoices(tx: Tx, actor: User, site_id: SiteId, text: str) -> Sequence[Found]:
    found = finding.find_invoices(tx, site_id, text, EACH_MAX)
    homes = premises.list_accounts(tx, actor, site_id, text, None, 2).items
    if found or len(homes) != 1:
        return found
    return [
        Found(FoundKind.INVOICE, paper.number, paper.number, homes[0].holder_name, amount_fen=paper.total_fen)
        for paper in invoices.list_invoices(
            tx, actor, account_id=homes[0].account_id, limit=_OF_ONE_HOME
        ).items
    ]


def _stored(find_in: Callable[[Tx, SiteId, str, int], list[Found]]) -> _Finder:
    return lambda tx, _actor, site_id, text: find_in(tx, site_id, text, EACH_MAX)


_FINDERS: Sequence[tuple[Action, _Finder]] = (
    (Action.READ_LEDGER, _accounts),
    (Action.READ_PREMISES, _stored(finding.find_spaces)),
    (Action.READ_PEOPLE, _people),
    (Action.READ_METERS, _meters),
    (Action.READ_EQUIPMENT, _stored(finding.find_equipment)),
    (Action.READ_REPAIRS, _stored(finding.find_repairs)),
    (Action.READ_COMMUNITY, _stored(finding.find_complaints)),
    (Action.READ_LEDGER, _invoices),
    (Action.READ_ALARMS, _stored(finding.find_alarms)),
    (Action.READ_GATEWAYS, _stored(finding.find_gateways)),
)
