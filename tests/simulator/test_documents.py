"""What the simulator writes for an edge and for a cloud is read by both, and says what is true."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

from click.testing import CliRunner

from cloud.domain.checklist import Cycle
from cloud.domain.site_document import site_document_from_json
from cloud.domain.space_history import SpaceStatus
from edge.check import plan
from protocol.quantity import quantity_named
from provisioning.config_file import load_config
from simulator.__main__ import simulate
from simulator.building import DEVICES
from simulator.edge_config import edge_config
from simulator.faults import FaultBook
from simulator.models import Building
from simulator.neighbours import add_neighbours
from simulator.simulation import Places
from simulator.site_document import Occasion, write_site_document, year_start
from tests.simulator.building import AT_MS, shown

PLACES = Places(
    "127.0.0.1",
    Path("/run/bus-1"),
    4001,
    5020,
    5021,
    5022,
    5023,
    5024,
    9000,
    "127.0.0.1",
    18830,
    9100,
    9101,
    Path("/dev/pts/9"),
    {"cam-1": "127.0.0.1:8101", "cam-2": "127.0.0.1:8102", "cam-3": "127.0.0.1:8103"},
)
OCCASION = Occasion(opened_on=date(2026, 1, 1), now_ms=AT_MS, password="a long password")


def test_the_edge_reads_its_configuration(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(edge_config(PLACES), encoding="utf-8")

    config = load_config(path)

    assert {device.device_id for device in config.devices} == {device.device_id for device in DEVICES}
    wired = {"bus-1", "bus-2", "meters-tcp", "lift-tcp", "fire-tcp", "garage-udp", "mbus-1", "dtu-1"}
    assert set(config.lines) == wired | {"mqtt", "doors", "cameras", "fire-calls", "alarm-calls"}
    assert config.credential_file is None
    [camera] = [device for device in config.devices if device.device_id == "cam-2"]
    assert camera.address == "127.0.0.1:8102"
    assert {line.line_id for line in plan(config) if line.plans} == wired


def test_without_a_broker_nothing_wireless_is_configured(tmp_path: Path) -> None:
    places = Places(
        "127.0.0.1", Path("/run/bus-1"), 4001, 5020, 5021, 5022, 5023, 5024, 9000, "127.0.0.1", None
    )
    path = tmp_path / "edge.toml"
    path.write_text(edge_config(places, credential_file=Path("credential.json")), encoding="utf-8")

    config = load_config(path)

    assert "mqtt" not in config.lines
    assert len(config.devices) == 59
    assert config.credential_file == tmp_path / "credential.json"


def test_the_cloud_reads_the_site_document() -> None:
    document = site_document_from_json(write_site_document(Building(1, FaultBook()), OCCASION))

    [gateway] = document.gateways
    assert [device.code for device in gateway.devices] == [device.device_id for device in DEVICES]
    assert len(document.accounts) == 24
    assert len(document.supplies) == 48
    assert len(document.installations) == len(document.meters) == len(document.service_points) == 52
    for device in gateway.devices:
        for point in device.points:
            assert quantity_named(point.quantity or point.name)


def test_two_buildings_on_paper_stand_beside_the_one_that_speaks() -> None:
    told = json.loads(write_site_document(Building(1, FaultBook()), OCCASION))

    document = site_document_from_json(
        json.dumps(add_neighbours(told, "2026-01-01", date(2026, 11, 24))).encode()
    )

    codes = [space.code for building in document.buildings for space in building.spaces]
    numbers = [account.number for account in document.accounts]
    assert [building.code for building in document.buildings] == ["1", "2", "3"]
    assert len(set(codes)) == len(codes) > 120
    assert len(set(numbers)) == len(numbers)
    [overdue] = [one.plans[0] for one in document.equipment if one.code == "lift-b3"]
    assert (overdue.checklist, overdue.cycle) == ("elevator-traction", Cycle.HALF_MONTH)
    assert {one.account for one in document.subscriptions} <= set(numbers)
    told_states = {space.status for building in document.buildings for space in building.spaces}
    assert told_states >= {None, SpaceStatus.LET, SpaceStatus.VACANT, SpaceStatus.NOT_HANDED_OVER}


def test_an_opening_value_is_what_the_meter_showed_that_day() -> None:
    building = Building(1, FaultBook())
    document = site_document_from_json(write_site_document(building, OCCASION))
    year_start_ms = 1767196800000  # 2026-01-01 00:00 in Asia/Shanghai

    by_point = {entry.point: entry for entry in document.installations}

    entry = by_point["gw-1/em-101/active_energy_import"]
    assert entry.from_at_ms == year_start_ms
    shown_micro = shown(building, "em-101", year_start_ms)["active_energy_import"]
    assert Decimal(entry.opening_value) == Decimal(shown_micro) / 1_000_000


def test_a_lifts_next_service_is_due_soon() -> None:
    document = site_document_from_json(write_site_document(Building(1, FaultBook()), OCCASION))

    lift = next(item for item in document.equipment if item.code == "lift-1")

    plan, _ = lift.plans
    assert plan.interval_days == 15
    days_since = (AT_MS - plan.completions[-1].completed_at_ms) / 86_400_000
    assert 12 < days_since < 15


def test_the_year_begins_in_beijing() -> None:
    last_evening_utc_ms = 1767196800000 - 1  # 2025-12-31 23:59:59.999 in Asia/Shanghai

    assert year_start(last_evening_utc_ms) == date(2025, 1, 1)
    assert year_start(last_evening_utc_ms + 1) == date(2026, 1, 1)


def test_the_command_explains_itself_and_its_mistakes() -> None:
    runner = CliRunner()

    help_text = runner.invoke(simulate, ["--help"]).output
    unreachable = runner.invoke(
        simulate, ["fault", "fire-1", "fire_alarm", "--control", "http://127.0.0.1:9"]
    )
    unknown = runner.invoke(simulate, ["state", "em-999"])

    assert "speaks real wire protocols" in help_text
    assert unreachable.exit_code == 1
    assert "no simulator answers at http://127.0.0.1:9" in unreachable.output
    assert "there is no device 'em-999'" in unknown.output
