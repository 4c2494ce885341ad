"""What spaces are like and since when: versions are added and never changed.

The invariant: on a day exactly one version of a space holds, the last recorded of the last day before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, BuildingId, SiteId, SpaceId, UserId
from cloud.domain.premises import Space, SpaceKind
from cloud.domain.space_history import (
    AREA_BANDS_DM2,
    Orientation,
    SpaceCount,
    SpaceFacts,
    SpaceRecord,
    SpaceSearch,
    SpaceStatus,
    SpaceUse,
    SpaceVersion,
    status_of,
)
from cloud.store.containing import contains
from cloud.store.db import Tx
from cloud.store.holders import HOLDER, holds_on
from cloud.store.schema import app_user, building, space, space_version

_FACTS = (
    space_version.c.built_area_dm2,
    space_version.c.inner_area_dm2,
    space_version.c.layout,
    space_version.c.orientation,
    space_version.c.use,
    space_version.c.title_number,
    space_version.c.status,
    space_version.c.handed_over_on,
)
_VERSION = space_version.alias("version")  # the one that holds on a day


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to be added; `number` is the next of its space."""

    space_id: SpaceId
    number: int
    from_on: date
    facts: SpaceFacts
    reason: str


def insert_versions(tx: Tx, added: Sequence[NewVersion], recorded_by: UserId | None) -> None:
    """Add versions of spaces."""
    if not added:
        return
    # Say what spaces are like from a day on.
    tx.conn.execute(
        sa.insert(space_version),
        [
            {
                "tenant_id": tx.tenant_id,
                "space_id": one.space_id,
                "number": one.number,
                "from_on": one.from_on,
                "reason": one.reason,
                "recorded_at_ms": tx.now_ms,
                "recorded_by": recorded_by,
                **_facts_to_row(one.facts),
            }
            for one in added
        ],
    )


def versions_of(tx: Tx, space_ids: Sequence[SpaceId]) -> dict[SpaceId, list[SpaceVersion]]:
    """Return all versions of spaces, in the order they were recorded."""
    # What has been said of these spaces, and by whom?
    rows = tx.conn.execute(
        sa.select(
            space_version.c.space_id,
            space_version.c.number,
            space_version.c.from_on,
            space_version.c.reason,
            space_version.c.recorded_at_ms,
            space_version.c.recorded_by,
            app_user.c.display_name,
            *_FACTS,
        )
        .select_from(
            space_version.outerjoin(
                app_user,
                sa.and_(
                    app_user.c.tenant_id == space_version.c.tenant_id,
                    app_user.c.id == space_version.c.recorded_by,
                ),
            )
        )
        .where(space_version.c.tenant_id == tx.tenant_id, space_version.c.space_id.in_(space_ids))
        .order_by(space_version.c.space_id, space_version.c.number)
    )
    found: dict[SpaceId, list[SpaceVersion]] = {}
    for row in rows:
        found.setdefault(SpaceId(row.space_id), []).append(
            SpaceVersion(
                row.number,
                row.from_on,
                _facts_from_row(row),
                row.reason,
                row.recorded_at_ms,
                None if row.recorded_by is None else UserId(row.recorded_by),
                row.display_name or "",
            )
        )
    return found


def area_on(on: date) -> sa.ScalarSelect[int]:
    """Return a column: the built area on a day of the space a statement selects."""
    return (
        sa.select(space_version.c.built_area_dm2)
        .where(
            space_version.c.tenant_id == space.c.tenant_id,
            space_version.c.space_id == space.c.id,
            space_version.c.from_on <= on,
        )
        .order_by(space_version.c.from_on.desc(), space_version.c.number.desc())
        .limit(1)
        .correlate(space)
        .scalar_subquery()
    )


def search(
    tx: Tx,
    site_id: SiteId,
    wanted: SpaceSearch,
    on: date,
    after: tuple[str, int, str] | None = None,
    limit: int | None = None,
) -> list[SpaceRecord]:
    """Return spaces as they were on a day, by building, floor and number, those after `after`."""
    then = _Then(tx, on)
    conditions = then.fitting(site_id, wanted)
    order = (building.c.code, space.c.floor, space.c.code)
    if after is not None:
        conditions.append(sa.tuple_(*order) > sa.tuple_(*map(sa.literal, after)))
    # Which spaces are like this?
    rows = tx.conn.execute(then.select().where(*conditions).order_by(*order).limit(limit))
    return [_record_from_row(row) for row in rows]


def find_record(tx: Tx, site_id: SiteId, code: str, on: date) -> SpaceRecord | None:
    """Return a space by what people call it, as it was on a day, or None; of several the first building's."""
    then = _Then(tx, on)
    which = [*then.fitting(site_id, SpaceSearch()), space.c.code == code]
    # Which space is called so?
    row = tx.conn.execute(then.select().where(*which).order_by(building.c.code).limit(1)).one_or_none()
    return None if row is None else _record_from_row(row)


def count_spaces(tx: Tx, site_id: SiteId, wanted: SpaceSearch, on: date) -> list[SpaceCount]:
    """Return how many spaces are alike on a day: by kind, status, layout and band of area."""
    then = _Then(tx, on)
    area = _VERSION.c.built_area_dm2
    bounds = [(area < bound, number) for number, bound in enumerate(AREA_BANDS_DM2)]
    band = sa.case(*bounds, else_=len(AREA_BANDS_DM2))
    alike = (space.c.kind, then.status.label("shown"), _VERSION.c.layout, band.label("band"))
    # How many spaces are alike?
    rows = tx.conn.execute(
        sa.select(*alike, sa.func.count(), sa.func.sum(area))
        .select_from(then.source)
        .where(*then.fitting(site_id, wanted))
        .group_by(space.c.kind, sa.literal_column("shown"), _VERSION.c.layout, sa.literal_column("band"))
    )
    return [
        SpaceCount(SpaceKind(row[0]), SpaceStatus(row[1]), row[2], row[3], int(row[4]), int(row[5]))
        for row in rows
    ]


def remove_versions(tx: Tx, space_ids: Sequence[str]) -> None:
    """Forget spaces that were written down by mistake; for undoing an import alone."""
    # Nobody has used these spaces: what was said of them goes with them.
    tx.conn.execute(
        sa.delete(space_version).where(
            space_version.c.tenant_id == tx.tenant_id, space_version.c.space_id.in_(space_ids)
        )
    )


class _Then:
    """Spaces with their buildings, what they were like on a day, and whose they were."""

    def __init__(self, tx: Tx, on: date) -> None:
        self._tx = tx
        public, lived_in = space.c.kind == SpaceKind.PUBLIC.value, HOLDER.c.id.is_not(None)
        shown = sa.case(
            (public, SpaceStatus.COMMON.value),
            (lived_in, SpaceStatus.OCCUPIED.value),
            else_=SpaceStatus.VACANT.value,
        )
        # The rule of `status_of`, where it is searched and counted.
        self.status = sa.func.coalesce(_VERSION.c.status, shown)
        self.source = (
            space.join(
                building,
                sa.and_(building.c.tenant_id == space.c.tenant_id, building.c.id == space.c.building_id),
            )
            .join(_VERSION, _stands_on(on))
            .outerjoin(HOLDER, holds_on(on))
        )

    def select(self) -> sa.Select[Any]:
        return sa.select(
            space.c.id,
            space.c.building_id,
            space.c.code,
            space.c.unit_code,
            space.c.floor,
            space.c.kind,
            building.c.code.label("building_code"),
            building.c.name.label("building_name"),
            *(_VERSION.c[column.name] for column in _FACTS),
            HOLDER.c.id.label("account_id"),
            HOLDER.c.number.label("account_number"),
            HOLDER.c.holder_name,
        ).select_from(self.source)

    def fitting(self, site_id: SiteId, wanted: SpaceSearch) -> list[sa.ColumnElement[bool]]:
        version = _VERSION.c
        exact = {
            space.c.building_id: wanted.building_id,
            space.c.kind: wanted.kind and wanted.kind.value,
            space.c.unit_code: wanted.unit_code or None,
            space.c.floor: wanted.floor,
            self.status: wanted.status and wanted.status.value,
            version.use: wanted.use and wanted.use.value,
            version.orientation: wanted.orientation and wanted.orientation.value,
            version.layout: wanted.layout or None,
        }
        conditions = [space.c.tenant_id == self._tx.tenant_id, building.c.site_id == site_id]
        conditions += [column == value for column, value in exact.items() if value is not None]
        if wanted.area_from_dm2 is not None:
            conditions.append(version.built_area_dm2 >= wanted.area_from_dm2)
        if wanted.area_to_dm2 is not None:
            conditions.append(version.built_area_dm2 < wanted.area_to_dm2)
        if wanted.text:
            told = (space.c.code, version.title_number, HOLDER.c.number, HOLDER.c.holder_name)
            conditions.append(contains(wanted.text, *told))
        return conditions


def _stands_on(on: date) -> sa.ColumnElement[bool]:
    """Return the condition that joins a space to the version that holds on a day."""
    latest = space_version.alias("latest_version")
    number = (
        sa.select(latest.c.number)
        .where(
            latest.c.tenant_id == space.c.tenant_id, latest.c.space_id == space.c.id, latest.c.from_on <= on
        )
        .order_by(latest.c.from_on.desc(), latest.c.number.desc())
        .limit(1)
        .correlate(space)
        .scalar_subquery()
    )
    return sa.and_(
        _VERSION.c.tenant_id == space.c.tenant_id,
        _VERSION.c.space_id == space.c.id,
        _VERSION.c.number == number,
    )


def _facts_to_row(facts: SpaceFacts) -> dict[str, Any]:
    return {
        "built_area_dm2": facts.built_area_dm2,
        "inner_area_dm2": facts.inner_area_dm2,
        "layout": facts.layout,
        "orientation": None if facts.orientation is None else facts.orientation.value,
        "use": facts.use.value,
        "title_number": facts.title_number,
        "status": None if facts.status is None else facts.status.value,
        "handed_over_on": facts.handed_over_on,
    }


def _facts_from_row(row: Any) -> SpaceFacts:
    return SpaceFacts(
        row.built_area_dm2,
        row.inner_area_dm2,
        row.layout,
        None if row.orientation is None else Orientation(row.orientation),
        SpaceUse(row.use),
        row.title_number,
        None if row.status is None else SpaceStatus(row.status),
        row.handed_over_on,
    )


def _record_from_row(row: Any) -> SpaceRecord:
    facts, kind = _facts_from_row(row), SpaceKind(row.kind)
    return SpaceRecord(
        Space(
            SpaceId(row.id),
            BuildingId(row.building_id),
            row.code,
            row.unit_code,
            row.floor,
            kind,
            facts.built_area_dm2,
        ),
        row.building_code,
        row.building_name,
        facts,
        status_of(facts, kind, has_account=row.account_id is not None),
        None if row.account_id is None else AccountId(row.account_id),
        row.account_number or "",
        row.holder_name or "",
    )
