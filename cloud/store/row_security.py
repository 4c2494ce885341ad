"""PostgreSQL's own wall between companies: a row is there only for a transaction of its tenant.

The invariant: on every table but the list of tenants a policy, forced on the owner too, compares
`tenant_id` with a setting of the transaction (`Holding.hold` makes it); unset, there are no rows. It
holds whatever is asked, raw SQL included, as long as who signs in is no superuser and does not bypass
policies: the program needs a role of its own (docs/operations.md), and does not serve as another.
"""

import sqlalchemy as sa

from cloud.store.schema import metadata
from cloud.store.schema import tenant as tenant_table

POLICY = "own_tenant"

# Empty once a transaction that had set it is over: then, as if it had never been set, nobody's.
_OWN = "tenant_id = NULLIF(current_setting('gatehouse.tenant_id', true), '')::integer"


def protected_tables() -> list[str]:
    """Return the tables whose rows belong to one tenant; the jobs must be able to list the tenants."""
    return [table.name for table in metadata.sorted_tables if table is not tenant_table]


def sees_past(conn: sa.Connection) -> str | None:
    """Return who this connection is if no policy holds for them, and why; None if policies do."""
    # What may whoever signed in do?
    row = conn.exec_driver_sql(
        "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
    ).one()
    if row.rolsuper:
        return f"role {row.rolname!r}, a superuser"
    return f"role {row.rolname!r} with BYPASSRLS" if row.rolbypassrls else None


def loosen(conn: sa.Connection) -> None:
    """Let the owner see every company's rows, to bring them to a new schema, until `enforce`."""
    # Which tables keep their owner out too?
    forced = conn.exec_driver_sql(
        "SELECT relname FROM pg_class "
        "WHERE relforcerowsecurity AND relnamespace = current_schema()::regnamespace"
    )
    for (name,) in forced.all():
        conn.exec_driver_sql(f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY")


def enforce(conn: sa.Connection) -> None:
    """Put every table behind its policy; what is there already stays."""
    # Which tables have the policy?
    found = conn.exec_driver_sql(
        "SELECT tablename FROM pg_policies WHERE schemaname = current_schema() AND policyname = %s", (POLICY,)
    )
    there = {row.tablename for row in found}
    for name in protected_tables():
        if name not in there:
            conn.exec_driver_sql(f"CREATE POLICY {POLICY} ON {name} USING ({_OWN})")
        conn.exec_driver_sql(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def grant(conn: sa.Connection, role: str) -> None:
    """Let a role read and write rows, and nothing else: no table, no trigger, no policy is its own."""
    named = conn.dialect.identifier_preparer.quote(role)
    conn.exec_driver_sql(f"GRANT USAGE ON SCHEMA public TO {named}")
    conn.exec_driver_sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {named}")
