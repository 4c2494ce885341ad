"""Meters: who hangs where, how fresh, what was used, and exchanges that leave no hole."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.ids import AccountId, InstallationId, SeriesId
from cloud.domain.meter import FRESH_WITHIN_MS, LATE_WITHIN_MS, Freshness
from cloud.domain.premises import Commodity
from cloud.services import gateways, meters, premises
from cloud.services.meters import NewMeter, Step
from cloud.store import schema
from cloud.store.db import Database
from protocol.greeting import Hello
from protocol.reading import Quality, Reading
from tests.cloud.garden import count, energy
from tests.cloud.house import House
from tests.databases import START_MS, TENANT, FakeClock

_HOUR_MS = 3_600_000
_KWH = 1_000_000
# Midnight of the 24th in Shanghai; the tests' clock stands at eight in the morning.
_MIDNIGHT_MS = START_MS - 8 * _HOUR_MS


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def test_a_meter_has_its_place_its_people_and_its_register(house: House) -> None:
    house.read(energy(101, START_MS, 123 * _KWH))

    row = house.row("E-101")

    assert (row.serial, row.space_code, row.holder_name, row.device_code, row.unit) == (
        "S-101",
        "1-101",
        "王建国",
        "em-101",
        "kWh",
    )
    assert (row.last_value_micro, row.valued_at_ms, row.quality) == (123 * _KWH, START_MS, Quality.GOOD)
    assert house.row("E-MAIN").multiplier == Decimal(40)


@pytest.mark.parametrize(
    ("age_ms", "freshness"),
    [
        (0, Freshness.FRESH),
        (FRESH_WITHIN_MS, Freshness.FRESH),
        (FRESH_WITHIN_MS + 1, Freshness.LATE),
        (LATE_WITHIN_MS, Freshness.LATE),
        (LATE_WITHIN_MS + 1, Freshness.SILENT),
    ],
)
def test_freshness_is_the_age_of_the_last_value_in_the_list_the_filter_and_the_count(
    house: House, clock: FakeClock, age_ms: int, freshness: Freshness
) -> None:
    house.read(energy(101, START_MS, 1))
    clock.advance(ms=age_ms)
    house.read(Reading("em-101/active_energy_import", clock.now_ms, None, Quality.NO_REPLY, "no reply"))

    counts = house.database.read_now(TENANT, meters.count_by_freshness, house.manager, house.site_id)
    filtered = house.database.read_now(
        TENANT, meters.list_meters, house.manager, house.site_id, freshness=freshness
    )

    assert house.row("E-101").freshness is freshness
    assert counts == {**dict.fromkeys(Freshness, 0), Freshness.NEVER: 2, freshness: 1}
    assert [row.service_point_code for row in filtered.items] == ["E-101"]


def test_the_list_is_found_by_place_serial_device_and_kind_and_comes_in_pages(house: House) -> None:
    def codes(**how: object) -> list[str]:
        page = house.database.read_now(
            TENANT,
            meters.list_meters,
            house.manager,
            house.site_id,
            **how,  # type: ignore[arg-type]
        )
        return [row.service_point_code for row in page.items]

    assert codes(search="1-2") == ["E-201"]
    assert codes(search="s-101") == ["E-101"]
    assert codes(search="em-m") == ["E-MAIN"]
    assert codes(search="%") == []
    assert codes(commodity=Commodity.WATER) == []
    first = house.database.read_now(TENANT, meters.list_meters, house.manager, house.site_id, limit=2)
    rest = house.database.read_now(
        TENANT, meters.list_meters, house.manager, house.site_id, cursor=first.next_cursor, limit=2
    )
    assert [row.service_point_code for row in (*first.items, *rest.items)] == ["E-101", "E-201", "E-MAIN"]


def test_the_longest_without_a_value_is_the_worst(house: House) -> None:
    house.read(energy(101, START_MS - 5, 1), energy(201, START_MS, 1))

    worst = house.database.read_now(TENANT, meters.worst_meters, house.manager, house.site_id)

    assert [row.service_point_code for row in worst] == ["E-MAIN", "E-101", "E-201"]


def test_hourly_usage_comes_from_the_registers_nearest_the_hours(house: House) -> None:
    # Read a little before or after each hour, as a poller does; nothing at two and three o'clock.
    house.read(
        *(
            energy(101, _MIDNIGHT_MS + hour * _HOUR_MS + off_s * 1000, (1000 + 2 * hour) * _KWH)
            for hour, off_s in ((0, -40), (1, 25), (4, 3), (5, -9), (6, 0), (7, 1), (8, -2))
        )
    )

    used = house.database.read_now(
        TENANT,
        meters.usage,
        house.manager,
        house.series("E-101"),
        date(2026, 11, 24),
        date(2026, 11, 25),
        Step.HOUR,
    )

    assert [bar.used_micro for bar in used.bars] == [
        2 * _KWH, None, None, None, 2 * _KWH, 2 * _KWH, 2 * _KWH, 2 * _KWH
    ]  # fmt: skip
    [gap] = used.gaps
    assert (gap.from_ms - _MIDNIGHT_MS, gap.to_ms - _MIDNIGHT_MS) == (_HOUR_MS, 4 * _HOUR_MS)
    assert gap.used_micro == 6 * _KWH
    assert used.total_micro == 16 * _KWH


def test_daily_usage_is_by_the_days_of_the_site_and_the_running_day_ends_now(house: House) -> None:
    day_ms = 24 * _HOUR_MS
    house.read(
        energy(101, _MIDNIGHT_MS - 2 * day_ms, 100 * _KWH),
        energy(101, _MIDNIGHT_MS - day_ms, 110 * _KWH),
        energy(101, _MIDNIGHT_MS, 125 * _KWH),
        energy(101, START_MS - 60_000, 129 * _KWH),
    )

    used = house.database.read_now(
        TENANT,
        meters.usage,
        house.manager,
        house.series("E-101"),
        date(2026, 11, 22),
        date(2026, 11, 27),
        Step.DAY,
    )

    assert [bar.used_micro for bar in used.bars] == [10 * _KWH, 15 * _KWH, 4 * _KWH]
    assert used.bars[-1].to_ms == _MIDNIGHT_MS + day_ms
    assert used.total_micro == 29 * _KWH


def test_a_chart_keeps_the_peak_of_a_day_of_seconds_and_breaks_where_nothing_was_read(house: House) -> None:
    def power(at_ms: int, micro_kw: int | None) -> Reading:
        quality = Quality.GOOD if micro_kw is not None else Quality.NO_REPLY
        return Reading("em-101/active_power", at_ms, micro_kw, quality)

    rows = [power(_MIDNIGHT_MS + k * 15_000, 500_000 + k) for k in range(960)]  # four hours
    rows[333] = power(_MIDNIGHT_MS + 333 * 15_000, 9_000_000)
    rows[500] = power(_MIDNIGHT_MS + 500 * 15_000, None)
    rows += [power(_MIDNIGHT_MS + 6 * _HOUR_MS + k * 15_000, 400_000) for k in range(100)]
    house.read(*rows)
    values = house.database.read_now(
        TENANT, meters.get_meter, house.manager, house.row("E-101").installation_id
    ).values
    [series_id] = [value.point.series_id for value in values if value.point.name == "active_power"]

    drawn = house.database.read_now(
        TENANT, meters.chart, house.manager, series_id, _MIDNIGHT_MS, START_MS, 100
    )

    assert drawn.reading_count == 1_060
    assert len(drawn.samples) <= 2 * 100 + 2
    assert max(sample.value_micro or 0 for sample in drawn.samples) == 9_000_000
    [breach] = [sample.at_ms for sample in drawn.samples if sample.value_micro is None]
    assert _MIDNIGHT_MS + 4 * _HOUR_MS - 15_000 <= breach <= _MIDNIGHT_MS + 6 * _HOUR_MS
    times = [sample.at_ms for sample in drawn.samples]
    assert times == sorted(times)


def test_a_resident_sees_the_own_register_and_no_other(house: House) -> None:
    house.read(energy(101, START_MS, 1), energy(201, START_MS, 1))
    own, other = house.series("E-101"), house.series("E-201")
    resident = house.resident("A-101")
    [account_id] = resident.account_ids
    [other_account] = house.resident("A-201").account_ids
    days = (date(2026, 11, 24), date(2026, 11, 25), Step.HOUR)

    rows = house.database.read_now(TENANT, meters.meters_of_account, resident, account_id)
    used = house.database.read_now(TENANT, meters.usage, resident, own, *days)

    assert [row.service_point_code for row in rows] == ["E-101"]
    assert used.point.series_id == own
    for series_id in (other, SeriesId(999)):
        with pytest.raises(NotFound, match=f"there is no point with series {series_id}"):
            house.database.read_now(TENANT, meters.usage, resident, series_id, *days)
    for account in (other_account, AccountId("01900000-0000-7000-8000-000000000000")):
        with pytest.raises(NotFound, match="there is no such account"):
            house.database.read_now(TENANT, meters.meters_of_account, resident, account)
    with pytest.raises(Forbidden):
        house.database.read_now(TENANT, meters.list_meters, resident, house.site_id)


def _exchange(house: House, code: str, new: NewMeter, **change: object) -> meters.Installation:
    arguments: dict[str, object] = {
        "installation_id": house.row(code).installation_id,
        "at_ms": START_MS - _HOUR_MS,
        "closing_value_micro": 1_086_500_000,
        "new": new,
        "reason": "表单 2026-118",
        **change,
    }
    return house.database.write_now(TENANT, meters.exchange, house.manager, **arguments)  # type: ignore[arg-type]


def test_an_exchange_closes_one_meter_and_opens_the_next_at_one_moment(house: House) -> None:
    hung = _exchange(house, "E-101", NewMeter("S-NEW", "DDZY", 300_000))

    detail = house.database.read_now(TENANT, meters.get_meter, house.manager, hung.installation_id)
    old, new = detail.installations
    assert (old.meter.serial, old.to_at_ms, old.closing_value_micro) == (
        "S-101",
        START_MS - _HOUR_MS,
        1_086_500_000,
    )
    assert (new.meter.serial, new.from_at_ms, new.opening_value_micro, new.reason) == (
        "S-NEW",
        START_MS - _HOUR_MS,
        300_000,
        "表单 2026-118",
    )
    assert house.row("E-101").serial == "S-NEW"


def test_a_gateway_is_told_where_a_register_begins_anew(house: House) -> None:
    house.read(energy(101, START_MS - 2 * _HOUR_MS, 1_086_500_000))
    series_id = house.row("E-101").series_id
    _exchange(house, "E-101", NewMeter("S-NEW", "DDZY", 300_000, series_id))
    said = Hello("0.1.0", "boot", 1, "c1", 0, {}, None, 58, 0)

    welcome = house.database.write_now(TENANT, gateways.hello, house.gateway, said)

    assert welcome.counters == {"em-101/active_energy_import": (START_MS - _HOUR_MS, 300_000)}


def test_a_meter_taken_down_may_hang_elsewhere_and_one_that_hangs_may_not(house: House) -> None:
    _exchange(house, "E-101", NewMeter("S-NEW", "", 0))

    moved = _exchange(house, "E-201", NewMeter("S-101", "", 1_086_500_000))

    assert moved.meter.serial == "S-101"
    with pytest.raises(Conflict, match="meter S-main hangs somewhere else"):
        _exchange(house, "E-101", NewMeter("S-main", "", 0), at_ms=START_MS)
    assert house.row("E-101").serial == "S-NEW"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param({"reason": " "}, "needs a reason", id="no reason"),
        pytest.param(
            {"at_ms": START_MS + 1}, "not between the old meter's installation and now", id="future"
        ),
        pytest.param(
            {"at_ms": START_MS - 100 * 24 * _HOUR_MS}, "not between", id="at the old one's beginning"
        ),
        pytest.param({"closing_value_micro": -1}, "no negative value", id="negative closing"),
        pytest.param({"new": NewMeter("S-X", "", -1)}, "no negative value", id="negative opening"),
        pytest.param({"new": NewMeter("", "", 0)}, "needs its serial number", id="no serial"),
        pytest.param(
            {"new": NewMeter("S-X", "", 0, multiplier=Decimal(0))}, "multiplier 0 is not", id="zero"
        ),
        pytest.param(
            {"new": NewMeter("S-X", "", 0, multiplier=Decimal(10_001))},
            "multiplier 10001",
            id="slipped point",
        ),
    ],
)
def test_an_exchange_that_could_not_be_billed_is_refused(
    house: House, change: dict[str, object], complaint: str
) -> None:
    arguments: dict[str, Any] = {"new": NewMeter("S-X", "", 0), **change}

    with pytest.raises(Invalid, match=complaint):
        _exchange(house, "E-101", **arguments)

    assert count(house.database, schema.installation) == 3


def test_there_is_no_exchange_of_what_is_not_there(house: House) -> None:
    nobody = InstallationId("01900000-0000-7000-8000-000000000000")
    with pytest.raises(NotFound):
        _exchange(house, "E-101", NewMeter("S-X", "", 0), installation_id=nobody)
    with pytest.raises(NotFound, match="no point with series 999"):
        _exchange(house, "E-101", NewMeter("S-X", "", 0, series_id=SeriesId(999)))


def test_the_picture_of_a_building_shows_only_what_is_not_normal(house: House, clock: FakeClock) -> None:
    house.read(
        energy(101, START_MS, 1),
        Reading("em-201/active_energy_import", START_MS, 5, Quality.HELD, "register went back"),
    )
    [building] = house.database.read_now(TENANT, premises.list_buildings, house.manager, house.site_id)

    top, ground = house.database.read_now(
        TENANT, premises.building_picture, house.manager, house.site_id, building.building_id
    )

    assert (top.space.code, top.holder_name, top.meters_held, top.meters_overdue) == ("1-201", "陈静", 1, 0)
    assert (ground.space.code, ground.meters_total, ground.meters_held, ground.alarms_open) == (
        "1-101",
        1,
        0,
        0,
    )
    clock.advance(ms=FRESH_WITHIN_MS + 1)
    _, late = house.database.read_now(
        TENANT, premises.building_picture, house.manager, house.site_id, building.building_id
    )
    assert late.meters_overdue == 1
