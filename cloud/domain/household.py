"""A household: who signs in for a home, what each of them sees, and how somebody is let in.

The invariant: nobody belongs to a household but by an invitation somebody of it or the office made, and
by the code that came another way or the word of whoever may give it. Nobody but the office makes an owner.
"""

from dataclasses import dataclass, field
from enum import Enum

from cloud.domain.ids import AccountId, HouseholdInvitationId, SiteId, UserId
from cloud.domain.person import Relation

# A weekend: a link that lies about in a chat is good no longer than the person it was sent to needs.
INVITATION_LASTS_MS = 3 * 24 * 3_600_000
CODE_DIGITS = 6
# More than live in any flat; who needs more is misusing it.
MEMBERS_MAX, INVITATIONS_OPEN_MAX = 12, 5

# What somebody of the household may make another: who owns a home, the office knows from the deed.
RELATIONS_GIVEN_AT_HOME = (Relation.FAMILY, Relation.TENANT, Relation.OTHER)


class HouseholdRole(Enum):
    """What somebody who signs in for a home sees and may do there."""

    HEAD = "head"  # all of it, and lets others in
    PAYER = "payer"  # bills too
    MEMBER = "member"  # everything but bills and payments


ROLES_GIVEN_AT_HOME = (HouseholdRole.MEMBER, HouseholdRole.PAYER)


class InvitationState(Enum):
    """How far an invitation has come."""

    OPEN = "open"
    WAITING = "waiting"  # taken up without the code: somebody must say that it is them
    JOINED = "joined"
    REFUSED = "refused"
    OVER = "over"  # taken back, or nobody came in time


@dataclass(frozen=True, slots=True)
class HouseholdMember:
    """Somebody who signs in for a home; `since_ms` None: before that was written down."""

    user_id: UserId
    login: str
    display_name: str
    role: HouseholdRole
    since_ms: int | None


@dataclass(frozen=True, slots=True)
class HouseholdInvitation:
    """One invitation; who took it up is named by `name` and `phone`, which is masked."""

    invitation_id: HouseholdInvitationId
    site_id: SiteId
    account_id: AccountId
    account_number: str
    space_code: str
    relation: Relation
    role: HouseholdRole
    inviter_name: str
    created_at_ms: int
    expires_at_ms: int
    revoked_at_ms: int | None
    taken_by: UserId | None
    taken_at_ms: int | None
    name: str
    phone: str
    agrees_to_contact: bool
    settled_at_ms: int | None
    is_refused: bool

    def state_at(self, now_ms: int) -> InvitationState:
        """Return how far it has come."""
        if self.settled_at_ms is not None:
            return InvitationState.REFUSED if self.is_refused else InvitationState.JOINED
        if self.revoked_at_ms is not None:
            return InvitationState.OVER
        if self.taken_at_ms is not None:
            return InvitationState.WAITING
        return InvitationState.OPEN if now_ms < self.expires_at_ms else InvitationState.OVER


@dataclass(frozen=True, slots=True)
class NewHouseholdInvitation:
    """What is handed to whoever is invited: a link, and a code by another way; told this once."""

    invitation: HouseholdInvitation
    token: str = field(repr=False)
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Registrant:
    """Who takes an invitation up, as they say themselves."""

    name: str
    phone: str = field(repr=False)
    agrees_to_contact: bool


@dataclass(frozen=True, slots=True)
class Household:
    """Who signs in for a home, who was invited, and who waits to be let in."""

    members: tuple[HouseholdMember, ...]
    invitations: tuple[HouseholdInvitation, ...]
