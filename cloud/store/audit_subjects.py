"""What the things of the audit log are called: an entry holds an id, people know a number, a code or a name.

The invariant: nobody's own name is looked up but a user's; what a person is called is not the log's to tell.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from uuid import UUID

import sqlalchemy as sa

from cloud.domain.ids import UserId
from cloud.store.audit import AuditEntry
from cloud.store.db import Tx
from cloud.store.schema import app_user, metadata

_NAMED_BY: Mapping[str, str] = MappingProxyType(
    {
        "access_group": "name",
        "account": "number",
        "alarm": "number",
        "announcement": "title",
        "ballot": "title",
        "billing_period": "code",
        "building": "name",
        "camera": "name",
        "complaint": "number",
        "duty_post": "name",
        "entrance": "name",
        "equipment": "name",
        "gateway": "code",
        "invoice": "number",
        "maintenance_plan": "title",
        "notifier": "name",
        "patrol_route": "name",
        "payment": "number",
        "repair": "number",
        "site": "name",
        "space": "code",
        "tariff": "code",
        "user": "display_name",
        "venue": "name",
        "work_order": "number",
    }
)
_TABLES: Mapping[str, str] = MappingProxyType({"user": "app_user"})


def names_of(tx: Tx, entries: Iterable[AuditEntry]) -> dict[tuple[str, str], str]:
    """Return what the subjects of these entries are called today, by kind and id; those that have a name."""
    asked: dict[str, set[UUID]] = defaultdict(set)
    for entry in entries:
        if entry.subject_kind in _NAMED_BY:
            try:
                asked[entry.subject_kind].add(UUID(entry.subject_id))
            except ValueError:
                continue  # a code stands there instead of an id
    names: dict[tuple[str, str], str] = {}
    for kind, ids in asked.items():
        table = metadata.tables[_TABLES.get(kind, kind)]
        # What are these called?
        rows = tx.conn.execute(
            sa.select(table.c.id, table.c[_NAMED_BY[kind]]).where(
                table.c.tenant_id == tx.tenant_id, table.c.id.in_([str(one) for one in ids])
            )
        )
        names |= {(kind, str(row[0])): str(row[1]) for row in rows}
    return names


def people(tx: Tx) -> list[tuple[UserId, str]]:
    """Return everybody who can have done something, by name."""
    # Who are the users?
    rows = tx.conn.execute(
        sa.select(app_user.c.id, app_user.c.display_name)
        .where(app_user.c.tenant_id == tx.tenant_id)
        .order_by(app_user.c.display_name, app_user.c.id)
    )
    return [(UserId(row[0]), row[1]) for row in rows]
