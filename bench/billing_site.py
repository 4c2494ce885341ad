"""A large site to be billed: accounts with two meters each, and readings around the ends of months.

Written in bulk below the services, which add one thing at a time; what they would refuse is not here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from cloud.domain.ids import SiteId, TenantId
from cloud.domain.periods import midnight_ms
from cloud.domain.user import User, system_user
from cloud.services import gateways, tariffs
from cloud.store import premises, schema
from cloud.store.db import Tx
from cloud.store.many_rows import insert_rows

TENANT = TenantId(1)
SYSTEM: User = system_user(TENANT)
ZONE = ZoneInfo("Asia/Shanghai")
BOUNDS_MS = [midnight_ms(date(2026, month, 1), ZONE) for month in (9, 10, 11)]

_TARIFFS = {"electricity": "cn-beijing-elec-res", "water": "cn-beijing-water-res"}
# A reading every quarter of an hour for an hour on either side of each boundary.
_OFFSETS_MS = [quarter * 900_000 + 7_000 for quarter in range(-4, 4)]
_ACCOUNTS_AT_ONCE = 2_000


@dataclass
class _Rows:
    """The rows of every table, in the order in which they may be inserted."""

    tx: Tx
    site_id: SiteId
    device: dict[str, Any]
    building_id: str
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: str, **values: Any) -> str:
        """Add one row, with an id where it gives none; return the id."""
        new_id = self.tx.new_id()
        row = {"tenant_id": TENANT, **values}
        if "series_id" not in values or table == "installation":
            row["id"] = new_id
        self.rows.setdefault(table, []).append(row)
        return new_id


def build_site(tx: Tx, accounts: int) -> SiteId:
    """Write the site, its accounts with an electricity and a water meter each, and the readings."""
    site_id = premises.insert_site(tx, "DG", "Bench", "Asia/Shanghai", "")
    building_id = premises.insert_building(tx, site_id, "1", "1", 99)
    gateway_id = gateways.create(tx, SYSTEM, site_id, "gw-1", "gw-1")
    for code in _TARIFFS.values():
        tariffs.import_shipped(tx, SYSTEM, code, activate=True)
    device = {"tenant_id": TENANT, "id": tx.new_id(), "gateway_id": gateway_id, "code": "d", "profile": "",
              "title": "d"}  # fmt: skip
    tx.conn.execute(sa.insert(schema.device), [device])
    for first in range(0, accounts, _ACCOUNTS_AT_ONCE):
        rows = _Rows(tx, site_id, device, building_id)
        last = min(first + _ACCOUNTS_AT_ONCE, accounts)
        for number in range(first, last):
            _add_account(rows, number)
        for table in ("space", "account", "service_point", "supply", "meter", "point", "installation"):
            insert_rows(tx, schema.metadata.tables[table], rows.rows[table])
        insert_rows(tx, schema.reading, list(_readings(range(first * 2 + 1, last * 2 + 1))))
    return site_id


def _add_account(rows: _Rows, number: int) -> None:
    space_id = rows.add("space", building_id=rows.building_id, code=f"1-{number}", unit_code="1", floor=1,
                        kind="flat", built_area_dm2=8943)  # fmt: skip
    account_id = rows.add("account", site_id=rows.site_id, number=f"A-{number:06}", holder_name="X",
                          space_id=space_id, household_size=3, opened_on=date(2026, 1, 1))  # fmt: skip
    for offset, (commodity, tariff) in enumerate(_TARIFFS.items(), start=1):
        serial, series_id = f"{commodity}-{number}", number * 2 + offset
        service_point_id = rows.add("service_point", site_id=rows.site_id, space_id=space_id, code=serial,
                                    commodity=commodity, kind="flat")  # fmt: skip
        rows.add("supply", account_id=account_id, service_point_id=service_point_id, tariff_code=tariff,
                 from_on=date(2026, 1, 1))  # fmt: skip
        meter_id = rows.add("meter", serial=serial, commodity=commodity, model="",
                            register_modulus_micro=10**12, max_per_day_micro=350_000_000)  # fmt: skip
        rows.add("point", series_id=series_id, gateway_id=rows.device["gateway_id"],
                 device_id=rows.device["id"], key=f"{serial}/total", name="total", quantity="",
                 unit="")  # fmt: skip
        rows.add("installation", service_point_id=service_point_id, meter_id=meter_id, series_id=series_id,
                 from_at_ms=BOUNDS_MS[0] - 10**10, opening_value_micro=0, multiplier=Decimal(1),
                 reason="")  # fmt: skip


def _readings(series_ids: Sequence[int]) -> Iterator[dict[str, Any]]:
    for series_id in series_ids:
        for month, bound_ms in enumerate(BOUNDS_MS):
            for quarter, offset_ms in enumerate(_OFFSETS_MS):
                seq = (series_id * 3 + month) * 8 + quarter
                yield {
                    "tenant_id": TENANT,
                    "series_id": series_id,
                    "measured_at_ms": bound_ms + offset_ms,
                    "epoch": 1,
                    "seq": seq,
                    # Some 200 kWh and 20 m3 a month, in hundredths, different for everybody.
                    "value_micro": (month * (20_000 if series_id % 2 else 2_000) + seq % 977) * 10_000,
                    "quality": 0,
                    "reason": "",
                    "clock_quality": 0,
                    "received_at_ms": bound_ms,
                    "evidence_seq": None,
                }
