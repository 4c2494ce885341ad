"""A small estate to be billed: flats with electricity and water meters, readings with real frames.

Made by the services and stores themselves; readings go in the way a gateway's batches do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from zoneinfo import ZoneInfo

from cloud.domain.gateway import GatewayIdentity
from cloud.domain.ids import AccountId, BuildingId, InstallationId, PeriodId, SeriesId, ServicePointId, SiteId
from cloud.domain.people import Supply
from cloud.domain.periods import midnight_ms
from cloud.domain.premises import Commodity, ServicePointKind, SpaceKind
from cloud.domain.user import User, system_user
from cloud.services import billing, by_account, closing, gateways, readings, tariffs
from cloud.services.closing import ClosingReport
from cloud.store import meters, people, points, premises
from cloud.store.db import Database, Tx
from protocol.envelope import Block, encode_readings
from protocol.evidence import Evidence
from protocol.fieldbus import dlt645
from protocol.quantity import micro_from_decimal
from protocol.reading import ClockQuality, Quality, Reading
from protocol.sync import Stream
from tests.databases import TENANT

ZONE = ZoneInfo("Asia/Shanghai")
SYSTEM: User = system_user(TENANT)
EPOCH = 1_790_000_000_000
ELECTRICITY = "cn-beijing-elec-res"
WATER = "cn-beijing-water-res"
OPENED_ON = date(2026, 1, 1)
HOUR_MS = 3_600_000


def at(on: date, hours: int = 0) -> int:
    """Return an instant at the site."""
    return midnight_ms(on, ZONE) + hours * HOUR_MS


@dataclass
class Estate:
    """The site, and handles on everything in it by the codes people use."""

    database: Database
    site_id: SiteId
    building_id: BuildingId
    gateway: GatewayIdentity
    accounts: dict[str, AccountId] = field(default_factory=dict)
    points: dict[str, ServicePointId] = field(default_factory=dict)
    series: dict[str, SeriesId] = field(default_factory=dict)
    installations: dict[str, InstallationId] = field(default_factory=dict)
    exchanges: dict[str, int] = field(default_factory=dict)
    next_seq: int = 1

    def add_flat(
        self,
        flat: str,
        *,
        household_size: int = 3,
        opened_on: date = OPENED_ON,
        electricity: str = ELECTRICITY,
        water: str | None = WATER,
        multiplier: str = "1",
        modulus: str | None = "1000000",
        max_per_day: str | None = "350",
        from_at_ms: int | None = None,
        opening: str = "0",
        area_dm2: int = 8943,
        dials: Mapping[str, tuple[str, str | None, str | None]] = MappingProxyType({}),
    ) -> AccountId:
        """Add a flat with an account, a meter E-flat and, unless refused, a water meter W-flat.

        `dials` says of a letter what its meter shows at first, its full scale and the most of a day.
        """
        begun_ms = at(date(2025, 1, 1)) if from_at_ms is None else from_at_ms

        def work(tx: Tx) -> AccountId:
            space_id = premises.insert_space(
                tx, self.building_id, f"1-{flat}", "1", int(flat[0]), SpaceKind.FLAT, area_dm2
            )
            account_id = people.insert_account(
                tx, self.site_id, f"A-00{flat}", "王建国", space_id, household_size, opened_on
            )
            for letter, commodity, tariff in (
                ("E", Commodity.ELECTRICITY, electricity),
                ("W", Commodity.WATER, water),
            ):
                if tariff is None:
                    continue
                code = f"{letter}-{flat}"
                point_id = premises.insert_service_point(
                    tx, self.site_id, space_id, code, commodity, ServicePointKind.FLAT
                )
                self.points[code] = point_id
                dial = dials.get(letter, (opening, modulus, max_per_day))
                self._hang(tx, code, f"{code}-old", commodity, begun_ms, dial[0], multiplier, *dial[1:])
                people.insert_supply(tx, Supply(account_id, point_id, tariff, opened_on, None))
            return account_id

        self.accounts[flat] = self.database.write_now(TENANT, work)
        return self.accounts[flat]

    def exchange(
        self,
        code: str,
        at_ms: int,
        closing_value: str,
        opening_value: str,
        *,
        multiplier: str = "1",
        modulus: str | None = "1000000",
        max_per_day: str | None = "350",
    ) -> None:
        """Take a meter down with its last value and hang a new one with its first."""

        def work(tx: Tx) -> None:
            meters.close_installation(
                tx, self.installations[code], at_ms, micro_from_decimal(Decimal(closing_value))
            )
            commodity = Commodity.WATER if code.startswith("W") else Commodity.ELECTRICITY
            self.exchanges[code] = self.exchanges.get(code, 0) + 1
            serial = f"{code}-new{'' if self.exchanges[code] == 1 else self.exchanges[code]}"
            self._hang(tx, code, serial, commodity, at_ms, opening_value, multiplier, modulus, max_per_day)

        self.database.write_now(TENANT, work)

    def _hang(
        self,
        tx: Tx,
        code: str,
        serial: str,
        commodity: Commodity,
        at_ms: int,
        opening: str,
        multiplier: str,
        modulus: str | None,
        max_per_day: str | None,
    ) -> None:
        key = point_key(serial)
        series_id = points.register_keys(tx, self.gateway.gateway_id, [key])[key]
        meter_id = meters.insert_meter(
            tx,
            serial,
            commodity,
            "TEST",
            None if modulus is None else micro_from_decimal(Decimal(modulus)),
            None if max_per_day is None else micro_from_decimal(Decimal(max_per_day)),
        )
        added = meters.insert_installation(
            tx,
            self.points[code],
            meter_id,
            series_id,
            at_ms,
            micro_from_decimal(Decimal(opening)),
            Decimal(multiplier),
            "",
            None,
        )
        assert added is not None
        self.installations[code] = added
        self.series[code] = series_id

    def read(self, code: str, at_ms: int, value: str, **kind: object) -> None:
        """Let the gateway deliver one reading of the meter that hangs there now."""
        self.deliver([self.reading(code, at_ms, value, **kind)])

    def reading(
        self,
        code: str,
        at_ms: int,
        value: str,
        *,
        serial: str | None = None,
        quality: Quality = Quality.GOOD,
        clock_quality: ClockQuality = ClockQuality.SYNCED,
        reason: str = "",
    ) -> Reading:
        """Return a reading with the frame it was decoded from."""
        name = serial or self._serial(code)
        decimal = Decimal(value)
        return Reading(
            point_key(name),
            at_ms,
            micro_from_decimal(decimal),
            quality,
            reason,
            clock_quality,
            frame_of(name, decimal, at_ms),
        )

    def deliver(self, rows: list[Reading]) -> None:
        """Take readings in as the gateways' door does."""
        block = Block(self.next_seq, len(rows), encode_readings(rows))
        self.next_seq += len(rows)
        opened = readings.open_blocks(Stream.HISTORY, [block])
        self.database.write_now(TENANT, readings.accept, self.gateway, Stream.HISTORY, EPOCH, opened)

    def supply(self, flat: str, code: str, tariff: str, from_on: date, to_on: date | None = None) -> None:
        """Tie an account to a service point."""
        added = Supply(self.accounts[flat], self.points[code], tariff, from_on, to_on)
        self.database.write_now(TENANT, people.insert_supply, added)

    def period(self, code: str) -> PeriodId:
        """Open a billing month."""
        return self.database.write_now(TENANT, billing.open_period, SYSTEM, self.site_id, code).period_id

    async def close(self, code: str, group_size: int = by_account.GROUP_SIZE) -> ClosingReport:
        """Close a billing month."""
        return await closing.close_period(
            self.database, TENANT, SYSTEM, self.period(code), group_size=group_size
        )

    def _serial(self, code: str) -> str:
        def work(tx: Tx) -> str:
            found = meters.find_installation(tx, self.installations[code])
            assert found is not None
            return found.meter.serial

        return self.database.read_now(TENANT, work)


def point_key(serial: str) -> str:
    """Return the point that reads a meter."""
    letter = serial[0].lower()
    return f"{letter}m-{serial[2:]}/{'active_energy_import' if letter == 'e' else 'water_volume'}"


def frame_of(serial: str, value: Decimal, at_ms: int) -> Evidence:
    """Return a DL/T 645 exchange that carries the value ."""
    address = f"{abs(hash_of(serial)) % 10**12:012}"
    payload = bytes.fromhex(f"{int(value * 100):08}")[::-1]  # BCD, hundredths, lowest byte first
    request = dlt645.encode_frame(dlt645.read_request(address, "00010000"))
    reply = dlt645.encode_frame(dlt645.read_reply(address, "00010000", payload))
    return Evidence("dlt645-2007", "bus-1", request, reply, at_ms, 120_000)


def hash_of(text: str) -> int:
    """Return a number of a text that is the same in every run."""
    return int.from_bytes(text.encode(), "big")


def make_estate(database: Database, code: str = "DG") -> Estate:
    """Return an empty estate with the two Beijing tariffs in force."""

    def work(tx: Tx) -> Estate:
        site_id = premises.insert_site(tx, code, "示范小区", "Asia/Shanghai", "")
        building_id = premises.insert_building(tx, site_id, "1", "1 号楼", 6)
        gateway_id = gateways.create(tx, SYSTEM, site_id, "gw-1", "gw-1")
        for shipped in (ELECTRICITY, WATER):
            tariffs.import_shipped(tx, SYSTEM, shipped, activate=True)
        identity = GatewayIdentity(TENANT, gateway_id, site_id, "gw-1")
        return Estate(database, site_id, building_id, identity)

    return database.write_now(TENANT, work)
