"""The bricks all tables are made of.

The invariant: the tenant leads every primary key, unique key and foreign key, so that tenants can
be spread over servers without a query changing. Closed sets are CHECKed from the domain's enums.
"""

from decimal import Decimal
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


def _own_columns(constraint: sa.UniqueConstraint, _table: sa.Table) -> str:
    """Return what a unique key is about: its columns without the tenant they all begin with."""
    return "_".join(column.name for column in constraint.columns if column.name != "tenant_id")


# `Any`: SQLAlchemy's own type for it does not admit a function over one kind of constraint.
_NAMING: dict[str, Any] = {
    "own_columns": _own_columns,
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_1_name)s_%(referred_table_name)s",
    "uq": "uq_%(table_name)s_%(own_columns)s",
    "ix": "ix_%(table_name)s_%(column_1_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}

metadata = sa.MetaData(naming_convention=_NAMING)


class ExactDecimal(TypeDecorator[Decimal]):
    """A Decimal that comes back digit for digit: NUMERIC on PostgreSQL, TEXT on SQLite, never float."""

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        super().__init__(precision, scale)
        self._scale = scale

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column type of the engine."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.Text())
        return dialect.type_descriptor(self.impl_instance)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Refuse a value the column could not hold exactly; both engines then store the same."""
        if value is None:
            return None
        if not isinstance(value, Decimal) or not value.is_finite():
            raise TypeError(f"an exact decimal column takes a finite Decimal, not {value!r}")
        exact = value.quantize(Decimal(1).scaleb(-self._scale))
        if exact != value:
            raise ValueError(f"{value} has more than {self._scale} decimals")
        return f"{exact:f}" if dialect.name == "sqlite" else exact

    def process_result_value(self, value: Any, _dialect: Dialect) -> Decimal | None:
        """Return the stored value with its scale."""
        return None if value is None else Decimal(value)


def tenant() -> sa.Column[int]:
    """Return the column that leads every key."""
    return sa.Column("tenant_id", sa.Integer, primary_key=True, autoincrement=False)


def identity() -> sa.Column[str]:
    """Return the column of a thing's own UUIDv7."""
    return sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True)


def reference(name: str, *, nullable: bool = False) -> sa.Column[str]:
    """Return a column that holds another thing's id; `refers` adds the foreign key."""
    return sa.Column(name, sa.Uuid(as_uuid=False), nullable=nullable)


def refers(table: str, *columns: str, to: tuple[str, ...] = ("id",)) -> sa.ForeignKeyConstraint:
    """Return the foreign key from `columns` to `to` of `table`, within the tenant."""
    return sa.ForeignKeyConstraint(
        ["tenant_id", *columns], [f"{table}.tenant_id", *(f"{table}.{name}" for name in to)]
    )


def unique(*columns: str) -> sa.UniqueConstraint:
    """Return a unique key over `columns` within the tenant, named for its columns."""
    return sa.UniqueConstraint("tenant_id", *columns)


def text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    """Return a text column."""
    return sa.Column(name, sa.Text, nullable=nullable)


def integer(name: str, *, nullable: bool = False) -> sa.Column[int]:
    """Return a 64-bit integer column: instants (`_at_ms`), money (`_fen`), values (`_micro`), counts."""
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def small(name: str, *, nullable: bool = False) -> sa.Column[int]:
    """Return a small integer column: codes and the like."""
    return sa.Column(name, sa.SmallInteger, nullable=nullable)


def day(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    """Return a local calendar date column (`_on`)."""
    return sa.Column(name, sa.Date, nullable=nullable)


def flag(name: str) -> sa.Column[bool]:
    """Return a yes-or-no column."""
    return sa.Column(name, sa.Boolean, nullable=False)


def document(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    """Return a JSON column; numbers in it that matter are strings, so none passes through a float."""
    return sa.Column(name, sa.JSON(none_as_null=True), nullable=nullable)


def one_of(column: str, words: type[Enum]) -> sa.CheckConstraint:
    """Return the CHECK that a text column holds one of the enum's values."""
    listed = ", ".join(f"'{word.value}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def check(name: str, rule: str) -> sa.CheckConstraint:
    """Return a named CHECK."""
    return sa.CheckConstraint(rule, name=name)
