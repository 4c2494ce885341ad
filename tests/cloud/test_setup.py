"""A site is set up from one document: whole or not at all, and as often as one likes."""

import json
from datetime import date
from typing import Any

import pytest

from cloud.domain.equipment import EquipmentKind
from cloud.domain.errors import Forbidden, Invalid
from cloud.domain.ids import SiteId
from cloud.domain.site_document import SiteDocument, site_document_from_json
from cloud.domain.user import Role, User, system_user
from cloud.services import equipment, meters, premises
from cloud.services.setup import load_building
from cloud.store import schema
from cloud.store.db import Database
from protocol.reading import Reading
from simulator.faults import FaultBook
from simulator.models import Building
from simulator.site_document import Occasion, write_site_document
from tests.cloud.garden import add_gateway, add_manager, count, history_block, post, rows_of
from tests.databases import OTHER_TENANT, START_MS, TENANT

_PASSWORD = "correct horse battery"


def demo_garden() -> dict[str, Any]:
    """The simulated building's document, as one may change it."""
    occasion = Occasion(date(2026, 9, 1), START_MS, _PASSWORD)
    document = json.loads(write_site_document(Building(1, FaultBook()), occasion))
    assert isinstance(document, dict)
    return document


def _load(database: Database, document: dict[str, Any]) -> SiteId:
    parsed = site_document_from_json(json.dumps(document).encode())
    return database.write_now(TENANT, load_building, system_user(TENANT), parsed)


def test_the_demo_building_is_all_there(database: Database) -> None:
    site_id = _load(database, demo_garden())

    manager = add_manager(database, login="somebody")
    rows = database.read_now(TENANT, meters.list_meters, manager, site_id, limit=500).items
    assert len(rows) == 24 * 2 + 4
    by_code = {row.service_point_code: row for row in rows}
    assert by_code["E-101"].serial == "202607000101"
    assert by_code["E-101"].holder_name == "王建国"
    assert by_code["W-101"].unit == "m3"
    assert len(database.read_now(TENANT, premises.list_accounts, manager, site_id).items) == 24
    kinds = [
        one.equipment.kind for one in database.read_now(TENANT, equipment.list_equipment, manager, site_id)
    ]
    assert EquipmentKind.LIFT in kinds
    logins = {row[2]: row[4] for row in rows_of(database, schema.app_user)}
    assert (logins["manager"], logins["101"]) == ("manager", "resident")


def test_loading_again_changes_nothing(database: Database) -> None:
    tables = [
        table for table in schema.metadata.sorted_tables if table.name not in ("audit_entry", "audit_link")
    ]
    _load(database, demo_garden())
    before = {table.name: rows_of(database, table) for table in tables}

    _load(database, demo_garden())

    assert {table.name: rows_of(database, table) for table in tables} == before


def test_points_that_spoke_before_the_document_came_keep_their_series(database: Database) -> None:
    document = demo_garden()
    partial = {"format": 1, "site": document["site"], "gateways": []}
    site_id = _load(database, partial)
    gateway, _ = add_gateway(database, site_id)
    post(database, gateway, [history_block(1, [Reading("em-101/active_energy_import", START_MS, 5_000_000)])])

    _load(database, document | {"gateways": [document["gateways"][0] | {"name": "gw-1"}]})

    manager = add_manager(database, login="somebody")
    [row] = database.read_now(TENANT, meters.list_meters, manager, site_id, search="E-101").items
    assert (row.last_value_micro, row.device_code) == (5_000_000, "em-101")


def test_a_document_with_mistakes_is_refused_whole_and_names_each(database: Database) -> None:
    document = demo_garden()
    document["installations"][0]["meter"] = "nobody's"
    document["supplies"][1]["account"] = "A-99999"
    document["equipment"][0]["device"] = "gw-1/lift-7"
    document["users"][0]["password"] = "short"

    with pytest.raises(Invalid) as refused:
        _load(database, document)

    told = {problem.pointer: problem.detail for problem in refused.value.problems}
    assert told["/installations/0/meter"] == 'there is no meter "nobody\'s"'
    assert told["/supplies/1/account"] == "there is no account 'A-99999'"
    assert told["/equipment/0/device"] == "there is no device 'gw-1/lift-7'"
    assert "5 characters, expected 8" in told["/users/0"]
    assert count(database, schema.site) == 0


def test_a_document_does_not_edit_what_is_there(database: Database) -> None:
    _load(database, demo_garden())
    changed = demo_garden()
    changed["accounts"][0]["household_size"] = 6
    changed["installations"][0]["opening_value"] = "0"

    with pytest.raises(Invalid) as refused:
        _load(database, changed)

    assert [problem.pointer for problem in refused.value.problems] == [
        "/installations/0/opening_value",
        "/accounts/0/household_size",
    ]
    assert "the document says 6, there is already 3" in refused.value.problems[1].detail


@pytest.mark.parametrize(
    ("spoil", "pointer", "detail"),
    [
        pytest.param(lambda d: d.update(flavour="x"), "", "unknown field `flavour`", id="unknown key"),
        pytest.param(
            lambda d: d["buildings"][0]["spaces"][0].update(kind="castle"),
            "/buildings/0/spaces/0/kind",
            "Invalid enum value 'castle'",
            id="unknown word",
        ),
        pytest.param(
            lambda d: d["meters"][0].update(register_modulus="1e6"),
            "/meters/0/register_modulus",
            "matching regex",
            id="amount not written out",
        ),
        pytest.param(
            lambda d: d["installations"][0].update(opening_value="0.1234567"),
            "/installations/0/opening_value",
            "matching regex",
            id="seven decimals",
        ),
        pytest.param(
            lambda d: d["accounts"][0].update(opened_on="2026-02-30"),
            "/accounts/0/opened_on",
            "Invalid RFC3339",
            id="no such day",
        ),
        pytest.param(lambda d: d.pop("site"), "", "missing required field `site`", id="no site"),
    ],
)
def test_what_does_not_fit_the_format_is_told_with_its_place(spoil: Any, pointer: str, detail: str) -> None:
    document = demo_garden()
    spoil(document)

    with pytest.raises(Invalid) as refused:
        site_document_from_json(json.dumps(document).encode())

    [problem] = refused.value.problems
    assert problem.pointer == pointer
    assert detail in problem.detail


def test_a_document_of_another_format_or_none_at_all_is_refused() -> None:
    with pytest.raises(Invalid, match="has format 2, this program reads 1"):
        site_document_from_json(json.dumps(demo_garden() | {"format": 2}).encode())
    with pytest.raises(Invalid, match="not JSON"):
        site_document_from_json(b"<site/>")


def test_only_staff_set_up_a_site(database: Database) -> None:
    resident = User(add_manager(database).user_id, TENANT, Role.RESIDENT, "101")
    document: SiteDocument = site_document_from_json(json.dumps(demo_garden()).encode())

    with pytest.raises(Forbidden):
        database.write_now(TENANT, load_building, resident, document)


def test_two_companies_may_have_a_site_of_one_code(database: Database) -> None:
    document = site_document_from_json(json.dumps(demo_garden()).encode())

    ours = database.write_now(TENANT, load_building, system_user(TENANT), document)
    theirs = database.write_now(OTHER_TENANT, load_building, system_user(OTHER_TENANT), document)

    assert ours != theirs
    assert count(database, schema.account, TENANT) == count(database, schema.account, OTHER_TENANT) == 24
