"""Tariff versions as stored: the document they were read from, and whether they are in force."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from typing import Any

import sqlalchemy as sa

from cloud.domain.errors import Invalid
from cloud.domain.ids import TariffId
from cloud.domain.tariff_document import Tariff, TariffVersion, parse_version
from cloud.store.db import Tx
from cloud.store.schema import tariff


class TariffState(Enum):
    """The life of a tariff version."""

    DRAFT = "draft"  # imported; nobody is billed by it
    ACTIVE = "active"
    RETIRED = "retired"  # no longer for new bills; old ones still refer to it


@dataclass(frozen=True, slots=True)
class StoredTariff:
    """A version with its id and state. `valid_to` is in force even where the document says otherwise."""

    tariff_id: TariffId
    state: TariffState
    valid_to: date | None
    created_at_ms: int
    version: TariffVersion

    @property
    def tariff(self) -> Tariff:
        """Return the version ready to price, valid as it is in force here."""
        parsed = self.version.tariff
        return parsed if parsed.valid_to == self.valid_to else replace(parsed, valid_to=self.valid_to)


@dataclass(frozen=True, slots=True)
class TariffSummary:
    """One row of the list of tariffs."""

    tariff_id: TariffId
    code: str
    version: int
    name_zh: str
    name_en: str
    commodity: str
    valid_from: date
    valid_to: date | None
    state: TariffState
    confidence: str


def insert_version(tx: Tx, added: TariffVersion) -> TariffId:
    """Keep a version as a draft."""
    tariff_id = TariffId(tx.new_id())
    parsed = added.tariff
    # Add one version.
    tx.conn.execute(
        tx.insert(tariff).values(
            tenant_id=tx.tenant_id,
            id=tariff_id,
            code=parsed.code,
            version=parsed.version,
            name_zh=parsed.name_zh,
            name_en=parsed.name_en,
            commodity=parsed.commodity,
            valid_from=parsed.valid_from,
            valid_to=parsed.valid_to,
            state=TariffState.DRAFT.value,
            document=_to_stored(added.document),
            source=_to_stored(added.document["sources"]),
            confidence=parsed.confidence.value,
            created_at_ms=tx.now_ms,
        )
    )
    return tariff_id


def delete_draft(tx: Tx, tariff_id: TariffId) -> None:
    """Forget a draft, to be replaced by what was imported anew; the database refuses any other."""
    # Remove one draft.
    tx.conn.execute(sa.delete(tariff).where(tariff.c.tenant_id == tx.tenant_id, tariff.c.id == tariff_id))


def set_state(tx: Tx, tariff_id: TariffId, state: TariffState) -> None:
    """Move a version through its life."""
    # Change one version's state.
    tx.conn.execute(
        sa.update(tariff)
        .where(tariff.c.tenant_id == tx.tenant_id, tariff.c.id == tariff_id)
        .values(state=state.value)
    )


def set_valid_to(tx: Tx, tariff_id: TariffId, valid_to: date) -> None:
    """End a version's validity: another takes over on that day."""
    # Change one version's last day.
    tx.conn.execute(
        sa.update(tariff)
        .where(tariff.c.tenant_id == tx.tenant_id, tariff.c.id == tariff_id)
        .values(valid_to=valid_to)
    )


def find_version(tx: Tx, code: str, version: int) -> StoredTariff | None:
    """Return one version, or None."""
    found = _stored(tx, tariff.c.code == code, tariff.c.version == version)
    return found[0] if found else None


def versions_of(tx: Tx, code: str) -> list[StoredTariff]:
    """Return all versions of a tariff in order of time."""
    return _stored(tx, tariff.c.code == code)


def active_versions(tx: Tx, codes: Iterable[str]) -> dict[str, list[StoredTariff]]:
    """Return the versions in force of some tariffs, in order of time, by code."""
    wanted = sorted(set(codes))
    by_code: dict[str, list[StoredTariff]] = {code: [] for code in wanted}
    for found in _stored(tx, tariff.c.code.in_(wanted), tariff.c.state == TariffState.ACTIVE.value):
        by_code[found.version.tariff.code].append(found)
    return by_code


def find_by_id(tx: Tx, tariff_id: TariffId) -> StoredTariff | None:
    """Return the version of an id, or None."""
    found = _stored(tx, tariff.c.id == tariff_id)
    return found[0] if found else None


def list_summaries(tx: Tx) -> list[TariffSummary]:
    """Return every version of every tariff, by commodity, code and version."""
    # Which tariffs are there?
    rows = tx.conn.execute(
        sa.select(
            tariff.c.id,
            tariff.c.code,
            tariff.c.version,
            tariff.c.name_zh,
            tariff.c.name_en,
            tariff.c.commodity,
            tariff.c.valid_from,
            tariff.c.valid_to,
            tariff.c.state,
            tariff.c.confidence,
        )
        .where(tariff.c.tenant_id == tx.tenant_id)
        .order_by(tariff.c.commodity, tariff.c.code, tariff.c.version)
    )
    return [
        TariffSummary(
            TariffId(row.id),
            row.code,
            row.version,
            row.name_zh,
            row.name_en,
            row.commodity,
            row.valid_from,
            row.valid_to,
            TariffState(row.state),
            row.confidence,
        )
        for row in rows
    ]


def _stored(tx: Tx, *which: sa.ColumnElement[bool]) -> list[StoredTariff]:
    # Which versions of tariffs are these?
    rows = tx.conn.execute(
        sa.select(tariff.c.id, tariff.c.state, tariff.c.valid_to, tariff.c.created_at_ms, tariff.c.document)
        .where(tariff.c.tenant_id == tx.tenant_id, *which)
        .order_by(tariff.c.code, tariff.c.valid_from, tariff.c.version)
    )
    return [
        StoredTariff(
            TariffId(row.id),
            TariffState(row.state),
            row.valid_to,
            row.created_at_ms,
            _parsed(row.document),
        )
        for row in rows
    ]


def _parsed(document: Any) -> TariffVersion:
    try:
        return parse_version(document)
    except Invalid as error:
        # It was parsed before it was stored; a program that cannot read it is older than the tariff.
        raise Invalid(f"a stored tariff cannot be read by this program: {error}", error.problems) from error


def _to_stored(value: Any) -> Any:
    """Return JSON without decimals: numbers that matter stay digits, as text."""
    match value:
        case dict():
            return {key: _to_stored(part) for key, part in value.items()}
        case list() | tuple():
            return [_to_stored(part) for part in value]
        case str() | int() | bool() | None:
            return value
        case _:
            return str(value)
