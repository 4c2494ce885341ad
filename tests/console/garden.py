"""The demonstration building in a database: two billed months, a running one, things to look at.

Readings are the frames the simulated meters really answer with, taken in as a gateway's batches are;
bills are issued by the service that issues bills. Nothing is written to a table by hand.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from cloud.domain.gateway import GatewayIdentity
from cloud.domain.ids import SiteId, TenantId
from cloud.domain.repair import Channel, RepairCategory, RepairState, Urgency
from cloud.domain.site_document import site_document_from_json
from cloud.domain.user import User, system_user
from cloud.services import billing, gateways, photos, readings, repair_work, repairs, running, setup
from cloud.services.closing import close_period
from cloud.services.repairs import RepairRequest
from cloud.store import users
from cloud.store.db import Database, Tx
from gatehouse.demo.repairs import picture
from protocol.envelope import Block, encode_events, encode_readings
from protocol.event import Event, EventState, Severity
from protocol.evidence import Evidence
from protocol.fieldbus import cjt188, dlt645
from protocol.quantity import MICRO
from protocol.reading import Quality, Reading
from protocol.sync import Stream
from simulator.building import DEVICES, Device, Role
from simulator.cjt188_slaves import Cjt188Slaves
from simulator.dlt645_slaves import Dlt645Slaves
from simulator.faults import FaultBook
from simulator.models import Building
from simulator.site_document import Occasion, site_document
from tests.console.garden_commands import ask
from tests.console.garden_community import announce
from tests.console.garden_configurations import configure
from tests.console.garden_security import hang_cameras, keep_watch

TENANT = TenantId(1)
PASSWORD = "garden gate 2026"
EPOCH = 1_793_000_000_000
SEED = 20_260_701

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ZONE_MS = 8 * HOUR_MS

OPENED_ON = date(2026, 9, 1)
BILLED = ("2026-09", "2026-10")
# Tuesday 2026-11-24 08:14:07 in Shanghai.
NOW_MS = 1_795_479_247_000

TARIFFS = ("cn-beijing-elec-res", "cn-beijing-water-res")
TARIFF_FOLDER = Path(__file__).resolve().parents[2] / "cloud" / "tariffs"

SILENT = "em-403"  # nobody has heard of it since the weekend
HELD = "wm-302"  # its last value waits for a person
_SILENT_SINCE_MS = NOW_MS - 50 * HOUR_MS


@dataclass
class Bus:
    """The building's meters, asked as a driver asks them."""

    building: Building = field(default_factory=lambda: Building(SEED, FaultBook()))

    def __post_init__(self) -> None:
        self._electricity = Dlt645Slaves(_devices("dlt645"), self.building)
        self._water = Cjt188Slaves(_devices("cjt188"), self.building)

    def read(self, device: Device, at_ms: int) -> list[Reading]:
        """Return a device's readings at an instant, with the exchange they came from where there is one."""
        exchange = self._exchange(device, at_ms)
        values = self.building.values_micro(device.device_id, at_ms)
        if exchange is None:
            return [Reading(f"{device.device_id}/{name}", at_ms, value) for name, value in values.items()]
        request, answer = exchange
        protocol = "dlt645-2007" if device.role is Role.FLAT_ELECTRICITY else "cjt188"
        evidence = Evidence(protocol, device.line_id, request, answer.reply, at_ms, 186_000)
        return [
            Reading(f"{device.device_id}/{name}", at_ms, value, evidence=evidence)
            for name, value in answer.issued
        ]

    def _exchange(self, device: Device, at_ms: int):  # type: ignore[no-untyped-def]
        if device.role is Role.FLAT_ELECTRICITY:
            request = dlt645.encode_frame(dlt645.read_request(device.address, "00010000"))
            return request, self._electricity.answer(request.lstrip(b"\xfe"), at_ms)
        if device.role in (Role.FLAT_WATER, Role.MASTER_WATER):
            request = cjt188.encode_frame(cjt188.read_request(0x10, device.address))
            return request, self._water.answer(request.lstrip(b"\xfe"), at_ms)
        return None


def _devices(family: str) -> list[Device]:
    roles = {
        "dlt645": {Role.FLAT_ELECTRICITY},
        "cjt188": {Role.FLAT_WATER, Role.MASTER_WATER},
    }[family]
    return [device for device in DEVICES if device.role in roles]


def fill(database: Database, clock_ms: int = NOW_MS) -> GatewayIdentity:
    """Set the building up, take in its readings, bill two months; return who speaks for its gateway."""
    actor = system_user(TENANT)
    occasion = Occasion(OPENED_ON, clock_ms, PASSWORD)
    document = site_document(Building(SEED, FaultBook()), occasion)
    document["tariffs"] = [
        json.loads((TARIFF_FOLDER / f"{name}.json").read_text("utf-8")) for name in TARIFFS
    ]
    parsed = site_document_from_json(json.dumps(document, ensure_ascii=False).encode())
    site_id = database.write_now(TENANT, setup.load_building, actor, parsed)
    slot = database.read_now(TENANT, gateways.list_gateways, actor, site_id)[0]
    gateway = GatewayIdentity(TENANT, slot.gateway_id, site_id, slot.code)
    deliver_readings(database, gateway, list(_readings(Bus(), clock_ms)))
    deliver_events(database, gateway, _events(clock_ms))
    configure(database, gateway, EPOCH)
    ask(database, gateway)
    asyncio.run(_bill(database, actor, site_id))
    everybody = database.read_now(TENANT, running.all_accounts).by_site[site_id]
    database.write_now(TENANT, running.update, site_id, everybody)
    _tell_of_repairs(database, site_id)
    announce(database, site_id)
    keep_watch(database, site_id, clock_ms)
    hang_cameras(database, gateway, clock_ms)
    return gateway


def _tell_of_repairs(database: Database, site_id: SiteId) -> None:
    """A leak somebody is on, with a photo and a quote, and a call nobody has the skill for at this hour."""

    def actor(tx: Tx, login: str) -> User:
        record = users.find_by_login(tx, login)
        assert record is not None
        return record.user

    def work(tx: Tx) -> None:
        home, plumber, office = actor(tx, "101"), actor(tx, "liu"), actor(tx, "manager")
        leak = repairs.request(
            tx,
            home,
            site_id,
            RepairRequest(
                RepairCategory.PLUMBING,
                Urgency.URGENT,
                Channel.WEB,
                "厨房水槽下面一直滴水，柜子已经泡了",
                "厨房水槽",
                next(iter(home.account_ids)),
            ),
        )
        repair_work.add_photo(tx, home, leak.repair_id, photos.clean(picture()))
        for state in (RepairState.ACCEPTED, RepairState.ON_THE_WAY, RepairState.WORKING):
            repair_work.move(tx, plumber, leak.repair_id, state)
        repair_work.quote(tx, plumber, leak.repair_id, 8_000, "换下水软管和角阀，含人工")
        lamp = RepairRequest(
            RepairCategory.LIFT, Urgency.NORMAL, Channel.PHONE, "电梯轿厢照明闪烁", "1 号电梯"
        )
        repairs.request(tx, office, site_id, lamp)

    database.write_now(TENANT, work)


def deliver_readings(
    database: Database, gateway: GatewayIdentity, rows: Sequence[Reading], first_seq: int = 1
) -> int:
    """Hand readings in as a gateway does; return the next free number."""
    for start in range(0, len(rows), 2_000):
        part = rows[start : start + 2_000]
        block = Block(first_seq, len(part), encode_readings(part))
        opened = readings.open_blocks(Stream.HISTORY, [block])
        database.write_now(TENANT, readings.accept, gateway, Stream.HISTORY, EPOCH, opened)
        first_seq += len(part)
    return first_seq


def deliver_events(
    database: Database, gateway: GatewayIdentity, events: Sequence[Event], first_seq: int = 1
) -> None:
    """Hand events in as a gateway does."""
    block = Block(first_seq, len(events), encode_events(events))
    opened = readings.open_blocks(Stream.EVENT, [block])
    database.write_now(TENANT, readings.accept, gateway, Stream.EVENT, EPOCH, opened)


def manager(database: Database) -> User:
    """Return the manager the building's document brings."""

    def work(tx: Tx) -> User:
        credential = users.find_credential(tx, "manager")
        assert credential is not None
        record = users.find_user(tx, credential.user_id)
        assert record is not None
        return record.user

    return database.read_now(TENANT, work)


async def _bill(database: Database, actor: User, site_id: SiteId) -> None:
    for code in BILLED:
        period = await database.write(TENANT, billing.open_period, actor, site_id, code)
        await close_period(database, TENANT, actor, period.period_id)


def _readings(bus: Bus, now_ms: int) -> Iterator[Reading]:
    """Yield the building's readings in order of time: midnights, then hours, then this morning."""
    meters = [d for d in DEVICES if d.role not in (Role.LIFT, Role.FIRE_PANEL, Role.LOCK, Role.LEAK_SENSOR)]
    main = next(device for device in DEVICES if device.role is Role.MASTER_ELECTRICITY)
    opened_ms = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp()) * 1000 - ZONE_MS
    detailed_ms = (now_ms + ZONE_MS) // DAY_MS * DAY_MS - ZONE_MS - DAY_MS
    times = list(range(opened_ms + 2_000, detailed_ms, DAY_MS))
    times += list(range(detailed_ms + 2_000, now_ms, HOUR_MS))
    weekdays = [detailed_ms + DAY_MS - 7 * week * DAY_MS for week in range(4, 0, -1)]
    curve = [at for start in weekdays for at in range(start + 450_000, start + DAY_MS, 900_000)]
    curve += list(range(detailed_ms + DAY_MS + 450_000, now_ms, 900_000))
    for at_ms in sorted({*times, *curve}):
        if at_ms not in times:
            yield from bus.read(main, at_ms)
            continue
        for device in meters:
            if device.device_id == SILENT and at_ms > _SILENT_SINCE_MS:
                continue
            yield from bus.read(device, at_ms)
    for device in DEVICES:
        at_ms = now_ms - 9_000
        if device.device_id == SILENT:
            reason = "no reply within 800 ms"
            point = f"{SILENT}/active_energy_import"
            yield Reading(point, at_ms, None, Quality.NO_REPLY, reason)
        elif device.device_id == HELD:
            why = "the register fell from 316.76 to 12.07: exchanged, reset or misread?"
            yield Reading(f"{HELD}/water_volume", at_ms, 12_070_000, Quality.HELD, why)
        else:
            yield from bus.read(device, at_ms)


def _events(now_ms: int) -> list[Event]:
    """Return what happened lately: an open leak, a lift fault that is over, a door."""
    return [
        Event("lift_fault", EventState.RAISED, Severity.MAJOR, "lift-1/fault_code", now_ms - 5 * HOUR_MS,
              "fault code 12", value_micro=12 * MICRO),
        Event("lift_fault", EventState.CLEARED, Severity.MAJOR, "lift-1/fault_code",
              now_ms - 5 * HOUR_MS + 1_200_000, "fault code 0"),
        Event("door_unlocked", EventState.OCCURRED, Severity.INFO, "lock-1/lock_state", now_ms - 1_900_000,
              "user 7"),
        Event("water_leak", EventState.RAISED, Severity.MAJOR, "leak-1/water_leak", now_ms - 720_000,
              "the pump-room sensor is wet", value_micro=MICRO),
        Event("door_unlocked", EventState.OCCURRED, Severity.INFO, "lock-1/lock_state", now_ms - 90_000,
              "user 3"),
    ]  # fmt: skip
