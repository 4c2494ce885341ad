"""Where people can be reached: contacts of accounts and users, and the notifiers of a site's staff."""

from typing import Any

import sqlalchemy as sa

from cloud.domain.household import HouseholdRole
from cloud.domain.ids import AccountId, NotifierId, SiteId, UserId
from cloud.domain.notice import Channel, Contact, Notifier, Topic
from cloud.domain.user import Locale
from cloud.store.db import Tx
from cloud.store.schema import contact, notifier, user_account

_C, _F = contact.c, notifier.c


def insert_contact(tx: Tx, added: Contact) -> None:
    """Add where a person can be reached."""
    # Add one contact.
    tx.conn.execute(
        tx.insert(contact).values(
            tenant_id=tx.tenant_id,
            id=added.contact_id,
            account_id=added.account_id,
            user_id=added.user_id,
            channel=added.channel.value,
            address=added.address,
            locale=added.locale.value,
            created_at_ms=tx.now_ms,
        )
    )


def contacts_of_account(tx: Tx, account_id: AccountId) -> list[Contact]:
    """Return an account's own contacts, oldest first."""
    return _contacts(tx, _C.account_id == account_id)


def contacts_of_user(tx: Tx, user_id: UserId) -> list[Contact]:
    """Return a user's contacts, oldest first."""
    return _contacts(tx, _C.user_id == user_id)


def reachable_for_account(tx: Tx, account_id: AccountId, *, is_money: bool = False) -> list[Contact]:
    """Return an account's contacts and those of the users tied to it; of money, who sees its bills."""
    tied = sa.select(user_account.c.user_id).where(
        user_account.c.tenant_id == tx.tenant_id, user_account.c.account_id == account_id
    )
    if is_money:
        tied = tied.where(user_account.c.role != HouseholdRole.MEMBER.value)
    return _contacts(tx, sa.or_(_C.account_id == account_id, _C.user_id.in_(tied)))


def remove_contact(tx: Tx, contact_id: str, whose: AccountId | None, own: UserId | None = None) -> bool:
    """Reach an account's people, or one user, there no longer; False if nobody was."""
    # Forget one contact.
    statement = (
        sa.update(contact)
        .where(
            _C.tenant_id == tx.tenant_id,
            _C.id == contact_id,
            _C.user_id == own if whose is None else _C.account_id == whose,
            _C.removed_at_ms.is_(None),
        )
        .values(removed_at_ms=tx.now_ms)
    )
    return tx.conn.execute(statement).rowcount == 1


def insert_notifier(tx: Tx, added: Notifier) -> None:
    """Add where staff hear of some topics."""
    # Add one notifier.
    tx.conn.execute(
        tx.insert(notifier).values(
            tenant_id=tx.tenant_id,
            id=added.notifier_id,
            site_id=added.site_id,
            name=added.name,
            channel=added.channel.value,
            address=added.address,
            topics=sorted(topic.value for topic in added.topics),
            locale=added.locale.value,
            created_at_ms=tx.now_ms,
        )
    )


def list_notifiers(tx: Tx) -> list[Notifier]:
    """Return the notifiers in use, oldest first."""
    # Where do staff hear of what?
    query = (
        sa.select(_F.id, _F.site_id, _F.name, _F.channel, _F.address, _F.topics, _F.locale)
        .where(_F.tenant_id == tx.tenant_id, _F.disabled_at_ms.is_(None))
        .order_by(_F.id)
    )
    return [_notifier_from_row(row) for row in tx.conn.execute(query)]


def disable_notifier(tx: Tx, notifier_id: NotifierId) -> bool:
    """Tell nobody there anything more; False if nobody was told."""
    # Stop using one notifier.
    statement = (
        sa.update(notifier)
        .where(_F.tenant_id == tx.tenant_id, _F.id == notifier_id, _F.disabled_at_ms.is_(None))
        .values(disabled_at_ms=tx.now_ms)
    )
    return tx.conn.execute(statement).rowcount == 1


def _contacts(tx: Tx, which: sa.ColumnElement[bool]) -> list[Contact]:
    # Where can they be reached?
    query = (
        sa.select(_C.id, _C.account_id, _C.user_id, _C.channel, _C.address, _C.locale)
        .where(_C.tenant_id == tx.tenant_id, _C.removed_at_ms.is_(None), which)
        .order_by(_C.id)
    )
    return [
        Contact(
            row.id,
            None if row.account_id is None else AccountId(row.account_id),
            None if row.user_id is None else UserId(row.user_id),
            Channel(row.channel),
            row.address,
            Locale(row.locale),
        )
        for row in tx.conn.execute(query)
    ]


def _notifier_from_row(row: Any) -> Notifier:
    return Notifier(
        NotifierId(row.id),
        None if row.site_id is None else SiteId(row.site_id),
        row.name,
        Channel(row.channel),
        row.address,
        frozenset(Topic(topic) for topic in row.topics),
        Locale(row.locale),
    )
