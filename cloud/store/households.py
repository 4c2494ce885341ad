"""Households: who signs in for a home, and the invitations by which they came; secrets are kept as hashes."""

from typing import Any

import sqlalchemy as sa

from cloud.domain.household import HouseholdInvitation, HouseholdMember, HouseholdRole, Registrant
from cloud.domain.identity_number import mask_mobile
from cloud.domain.ids import AccountId, HouseholdInvitationId, SiteId, UserId
from cloud.domain.person import Relation
from cloud.store.db import Tx
from cloud.store.schema import account, app_user, household_invitation, space, user_account
from cloud.store.sealing import seal, unseal

_I, _U = household_invitation.c, user_account.c
_inviter = app_user.alias("inviter")
_IS_WAITING = sa.and_(_I.taken_at_ms.is_not(None), _I.settled_at_ms.is_(None))


def insert_invitation(
    tx: Tx,
    account_id: AccountId,
    relation: Relation,
    role: HouseholdRole,
    token_hash: str,
    code_hash: str,
    invited_by: UserId | None,
    expires_at_ms: int,
) -> HouseholdInvitationId:
    """Add an invitation to a home."""
    invitation_id = HouseholdInvitationId(tx.new_id())
    # Add one invitation.
    tx.conn.execute(
        tx.insert(household_invitation).values(
            tenant_id=tx.tenant_id,
            id=invitation_id,
            account_id=account_id,
            relation=relation.value,
            role=role.value,
            token_hash=token_hash,
            code_hash=code_hash,
            invited_by=invited_by,
            created_at_ms=tx.now_ms,
            expires_at_ms=expires_at_ms,
            name="",
            agrees_to_contact=False,
            is_refused=False,
        )
    )
    return invitation_id


def find_invitation(tx: Tx, invitation_id: HouseholdInvitationId) -> HouseholdInvitation | None:
    """Return one invitation, or None."""
    found = _invitations(tx, _I.id == invitation_id)
    return found[0] if found else None


def find_open(tx: Tx, token_hash: str) -> tuple[HouseholdInvitation, str] | None:
    """Return the invitation of a secret that can still be taken up, with its code's hash; or None."""
    # Which invitation does this secret open?
    row = tx.conn.execute(
        sa.select(_I.id, _I.code_hash).where(_I.tenant_id == tx.tenant_id, _I.token_hash == token_hash)
    ).one_or_none()
    found = None if row is None else find_invitation(tx, HouseholdInvitationId(row.id))
    if row is None or found is None:
        return None
    is_open = found.taken_at_ms is None and found.revoked_at_ms is None and tx.now_ms < found.expires_at_ms
    return (found, row.code_hash) if is_open else None


def invitations_of(tx: Tx, account_id: AccountId) -> list[HouseholdInvitation]:
    """Return a home's invitations that are open or wait to be confirmed, the newest first."""
    is_open = sa.and_(_I.taken_at_ms.is_(None), _I.expires_at_ms > tx.now_ms)
    is_waiting = sa.and_(_I.taken_at_ms.is_not(None), _I.settled_at_ms.is_(None))
    which = sa.and_(_I.account_id == account_id, _I.revoked_at_ms.is_(None), sa.or_(is_open, is_waiting))
    return _invitations(tx, which)


def waiting_of_site(tx: Tx, site_id: SiteId) -> list[HouseholdInvitation]:
    """Return a site's registrations that wait to be confirmed."""
    return _invitations(tx, sa.and_(account.c.site_id == site_id, _IS_WAITING))


def count_waiting(tx: Tx, site_id: SiteId) -> tuple[int, int | None]:
    """Return how many registrations of a site wait to be confirmed, and since when the first does."""
    of_site = household_invitation.join(
        account, sa.and_(account.c.tenant_id == _I.tenant_id, account.c.id == _I.account_id)
    )
    # How many wait, and for how long?
    count, since_ms = tx.conn.execute(
        sa.select(sa.func.count(), sa.func.min(_I.taken_at_ms))
        .select_from(of_site)
        .where(_I.tenant_id == tx.tenant_id, account.c.site_id == site_id, _IS_WAITING)
    ).one()
    return count, since_ms


def waiting_of_user(tx: Tx, user_id: UserId) -> list[HouseholdInvitation]:
    """Return what somebody took up and is not let into yet."""
    return _invitations(tx, sa.and_(_I.taken_by == user_id, _I.settled_at_ms.is_(None)))


def take(tx: Tx, invitation_id: HouseholdInvitationId, taken_by: UserId, who: Registrant) -> bool:
    """Note who took an invitation up; False if somebody had, or it was taken back."""
    sealed = seal(tx, "household_invitation", invitation_id, "phone", who.phone)
    # Of two at once, one.
    return bool(
        tx.conn.execute(
            sa.update(household_invitation)
            .where(
                _I.tenant_id == tx.tenant_id,
                _I.id == invitation_id,
                _I.taken_at_ms.is_(None),
                _I.revoked_at_ms.is_(None),
            )
            .values(
                taken_by=taken_by,
                taken_at_ms=tx.now_ms,
                name=who.name,
                phone_sealed=sealed,
                agrees_to_contact=who.agrees_to_contact,
            )
        ).rowcount
    )


def settle(
    tx: Tx, invitation_id: HouseholdInvitationId, settled_by: UserId | None, *, is_refused: bool
) -> bool:
    """Note that whoever came was let in or refused; False if that was decided already.

    The number they gave is forgotten here: who is let in has it as a person.
    """
    # Decide once.
    return bool(
        tx.conn.execute(
            sa.update(household_invitation)
            .where(
                _I.tenant_id == tx.tenant_id,
                _I.id == invitation_id,
                _I.taken_at_ms.is_not(None),
                _I.settled_at_ms.is_(None),
            )
            .values(settled_at_ms=tx.now_ms, settled_by=settled_by, is_refused=is_refused, phone_sealed=None)
        ).rowcount
    )


def revoke(tx: Tx, invitation_id: HouseholdInvitationId) -> bool:
    """Take an invitation back; False if somebody came, or it was."""
    # Take one invitation back.
    return bool(
        tx.conn.execute(
            sa.update(household_invitation)
            .where(
                _I.tenant_id == tx.tenant_id,
                _I.id == invitation_id,
                _I.taken_at_ms.is_(None),
                _I.revoked_at_ms.is_(None),
            )
            .values(revoked_at_ms=tx.now_ms)
        ).rowcount
    )


def phone_of(tx: Tx, invitation_id: HouseholdInvitationId) -> str:
    """Return the telephone number of whoever took an invitation up, whole."""
    # What number did they give?
    sealed = tx.conn.scalar(
        sa.select(_I.phone_sealed).where(_I.tenant_id == tx.tenant_id, _I.id == invitation_id)
    )
    return unseal(tx, "household_invitation", invitation_id, "phone", sealed)


def members_of(tx: Tx, account_id: AccountId) -> list[HouseholdMember]:
    """Return who signs in for a home, the first to come first."""
    joined = user_account.join(
        app_user, sa.and_(app_user.c.tenant_id == _U.tenant_id, app_user.c.id == _U.user_id)
    )
    # Who may sign in for this home?
    rows = tx.conn.execute(
        sa.select(_U.user_id, app_user.c.login, app_user.c.display_name, _U.role, _U.since_ms)
        .select_from(joined)
        .where(_U.tenant_id == tx.tenant_id, _U.account_id == account_id, app_user.c.disabled_at_ms.is_(None))
        .order_by(sa.func.coalesce(_U.since_ms, 0), app_user.c.login)
    )
    return [
        HouseholdMember(
            UserId(row.user_id), row.login, row.display_name, HouseholdRole(row.role), row.since_ms
        )
        for row in rows
    ]


def set_role(tx: Tx, account_id: AccountId, user_id: UserId, role: HouseholdRole) -> None:
    """Let somebody see more or less of a home."""
    # Change what one tie lets see.
    tx.conn.execute(
        sa.update(user_account)
        .where(_U.tenant_id == tx.tenant_id, _U.account_id == account_id, _U.user_id == user_id)
        .values(role=role.value)
    )


def end_access(tx: Tx, account_id: AccountId, user_id: UserId) -> None:
    """Let somebody see a home no longer."""
    # Untie one person from one home.
    tx.conn.execute(
        sa.delete(user_account).where(
            _U.tenant_id == tx.tenant_id, _U.account_id == account_id, _U.user_id == user_id
        )
    )


def _invitations(tx: Tx, which: sa.ColumnElement[bool]) -> list[HouseholdInvitation]:
    joined = (
        household_invitation.join(
            account, sa.and_(account.c.tenant_id == _I.tenant_id, account.c.id == _I.account_id)
        )
        .outerjoin(space, sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id))
        .outerjoin(_inviter, sa.and_(_inviter.c.tenant_id == _I.tenant_id, _inviter.c.id == _I.invited_by))
    )
    # Who was invited to which home, and who came?
    rows = tx.conn.execute(
        sa.select(
            household_invitation,
            account.c.site_id,
            account.c.number,
            space.c.code,
            _inviter.c.display_name,
        )
        .select_from(joined)
        .where(_I.tenant_id == tx.tenant_id, which)
        .order_by(_I.id.desc())
    )
    return [_from_row(tx, row) for row in rows.all()]


def _from_row(tx: Tx, row: Any) -> HouseholdInvitation:
    phone = unseal(tx, "household_invitation", row.id, "phone", row.phone_sealed)
    return HouseholdInvitation(
        HouseholdInvitationId(row.id),
        SiteId(row.site_id),
        AccountId(row.account_id),
        row.number,
        row.code or row.number,
        Relation(row.relation),
        HouseholdRole(row.role),
        row.display_name or "",
        row.created_at_ms,
        row.expires_at_ms,
        row.revoked_at_ms,
        None if row.taken_by is None else UserId(row.taken_by),
        row.taken_at_ms,
        row.name,
        mask_mobile(phone) if phone else "",
        row.agrees_to_contact,
        row.settled_at_ms,
        row.is_refused,
    )
