"""Who may do what: one table, read by every service before it does anything.

The invariant: what is not listed is refused. A resident who asks for another's account is told
that there is no such thing, not that it is forbidden, so that asking teaches nothing.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from cloud.domain.errors import Forbidden, NotFound
from cloud.domain.ids import AccountId
from cloud.domain.user import Role, User


class Action(Enum):
    """Something a service does on somebody's behalf."""

    ACKNOWLEDGE_ALARM = "acknowledge_alarm"
    BILL_ACCOUNTS = "bill_accounts"
    CLOSE_PERIOD = "close_period"
    COMPLETE_MAINTENANCE = "complete_maintenance"
    MANAGE_EQUIPMENT = "manage_equipment"
    MANAGE_GATEWAYS = "manage_gateways"
    MANAGE_MAINTENANCE = "manage_maintenance"
    MANAGE_METERS = "manage_meters"
    MANAGE_PREMISES = "manage_premises"
    MANAGE_TARIFFS = "manage_tariffs"
    MANAGE_USERS = "manage_users"
    READ_ALARMS = "read_alarms"
    READ_EQUIPMENT = "read_equipment"
    READ_GATEWAYS = "read_gateways"
    READ_INVOICES = "read_invoices"
    READ_LEDGER = "read_ledger"
    READ_METERS = "read_meters"
    READ_OVERVIEW = "read_overview"
    READ_OWN_ACCOUNTS = "read_own_accounts"
    READ_PREMISES = "read_premises"
    READ_TARIFFS = "read_tariffs"


_STAFF = frozenset({Role.MANAGER, Role.SYSTEM})
_EVERYONE = frozenset({Role.MANAGER, Role.RESIDENT, Role.SYSTEM})

POLICY: Mapping[Action, frozenset[Role]] = MappingProxyType(
    {
        Action.ACKNOWLEDGE_ALARM: _STAFF,
        Action.BILL_ACCOUNTS: _STAFF,
        Action.CLOSE_PERIOD: _STAFF,
        Action.COMPLETE_MAINTENANCE: _STAFF,
        Action.MANAGE_EQUIPMENT: _STAFF,
        Action.MANAGE_GATEWAYS: _STAFF,
        Action.MANAGE_MAINTENANCE: _STAFF,
        Action.MANAGE_METERS: _STAFF,
        Action.MANAGE_PREMISES: _STAFF,
        Action.MANAGE_TARIFFS: _STAFF,
        Action.MANAGE_USERS: _STAFF,
        Action.READ_ALARMS: _STAFF,
        Action.READ_EQUIPMENT: _STAFF,
        Action.READ_GATEWAYS: _STAFF,
        Action.READ_INVOICES: _EVERYONE,  # a resident only those of own accounts: `require_account`
        Action.READ_LEDGER: _STAFF,
        Action.READ_METERS: _STAFF,
        Action.READ_OVERVIEW: _STAFF,
        Action.READ_OWN_ACCOUNTS: _EVERYONE,
        Action.READ_PREMISES: _STAFF,
        Action.READ_TARIFFS: _EVERYONE,
    }
)


def may(actor: User, action: Action) -> bool:
    """Tell whether the actor's role allows the action; pages use it to leave out what would be refused."""
    return actor.role in POLICY.get(action, frozenset())


def require(actor: User, action: Action) -> None:
    """Refuse the action unless the actor's role allows it; Forbidden names both."""
    if not may(actor, action):
        raise Forbidden(f"role {actor.role.value} may not {action.value.replace('_', ' ')}")


def require_account(actor: User, account_id: AccountId) -> None:
    """Refuse a resident any account but their own; NotFound, as if it did not exist."""
    if actor.role is Role.RESIDENT and account_id not in actor.account_ids:
        raise NotFound("there is no such account")
