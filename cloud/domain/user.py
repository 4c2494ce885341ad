"""Who is acting: a person at a console, or the service itself.

The invariant: an actor belongs to one tenant and carries everything the policy needs to judge it,
so that a service never has to ask again who is calling.
"""

from dataclasses import dataclass, field
from enum import Enum

from cloud.domain.ids import AccountId, BuildingId, SiteId, TenantId, UserId


class Role(Enum):
    """What a person is to the property; decides what they may do (`access.POLICY`)."""

    AUDITOR = "auditor"  # reads everything, changes nothing
    COMPANY_ADMIN = "company_admin"  # the company's own head: all sites, and who works there
    CONTRACTOR = "contractor"  # another company's people; sees only the jobs given to it
    FINANCE = "finance"
    GUARD = "guard"
    MAINTENANCE = "maintenance"  # the property's own technicians
    MANAGER = "manager"
    PLATFORM = "platform"  # who runs the installation: gateways and logins, nobody's bills
    RESIDENT = "resident"
    SYSTEM = "system"  # the cloud's own jobs; never a login


class Locale(Enum):
    """The languages the console speaks."""

    CHINESE = "zh-CN"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of the company somebody works in: whole sites, and single buildings. Empty: all of it."""

    site_ids: frozenset[SiteId] = frozenset()
    building_ids: frozenset[BuildingId] = frozenset()
    # The sites those buildings stand on: of these one sees what belongs to no building.
    sites_of_buildings: frozenset[SiteId] = frozenset()

    @property
    def is_everywhere(self) -> bool:
        """Tell whether nothing of the company is outside it."""
        return not self.site_ids and not self.building_ids


EVERYWHERE = Scope()


@dataclass(frozen=True, slots=True)
class User:
    """An actor. `account_ids` are the accounts a resident may see; empty for staff, who see their scope's.

    Of `payer_of` they see the bills and let nobody in, of `member_of` not even the bills (`HouseholdRole`).

    `authenticated_at_ms` is when they last showed who they are; None for whoever acts without a session.
    """

    user_id: UserId
    tenant_id: TenantId
    role: Role
    display_name: str
    locale: Locale = Locale.CHINESE
    account_ids: frozenset[AccountId] = frozenset()
    scope: Scope = EVERYWHERE
    authenticated_at_ms: int | None = field(default=None, compare=False)
    payer_of: frozenset[AccountId] = frozenset()
    member_of: frozenset[AccountId] = frozenset()

    @property
    def bill_account_ids(self) -> frozenset[AccountId]:
        """Return the accounts whose bills a resident sees."""
        return self.account_ids - self.member_of

    @property
    def head_account_ids(self) -> frozenset[AccountId]:
        """Return the accounts to whose homes a resident lets others in."""
        return self.account_ids - self.member_of - self.payer_of

    @property
    def person_id(self) -> UserId | None:
        """Return whom to record as having done something: None for the cloud's own jobs."""
        return None if self.role is Role.SYSTEM else self.user_id


def system_user(tenant_id: TenantId) -> User:
    """Return the actor of the cloud's own jobs within one tenant."""
    return User(UserId("00000000-0000-7000-8000-000000000000"), tenant_id, Role.SYSTEM, "system")


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A person who may sign in, as a manager sees them. `disabled_at_ms` set: they may not any more."""

    user: User
    login: str
    created_at_ms: int
    disabled_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in of a person, as they see it in their list; `client` is what their browser calls itself.

    Without `authenticated_at_ms` it is half of one: the password was right, and the code is awaited.
    """

    session_id: str
    user_id: UserId
    client: str
    address: str
    created_at_ms: int
    authenticated_at_ms: int | None
    last_seen_at_ms: int
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long a session lasts: without being used, and at most."""

    idle_ms: int
    absolute_ms: int

    def is_over(self, session: Session, now_ms: int) -> bool:
        """Tell whether the session has ended by itself."""
        return now_ms >= session.expires_at_ms or now_ms - session.last_seen_at_ms >= self.idle_ms
