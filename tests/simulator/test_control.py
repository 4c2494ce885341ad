"""The control port: what is asked takes effect, what cannot be is explained."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

from simulator.control import make_control
from simulator.simulation import Settings, Simulation
from tests.simulator.building import AT_MS, shown

Client = TestClient


@pytest.fixture
async def simulation() -> AsyncIterator[Simulation]:
    async with Simulation(Settings(), lambda: AT_MS) as simulation:
        yield simulation


@pytest.fixture
async def client(simulation: Simulation) -> AsyncIterator[Client]:
    async with TestClient(TestServer(make_control(simulation))) as client:
        yield client


async def test_the_clock_stands_where_it_is_put(client: Client, simulation: Simulation) -> None:
    response = await client.put("/clock", json={"at_ms": AT_MS + 3_600_000})

    assert await response.json() == {"at_ms": AT_MS + 3_600_000, "factor": 0.0}
    assert simulation.clock.is_standing


async def test_the_clock_follows_at_a_factor(client: Client, simulation: Simulation) -> None:
    response = await client.put("/clock", json={"follow": "real", "factor": 60, "from_ms": 1_700_000_000_000})

    assert await response.json() == {"at_ms": 1_700_000_000_000, "factor": 60.0}
    assert not simulation.clock.is_standing


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param({}, "either at_ms or follow", id="neither"),
        pytest.param({"at_ms": 1, "follow": "real"}, "either at_ms or follow", id="both"),
        pytest.param({"at": 1}, "unknown field `at`", id="misspelt"),
        pytest.param({"follow": "real", "factor": 0}, "clock factor 0", id="factor 0"),
        pytest.param({"follow": "the moon"}, "Invalid enum value", id="follow what"),
    ],
)
async def test_a_clock_that_cannot_be_is_explained(client: Client, body: object, told: str) -> None:
    response = await client.put("/clock", json=body)

    assert response.status == 400
    assert told in (await response.json())["error"]


async def test_a_fault_is_caused_listed_and_ended(client: Client, simulation: Simulation) -> None:
    added = await client.post("/faults", json={"device": "fire-1", "kind": "fire_alarm", "zone": 2})
    number = (await added.json())["id"]
    burning = shown(simulation.building, "fire-1", AT_MS)["fire_alarm_2"]

    ended = await client.delete(f"/faults/{number}")
    state = await (await client.get("/state")).json()

    assert added.status == 201
    assert burning == 1_000_000
    assert (await ended.json())["until_ms"] == AT_MS
    assert shown(simulation.building, "fire-1", AT_MS)["fire_alarm_2"] == 0
    assert [fault["kind"] for fault in state["faults"]] == ["fire_alarm"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param({"device": "em-999", "kind": "dead"}, "no device 'em-999'", id="unknown device"),
        pytest.param(
            {"device": "em-101", "kind": "on_fire"}, "Invalid enum value 'on_fire'", id="unknown kind"
        ),
        pytest.param(
            {"device": "em-101", "kind": "fire_alarm"}, "it can have: bad_checksum, dead", id="unfit kind"
        ),
        pytest.param(
            {"device": "em-main", "kind": "bad_checksum"}, "cannot have the fault", id="TCP has no checksum"
        ),
        pytest.param({"device": "fire-1", "kind": "fire_alarm", "zone": 9}, "zone 9", id="zone 9"),
        pytest.param(
            {"device": "em-101", "kind": "late_reply", "delay_ms": -1}, "delay_ms -1", id="too early"
        ),
        pytest.param({"device": "em-101", "kind": "dead", "replies": 0}, "replies 0", id="no reply"),
    ],
)
async def test_a_fault_that_cannot_be_is_explained(client: Client, body: object, told: str) -> None:
    response = await client.post("/faults", json=body)

    assert response.status == 400
    assert told in (await response.json())["error"]


async def test_what_has_happened_cannot_be_taken_back(client: Client) -> None:
    added = await client.post("/faults", json={"device": "wm-101", "kind": "meter_exchanged"})
    number = (await added.json())["id"]

    response = await client.delete(f"/faults/{number}")

    assert response.status == 400
    assert "a meter_exchanged has happened and cannot be taken back" in (await response.json())["error"]


async def test_an_unknown_fault_is_not_found(client: Client) -> None:
    response = await client.delete("/faults/7")

    assert response.status == 404
    assert (await response.json())["error"] == "there is no fault 7"


async def test_a_form_of_another_site_is_refused(client: Client) -> None:
    response = await client.post("/faults", data={"device": "fire-1", "kind": "fire_alarm"})

    assert response.status == 400
    assert "expected application/json" in (await response.json())["error"]


async def test_state_shows_every_device_with_words_and_units(client: Client) -> None:
    await client.put("/clock", json={"at_ms": AT_MS})

    state = await (await client.get("/state")).json()

    devices = {device["id"]: device for device in state["devices"]}
    assert len(devices) == 71
    assert devices["wm-main"]["values"]["water_volume"].endswith(" m3")
    assert devices["lift-1"]["values"]["lift_mode"] == "normal"
    assert devices["fire-1"]["values"]["fire_alarm_8"] == "normal"
    assert state["at_ms"] == AT_MS


async def test_the_ledger_is_counted_and_listed(client: Client, simulation: Simulation) -> None:
    simulation.ledger.record("em-101", [("voltage", 230_000_000), ("current", 1_000_000)], AT_MS)
    simulation.ledger.record("em-102", [("voltage", 231_000_000)], AT_MS + 1)

    counts = await (await client.get("/ledger")).json()
    items = await (await client.get("/ledger/items", params={"first": 1, "limit": 2})).json()

    assert counts == {"count": 3, "by_device": {"em-101": 2, "em-102": 1}}
    assert items == {
        "count": 3,
        "first": 1,
        "device": ["em-101", "em-102"],
        "point": ["current", "voltage"],
        "value_micro": [1_000_000, 231_000_000],
        "at_ms": [AT_MS, AT_MS + 1],
    }


@pytest.mark.parametrize("query", [{"first": "-1"}, {"limit": "0"}, {"limit": "50001"}, {"first": "x"}])
async def test_a_ledger_page_that_cannot_be_is_refused(client: Client, query: dict[str, str]) -> None:
    response = await client.get("/ledger/items", params=query)

    assert response.status == 400


async def test_a_door_cannot_be_used_without_a_broker(client: Client) -> None:
    response = await client.post("/events", json={"device": "lock-1", "action": "unlock"})

    assert response.status == 400
    assert "no broker" in (await response.json())["error"]


async def test_people_get_a_page(client: Client) -> None:
    response = await client.get("/")

    assert response.content_type == "text/html"
    assert "示范小区" in await response.text()
