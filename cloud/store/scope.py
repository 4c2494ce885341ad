"""Holding a transaction to the sites and buildings its actor may see: row-level security for both engines.

The invariant: in a transaction held to an actor no statement reads, changes or deletes a row outside the
actor's scope, whoever wrote the statement. A row is within a scope when all it refers to is: an invoice
by its account, an account by its site and home, a reading by its point and so its gateway's site. What
belongs to a site and to none of its buildings (a gateway, a main meter) is seen from all of them.

How: the compiler of a held connection puts `(SELECT … FROM account WHERE <within>) AS account` wherever
a statement reads `account`, and adds the same condition to every UPDATE and DELETE. What "within" means
is derived from the foreign keys, so a new table is held as soon as it refers to one that is.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.engine.interfaces import Dialect

from cloud.domain.ids import TenantId
from cloud.domain.user import User
from cloud.store.schema import (
    building,
    installation,
    ledger_entry,
    metadata,
    meter,
    occupancy,
    person,
    point,
    posting,
    reading,
    reading_day,
    site,
    user_building,
    user_site,
)


@dataclass(frozen=True, slots=True)
class Way:
    """One column by which a row belongs to another; `is_sure`: it is never NULL."""

    column: sa.Column[Any]
    parent: sa.Column[Any]
    is_sure: bool = True


# What the foreign keys do not say: readings carry none, for speed; what is installed is so in a place.
_WAYS: Mapping[sa.Table, tuple[Way, ...]] = {
    installation: (Way(installation.c.service_point_id, metadata.tables["service_point"].c.id),),
    occupancy: (Way(occupancy.c.space_id, metadata.tables["space"].c.id),),
    reading: (Way(reading.c.series_id, point.c.series_id),),
    reading_day: (Way(reading_day.c.series_id, point.c.series_id),),
}
# Who is in a scope by what belongs to them, or by nothing belonging to them yet.
_BY_CHILD: Mapping[sa.Table, sa.Column[Any]] = {
    meter: installation.c.meter_id,
    person: occupancy.c.person_id,
}
_BY_ENTRY = frozenset({ledger_entry, posting})

# How each engine names whom the transaction is held to: set for the transaction, gone with it.
_TENANT = {
    "sqlite": "gatehouse_tenant()",
    "postgresql": "current_setting('gatehouse.tenant_id')::integer",
}
_USER = {
    "sqlite": "gatehouse_user()",
    "postgresql": "current_setting('gatehouse.user_id')::uuid",
}
_PLAIN: Mapping[str, type[Dialect]] = {"sqlite": SQLiteDialect, "postgresql": PGDialect}
_STATE = "gatehouse_held_to"


def is_held(table: sa.Table) -> bool:
    """Tell whether a scope decides which rows of the table are seen; else all of the company's are."""
    return bool(_roots_of(table))


def prepare_sqlite(connection: Any, state: dict[Any, Any]) -> None:
    """Let a SQLite connection's statements ask whom they are held to; `state` is kept beside it."""
    state[_STATE] = (None, None)
    connection.create_function("gatehouse_tenant", 0, lambda: state[_STATE][0], deterministic=True)
    connection.create_function("gatehouse_user", 0, lambda: state[_STATE][1], deterministic=True)


class Holding:
    """Makes a database's connections hold what runs on them to an actor's scope."""

    def __init__(self) -> None:
        self._held: dict[Dialect, Dialect] = {}

    @contextmanager
    def hold(self, conn: sa.Connection, tenant_id: TenantId, actor: User | None) -> Iterator[None]:
        """Hold the block's statements to the tenant and, if the actor has one, to the actor's scope."""
        free = conn.dialect
        bound = None if actor is None or actor.scope.is_everywhere else actor
        if free.name == "postgresql":
            # Whose transaction is this? Asked by the scope and by the policies of `row_security`.
            setting = sa.select(
                sa.func.set_config("gatehouse.tenant_id", str(tenant_id), True),
                sa.func.set_config("gatehouse.user_id", "" if bound is None else bound.user_id, True),
            )
            conn.execute(setting)
        if bound is None:
            yield
            return
        if free.name != "postgresql":
            conn.info[_STATE] = (tenant_id, UUID(bound.user_id).hex)
        conn.dialect = self._held.setdefault(free, _held_dialect(free))
        try:
            yield
        finally:
            conn.dialect = free
            if free.name != "postgresql":
                conn.info[_STATE] = (None, None)


def _held_dialect(free: Dialect) -> Dialect:
    """Return a dialect like this one whose compiler lets through only what is within the scope.

    Compiled statements are kept by dialect, so that one compiled here is never run elsewhere.
    """
    held = copy.copy(free)
    held.statement_compiler = type("HeldCompiler", (_Held, free.statement_compiler), {})
    return held


# SQLAlchemy leaves its compiler's visitors without types.
class _Held(sa.sql.compiler.SQLCompiler):
    """Puts the scope into every statement."""

    def visit_table(self, table: Any, *args: Any, **kwargs: Any) -> Any:
        """Render a table as what of it is within the scope, but for the target of an INSERT or UPDATE."""
        rendered = super().visit_table(table, *args, **kwargs)  # type: ignore[no-untyped-call]
        is_source = kwargs.get("asfrom", False) and not kwargs.get("iscrud", False)
        if not is_source or not isinstance(table, sa.Table) or not is_held(table):
            return rendered
        rows = _rows_within(table, self.dialect.name)
        named = kwargs.get("enclosing_alias")
        if named is not None and named.element is table:
            return rows  # the alias around it gives the name
        name, _, alias = str(rendered).partition(" AS ")
        return f"{rows} AS {alias or name}"

    def visit_update(self, update_stmt: Any, *args: Any, **kwargs: Any) -> Any:
        """Change only what is within the scope."""
        narrowed = _narrowed(update_stmt, self.dialect.name)
        return super().visit_update(narrowed, *args, **kwargs)

    def visit_delete(self, delete_stmt: Any, *args: Any, **kwargs: Any) -> Any:
        """Delete only what is within the scope."""
        narrowed = _narrowed(delete_stmt, self.dialect.name)
        return super().visit_delete(narrowed, *args, **kwargs)  # type: ignore[no-untyped-call]


def _narrowed(statement: Any, engine: str) -> Any:
    table = statement.table
    if not is_held(table):
        return statement
    return statement.where(sa.literal_column(_text_of(_within(table, engine), engine), sa.Boolean))


@cache
def _rows_within(table: sa.Table, engine: str) -> str:
    """Return the derived table that holds the rows of `table` within the scope, without its name."""
    return f"({_text_of(sa.select(table).where(_within(table, engine)), engine)})"


def _text_of(clause: sa.ClauseElement, engine: str) -> str:
    """Return a clause without parameters as SQL, free of any holding."""
    return " ".join(str(clause.compile(dialect=_PLAIN[engine]())).split())


@cache
def _within(table: sa.Table, engine: str) -> sa.ColumnElement[bool]:
    """Return the condition that a row of `table` is within the scope of whom the transaction is held to."""
    own = table.c.tenant_id == sa.literal_column(_TENANT[engine], sa.Integer)
    if table is site:
        in_building = _own_part(user_building, building.c.site_id, engine).join_from(
            user_building, building, _same(building.c.id, user_building.c.building_id)
        )
        whole = _own_part(user_site, user_site.c.site_id, engine)
        return sa.and_(own, sa.or_(site.c.id.in_(whole), site.c.id.in_(in_building)))
    if table is building:
        whole = _own_part(user_site, user_site.c.site_id, engine)
        part = _own_part(user_building, user_building.c.building_id, engine)
        return sa.and_(own, sa.or_(building.c.site_id.in_(whole), building.c.id.in_(part)))
    if table in _BY_ENTRY:
        # An entry in the books belongs to the accounts it moves; its other side (the bank) goes with it.
        entry = ledger_entry.c.id if table is ledger_entry else posting.c.entry_id
        side = posting.alias("side")
        moved = sa.select(side.c.entry_id).where(
            side.c.tenant_id == sa.literal_column(_TENANT[engine], sa.Integer),
            side.c.account_id.in_(_ids_within(metadata.tables["account"].c.id, engine)),
        )
        return sa.and_(own, entry.in_(moved))
    conditions = [own]
    for way in _ways_of(table):
        inside = way.column.in_(_ids_within(way.parent, engine))
        conditions.append(inside if way.is_sure else sa.or_(way.column.is_(None), inside))
    if table in _BY_CHILD:
        child = _BY_CHILD[table]
        anywhere = child.table.alias(f"any_{child.table.name}")
        conditions.append(
            sa.or_(
                table.c.id.in_(_ids_within(child, engine)),
                table.c.id.not_in(
                    sa.select(anywhere.c[child.name]).where(
                        anywhere.c.tenant_id == sa.literal_column(_TENANT[engine], sa.Integer)
                    )
                ),
            )
        )
    return sa.and_(*conditions)


def _own_part(ties: sa.Table, column: sa.Column[Any], engine: str) -> sa.Select[Any]:
    own = (
        ties.c.tenant_id == sa.literal_column(_TENANT[engine], sa.Integer),
        ties.c.user_id == sa.literal_column(_USER[engine], sa.Uuid(as_uuid=False)),
    )
    return sa.select(column).where(*own).correlate(None)


def _same(left: sa.Column[Any], right: sa.Column[Any]) -> sa.ColumnElement[bool]:
    return sa.and_(left.table.c.tenant_id == right.table.c.tenant_id, left == right)


def _ids_within(column: sa.Column[Any], engine: str) -> sa.Select[Any]:
    """Return a column's values in the rows within the scope, whatever statement this is put into."""
    table = column.table
    return sa.select(column).where(_within(table, engine)).correlate(None)


@cache
def _ways_of(table: sa.Table) -> tuple[Way, ...]:
    """Return the columns that decide: the surest that leads deepest, or the site and what may narrow it."""
    if table in _WAYS:
        return _WAYS[table]
    found = [way for way in _references(table) if _roots_of(way.parent.table)]
    sure = sorted((way for way in found if way.is_sure), key=_nearness)
    deep = [way for way in found if building in _roots_of(way.parent.table)]
    for way in sure:
        if way in deep:
            return (way,)
    if not sure:
        return tuple(found)
    return (sure[0], *(way for way in deep if not way.is_sure))


def _references(table: sa.Table) -> list[Way]:
    elements = [element for key in table.foreign_key_constraints for element in key.elements]
    ways = [
        Way(element.parent, element.column, not element.parent.nullable)
        for element in elements
        if element.parent.name != "tenant_id" and element.column.table is not table
    ]
    return sorted(ways, key=lambda way: way.column.name)


def _nearness(way: Way) -> tuple[int, str]:
    """Return how many steps a way is from the site."""
    return (_steps(way.parent.table), way.column.name)


@cache
def _steps(table: sa.Table) -> int:
    if table in (site, building):
        return 0
    return 1 + min((_steps(way.parent.table) for way in _ways_of(table)), default=0)


@cache
def _roots_of(table: sa.Table) -> frozenset[sa.Table]:
    """Return which of site and building decide about a table's rows; none: they are the company's."""
    if table in (site, building):
        return frozenset({site, building} if table is building else {site})
    if table in _BY_ENTRY:
        return frozenset({site, building})
    roots = [_roots_of(way.parent.table) for way in _WAYS.get(table) or _references(table)]
    if table in _BY_CHILD:
        roots.append(_roots_of(_BY_CHILD[table].table))
    return frozenset().union(*roots)
