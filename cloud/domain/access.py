"""Who may do what: one table, read by every service before it does anything.

The invariant: what is not listed is refused. A resident who asks for another's account is told
that there is no such thing, not that it is forbidden, so that asking teaches nothing.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from cloud.domain.errors import Forbidden, NotFound, ReauthenticationNeeded
from cloud.domain.ids import AccountId
from cloud.domain.user import Role, User


class Action(Enum):
    """Something a service does on somebody's behalf."""

    ACKNOWLEDGE_ALARM = "acknowledge_alarm"
    APPROVE_BILLS = "approve_bills"
    APPROVE_REFUNDS = "approve_refunds"
    ADMIT_VISITORS = "admit_visitors"
    APPROVE_GOODS = "approve_goods"
    ASK_GOODS_RELEASE = "ask_goods_release"
    BAR_VISITORS = "bar_visitors"
    BILL_ACCOUNTS = "bill_accounts"
    CHECK_OUT_GOODS = "check_out_goods"
    CLOSE_PERIOD = "close_period"
    COMMAND_DEVICES = "command_devices"
    COMMAND_DOORS = "command_doors"
    COMMAND_SUPPLY = "command_supply"
    COMPLETE_MAINTENANCE = "complete_maintenance"
    CONFIGURE_GATEWAYS = "configure_gateways"
    CORRECT_INVOICES = "correct_invoices"
    ENTER_READINGS = "enter_readings"
    EXPORT_EVIDENCE = "export_evidence"
    HANDLE_PARCELS = "handle_parcels"
    INVITE_VISITORS = "invite_visitors"
    IMPORT_TABLES = "import_tables"
    LOOK_AT_CAMERAS = "look_at_cameras"
    MANAGE_CAMERAS = "manage_cameras"
    MANAGE_COMMUNITY = "manage_community"
    MANAGE_BADGES = "manage_badges"
    MANAGE_CONTACTS = "manage_contacts"
    MANAGE_DUNNING = "manage_dunning"
    MANAGE_DUTY = "manage_duty"
    MANAGE_ENTRANCES = "manage_entrances"
    MANAGE_EQUIPMENT = "manage_equipment"
    MANAGE_GATEWAYS = "manage_gateways"
    MANAGE_HOUSEHOLDS = "manage_households"
    MANAGE_MAINTENANCE = "manage_maintenance"
    MANAGE_PEOPLE = "manage_people"
    MANAGE_METERS = "manage_meters"
    MANAGE_NOTIFIERS = "manage_notifiers"
    MANAGE_PATROLS = "manage_patrols"
    MANAGE_PREMISES = "manage_premises"
    MANAGE_REPAIRS = "manage_repairs"
    MANAGE_RESPONSE_PLANS = "manage_response_plans"
    MANAGE_SITES = "manage_sites"
    MANAGE_TARIFFS = "manage_tariffs"
    MANAGE_USERS = "manage_users"
    MANAGE_WEBHOOKS = "manage_webhooks"
    PAY_OWN_ACCOUNTS = "pay_own_accounts"
    READ_ALARMS = "read_alarms"
    READ_AUDIT = "read_audit"
    READ_COMMANDS = "read_commands"
    READ_COMMUNITY = "read_community"
    READ_DUTY = "read_duty"
    READ_EQUIPMENT = "read_equipment"
    READ_GATEWAYS = "read_gateways"
    READ_INVOICES = "read_invoices"
    READ_LEDGER = "read_ledger"
    READ_METERS = "read_meters"
    READ_NOTICES = "read_notices"
    READ_OVERVIEW = "read_overview"
    READ_OWN_ACCOUNTS = "read_own_accounts"
    READ_OWN_REPAIRS = "read_own_repairs"
    READ_PASSAGES = "read_passages"
    READ_PATROLS = "read_patrols"
    READ_PEOPLE = "read_people"
    READ_PREMISES = "read_premises"
    READ_REPAIRS = "read_repairs"
    READ_TARIFFS = "read_tariffs"
    RECORD_PAYMENTS = "record_payments"
    RECORD_REPAIRS = "record_repairs"
    REPORT_BADGE_LOST = "report_badge_lost"
    REQUEST_REPAIRS = "request_repairs"
    REVEAL_PERSONAL_DATA = "reveal_personal_data"
    SWAP_DUTY = "swap_duty"
    USE_COMMUNITY = "use_community"
    USE_OWN_ACCOUNT = "use_own_account"
    USE_OWN_BADGES = "use_own_badges"
    USE_OWN_PRIVACY = "use_own_privacy"
    WALK_PATROLS = "walk_patrols"
    WORK_REPAIRS = "work_repairs"


# Who runs the property. Each group below adds those whose work the action is.
_MANAGERS = frozenset({Role.COMPANY_ADMIN, Role.MANAGER, Role.SYSTEM})
_MONEY = _MANAGERS | {Role.FINANCE}
_READS_MONEY = _MONEY | {Role.AUDITOR}
_ON_SITE = _MANAGERS | {Role.GUARD, Role.MAINTENANCE}
_READS_SITE = _ON_SITE | {Role.AUDITOR, Role.FINANCE}
_TECHNICAL = _MANAGERS | {Role.MAINTENANCE}
_READS_TECHNICAL = _TECHNICAL | {Role.AUDITOR, Role.PLATFORM}

POLICY: Mapping[Action, frozenset[Role]] = MappingProxyType(
    {
        Action.ACKNOWLEDGE_ALARM: _ON_SITE,
        Action.APPROVE_BILLS: _MONEY,
        Action.APPROVE_REFUNDS: _MONEY,  # never of one's own asking: the refund service
        Action.ADMIT_VISITORS: _MANAGERS | {Role.GUARD},
        Action.APPROVE_GOODS: _MANAGERS,
        Action.ASK_GOODS_RELEASE: _MANAGERS | {Role.RESIDENT},  # a resident: from own homes
        Action.BAR_VISITORS: _MANAGERS,
        Action.BILL_ACCOUNTS: _MONEY,
        Action.CHECK_OUT_GOODS: _MANAGERS | {Role.GUARD},
        Action.CLOSE_PERIOD: _MONEY,
        Action.COMMAND_DEVICES: _TECHNICAL,
        Action.COMMAND_DOORS: _MANAGERS | {Role.GUARD},
        Action.COMMAND_SUPPLY: _TECHNICAL,
        Action.COMPLETE_MAINTENANCE: _TECHNICAL,
        Action.CONFIGURE_GATEWAYS: _TECHNICAL | {Role.PLATFORM},
        Action.CORRECT_INVOICES: _MONEY,
        Action.ENTER_READINGS: _MONEY | {Role.MAINTENANCE},
        Action.EXPORT_EVIDENCE: _MANAGERS,  # it names who passed which door, and is written down
        Action.HANDLE_PARCELS: _MANAGERS | {Role.GUARD},
        Action.INVITE_VISITORS: _MANAGERS | {Role.RESIDENT},  # a resident: to own homes
        Action.IMPORT_TABLES: _MONEY | {Role.MAINTENANCE},  # each table asks for its own action besides
        Action.LOOK_AT_CAMERAS: _MANAGERS | {Role.GUARD},  # who looked is written down
        Action.MANAGE_CAMERAS: _MANAGERS,
        Action.MANAGE_COMMUNITY: _MANAGERS,
        Action.MANAGE_BADGES: _MANAGERS,
        Action.MANAGE_CONTACTS: _MONEY | {Role.RESIDENT},  # of own accounts: `require_account`
        Action.MANAGE_DUNNING: _MONEY,
        Action.MANAGE_DUTY: _MANAGERS,
        Action.MANAGE_ENTRANCES: _MANAGERS,
        Action.MANAGE_EQUIPMENT: _TECHNICAL,
        Action.MANAGE_GATEWAYS: _MANAGERS | {Role.PLATFORM},
        Action.MANAGE_HOUSEHOLDS: _MANAGERS | {Role.RESIDENT},  # a resident: of own homes
        Action.MANAGE_MAINTENANCE: _MANAGERS,
        Action.MANAGE_PEOPLE: _MANAGERS,
        Action.MANAGE_METERS: _TECHNICAL,
        Action.MANAGE_NOTIFIERS: _MANAGERS,
        Action.MANAGE_PATROLS: _MANAGERS,
        Action.MANAGE_PREMISES: _MANAGERS,
        Action.MANAGE_REPAIRS: _MANAGERS,
        Action.MANAGE_RESPONSE_PLANS: _MANAGERS,
        Action.MANAGE_SITES: _MANAGERS,
        Action.MANAGE_TARIFFS: _MONEY,
        Action.MANAGE_USERS: _MANAGERS
        | {Role.PLATFORM},  # only into roles one could fill: `require_may_grant`
        Action.MANAGE_WEBHOOKS: _MANAGERS,
        Action.PAY_OWN_ACCOUNTS: _MONEY | {Role.RESIDENT},  # of own accounts: `require_account`
        Action.READ_ALARMS: _READS_SITE,
        Action.READ_AUDIT: _MANAGERS | {Role.AUDITOR},
        Action.READ_COMMANDS: _ON_SITE | {Role.AUDITOR},
        Action.READ_COMMUNITY: _READS_SITE,
        Action.READ_DUTY: _READS_SITE,
        Action.READ_EQUIPMENT: _READS_SITE,
        Action.READ_GATEWAYS: _READS_TECHNICAL,
        Action.READ_INVOICES: _READS_MONEY | {Role.RESIDENT},  # only of own accounts: `require_account`
        Action.READ_LEDGER: _READS_MONEY,
        Action.READ_METERS: _READS_MONEY | {Role.MAINTENANCE},
        Action.READ_NOTICES: _READS_SITE | {Role.RESIDENT},  # a resident: of their own alone
        Action.READ_OVERVIEW: _READS_SITE,
        Action.READ_OWN_ACCOUNTS: _READS_MONEY | {Role.RESIDENT},
        Action.READ_OWN_REPAIRS: _READS_SITE | {Role.RESIDENT},  # only of own homes: `sees_account`
        Action.READ_PASSAGES: _MANAGERS | {Role.AUDITOR, Role.GUARD},
        Action.READ_PATROLS: _MANAGERS | {Role.AUDITOR, Role.GUARD},
        Action.READ_PEOPLE: _READS_MONEY | {Role.GUARD},  # numbers masked
        Action.READ_PREMISES: _READS_SITE,
        Action.READ_REPAIRS: _READS_SITE,
        Action.READ_TARIFFS: _READS_MONEY | {Role.RESIDENT},
        Action.RECORD_PAYMENTS: _MONEY,
        Action.RECORD_REPAIRS: _ON_SITE,
        Action.REPORT_BADGE_LOST: _MANAGERS | {Role.GUARD, Role.RESIDENT},  # a resident: of own homes
        Action.REQUEST_REPAIRS: _ON_SITE | {Role.RESIDENT},
        Action.REVEAL_PERSONAL_DATA: _MANAGERS,  # with a reason, and written down
        Action.SWAP_DUTY: _ON_SITE,  # of their own turn alone, but for a manager
        Action.USE_COMMUNITY: _MANAGERS | {Role.RESIDENT},  # a resident: for own homes
        Action.USE_OWN_ACCOUNT: frozenset(Role),  # each of their own: password, second factor, sessions
        Action.USE_OWN_BADGES: _MANAGERS | {Role.RESIDENT},  # a resident: of own homes
        Action.USE_OWN_PRIVACY: _MANAGERS | {Role.RESIDENT},  # each of their own
        Action.WALK_PATROLS: _MANAGERS | {Role.GUARD},
        Action.WORK_REPAIRS: _TECHNICAL,
    }
)


# OWASP ASVS 5.0 §7.5.3 asks for it again before what is grave; five minutes are one errand at the desk.
RECENT_MS = 5 * 60_000

# What concerns the whole company, so that whoever is bound to some of its sites may not do it.
OF_THE_COMPANY = frozenset(
    {
        Action.MANAGE_NOTIFIERS,
        Action.MANAGE_SITES,
        Action.MANAGE_TARIFFS,
        Action.MANAGE_USERS,
        Action.MANAGE_WEBHOOKS,
        Action.READ_AUDIT,
    }
)

# What is only ever about oneself: nobody rises by being let into it.
_OF_ONESELF = frozenset({Action.USE_OWN_ACCOUNT, Action.USE_OWN_PRIVACY})


def may(actor: User, action: Action) -> bool:
    """Tell whether the actor's role allows the action; pages use it to leave out what would be refused.

    To which sites and buildings an actor's acts are held is not asked here: `cloud.store.scope` sees to it.
    """
    is_within = actor.scope.is_everywhere or action not in OF_THE_COMPANY
    return is_within and actor.role in POLICY.get(action, frozenset())


def require(actor: User, action: Action) -> None:
    """Refuse the action unless the actor's role allows it; Forbidden names both."""
    if may(actor, action):
        return
    act = action.value.replace("_", " ")
    if actor.role in POLICY.get(action, frozenset()):
        raise Forbidden(f"whoever works at some sites only may not {act}: it concerns the whole company")
    raise Forbidden(f"role {actor.role.value} may not {act}")


def require_recent(actor: User, now_ms: int) -> None:
    """Refuse what opens doors, cuts supply, moves money or shows numbers, unless who asks has just shown
    who they are: a console left open must not be enough for it.
    """
    seen_at_ms = actor.authenticated_at_ms
    if seen_at_ms is not None and now_ms - seen_at_ms >= RECENT_MS:
        raise ReauthenticationNeeded("show again who you are: for this it must be no more than 5 minutes ago")


def sees_account(actor: User, account_id: AccountId) -> bool:
    """Tell whether the account exists for the actor: for a resident only if it is theirs."""
    return actor.role is not Role.RESIDENT or account_id in actor.account_ids


def require_account(actor: User, account_id: AccountId) -> None:
    """Refuse a resident any account but their own; NotFound, as if it did not exist."""
    if not sees_account(actor, account_id):
        raise NotFound("there is no such account")


def sees_bills(actor: User, account_id: AccountId) -> bool:
    """Tell whether the account's bills exist for the actor: for a resident only where they may see them."""
    return actor.role is not Role.RESIDENT or account_id in actor.bill_account_ids


def require_bills(actor: User, account_id: AccountId) -> None:
    """Refuse a resident the money of any account but those whose bills they may see."""
    require_account(actor, account_id)
    if not sees_bills(actor, account_id):
        raise Forbidden("the bills of this home are not shown to you: who invited you can change that")


def require_head(actor: User, account_id: AccountId) -> None:
    """Refuse a resident to say who belongs to a home, unless they are its head."""
    require_account(actor, account_id)
    if actor.role is Role.RESIDENT and account_id not in actor.head_account_ids:
        raise Forbidden("only who heads this home lets others in: ask them or the property office")


def require_may_grant(actor: User, role: Role) -> None:
    """Refuse to let anybody into a role that may do more than the actor, so that nobody can rise by it."""
    beyond = [
        action
        for action, roles in POLICY.items()
        if role in roles and actor.role not in roles and action not in _OF_ONESELF
    ]
    if beyond:
        raise Forbidden(
            f"role {actor.role.value} may not make somebody {role.value}, who could also "
            f"{beyond[0].value.replace('_', ' ')}"
        )
