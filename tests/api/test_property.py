"""A property through its doors: from a gateway's batch to an invoice that can be checked by anybody."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cloud.domain.recompute import recompute, trace_from_json
from protocol.event import EventState
from tests.api.conftest import PASSWORD, Cloud
from tests.api.homes import (
    TARIFFS,
    Homes,
    build_homes,
    fire,
    local_ms,
    october_readings,
    site_document,
)

NO_SUCH_ID = "01890000-0000-7000-8000-000000000000"


@pytest.fixture
async def homes(any_cloud: Cloud) -> AsyncIterator[Homes]:
    """Two homes on each engine."""
    token = await any_cloud.token_of(await any_cloud.add_user("manager"))
    yield await build_homes(any_cloud, token)


async def _billed(homes: Homes) -> list[Any]:
    await homes.send_readings(october_readings())
    period = await homes.post(f"/api/v1/sites/{homes.site_id}/periods", {"code": "2026-10"})
    closing = await homes.post(f"/api/v1/periods/{period['period_id']}/closing", {"wait_s": 30})
    assert closing["state"] == "done"
    assert closing["overview"]["holds"] == []
    items: list[Any] = (await homes.get("/api/v1/invoices"))["items"]
    return items


async def _sign_in(cloud: Cloud, login: str) -> str:
    reply = await cloud.call("POST", "/api/v1/sessions", json={"login": login, "password": PASSWORD})
    token: str = reply.json["token"]
    return token


async def test_readings_become_invoices_whose_lines_anybody_can_recompute(homes: Homes) -> None:
    invoices = await _billed(homes)

    first = min(invoices, key=lambda invoice: invoice["number"])
    invoice = await homes.get(f"/api/v1/invoices/{first['invoice_id']}")
    energy = invoice["lines"][0]
    # 286.42 kWh in the first tier of 2880 a year: 286.42 × 0.4883 = 139.858886 → 139.86 yuan.
    assert (energy["quantity"], energy["unit_price"], energy["amount_fen"]) == ("286.42", "0.4883", 13_986)
    assert invoice["total_fen"] == sum(line["amount_fen"] for line in invoice["lines"])
    evidence = [reading.evidence for reading in october_readings()]
    sent = [(one.reply.hex(), one.digest().hex()) for one in evidence if one is not None]
    for line in invoice["lines"]:
        path = f"/api/v1/invoices/{first['invoice_id']}/lines/{line['line_no']}"
        trace = await homes.get(f"{path}/trace")
        assert recompute(trace_from_json(trace)).amount_fen == line["amount_fen"]
        shown = trace["usage"]["segments"][0]["closing"]["frame"]
        assert (shown["reply_hex"], shown["sha256"]) in sent
        checked = await homes.post(f"{path}/recompute")
        assert (checked["amount_fen"], checked["is_equal"]) == (line["amount_fen"], True)
    books = await homes.get("/api/v1/ledger/trial_balance")
    assert books["total_fen"] == 0


async def test_a_resident_sees_their_own_home_and_no_other(homes: Homes) -> None:
    invoices = await _billed(homes)
    token = await _sign_in(homes.cloud, "101")
    theirs = next(one for one in invoices if one["account_number"] == "A-00102")

    listed = await homes.cloud.call("GET", "/api/v1/invoices", token=token)
    accounts = await homes.cloud.call("GET", "/api/v1/me/accounts", token=token)
    foreign = await homes.cloud.call("GET", f"/api/v1/invoices/{theirs['invoice_id']}", token=token)
    absent = await homes.cloud.call("GET", f"/api/v1/invoices/{NO_SUCH_ID}", token=token)
    account = await homes.cloud.call("GET", f"/api/v1/accounts/{theirs['account_id']}", token=token)
    filtered = await homes.cloud.call(
        "GET", f"/api/v1/invoices?account_id={theirs['account_id']}", token=token
    )

    assert [one["account_number"] for one in listed.json["items"]] == ["A-00101"]
    assert [one["number"] for one in accounts.json["items"]] == ["A-00101"]
    assert (foreign.status, account.status, filtered.status) == (404, 404, 404)
    # The two refusals differ in nothing but the id that was asked for.
    assert foreign.json["detail"].replace(theirs["invoice_id"], NO_SUCH_ID) == absent.json["detail"]


async def test_the_charge_so_far_follows_the_wire(homes: Homes) -> None:
    await _billed(homes)
    [first, _] = (await homes.get(f"/api/v1/sites/{homes.site_id}/accounts"))["items"]
    now_ms = homes.cloud.clock.now_ms
    later = [
        type(reading)(
            reading.point_key, now_ms - 60_000, reading.value_micro and reading.value_micro + 10_000_000
        )
        for reading in october_readings()
    ]

    await homes.send_readings(later)
    async with asyncio.timeout(10):
        while True:
            reply = await homes.cloud.call(
                "GET", f"/api/v1/accounts/{first['account_id']}/running_charge", token=homes.token
            )
            if reply.status == 200 and reply.json["total_fen"] > 0:
                break
            await asyncio.sleep(0.1)

    charge = reply.json
    assert charge["period_code"] == "2026-11"
    energy = next(service for service in charge["services"] if service["commodity"] == "electricity")
    assert (energy["quantity"], energy["amount_fen"]) == ("10", 488)


async def test_a_period_cannot_be_closed_before_it_ends(homes: Homes) -> None:
    period = await homes.post(f"/api/v1/sites/{homes.site_id}/periods", {"code": "2026-11"})

    refused = await homes.cloud.call(
        "POST", f"/api/v1/periods/{period['period_id']}/closing", token=homes.token, json={}
    )

    assert refused.status == 409
    assert "2026-11" in refused.json["detail"]


async def test_a_period_closed_again_bills_nobody_twice(homes: Homes) -> None:
    invoices = await _billed(homes)
    [period] = (await homes.get(f"/api/v1/sites/{homes.site_id}/periods"))["items"]

    again = await homes.cloud.call(
        "POST", f"/api/v1/periods/{period['period_id']}/closing", token=homes.token, json={}
    )

    assert again.status == 409
    assert len((await homes.get("/api/v1/invoices"))["items"]) == len(invoices) == 2


async def test_ten_at_once_close_a_period_once(homes: Homes) -> None:
    await homes.send_readings(october_readings())
    period = await homes.post(f"/api/v1/sites/{homes.site_id}/periods", {"code": "2026-10"})
    path = f"/api/v1/periods/{period['period_id']}/closing"

    replies = await asyncio.gather(
        *(homes.cloud.call("POST", path, token=homes.token, json={"wait_s": 30}) for _ in range(10))
    )

    assert {reply.status for reply in replies} <= {200, 409}
    assert len((await homes.get("/api/v1/invoices"))["items"]) == 2


async def test_a_home_without_a_reading_is_held_and_named(homes: Homes) -> None:
    await homes.send_readings([one for one in october_readings() if "-101/" in one.point_key])
    period = await homes.post(f"/api/v1/sites/{homes.site_id}/periods", {"code": "2026-10"})

    closing = await homes.post(f"/api/v1/periods/{period['period_id']}/closing", {"wait_s": 30})

    overview = closing["overview"]
    assert (overview["invoice_count"], overview["period"]["state"]) == (1, "closing")
    [hold] = overview["holds"]
    assert hold["account_number"] == "A-00102"
    assert {problem["kind"] for problem in hold["problems"]} == {"missing_reading"}


async def test_an_alarm_is_raised_acknowledged_and_cleared(homes: Homes) -> None:
    now_ms = homes.cloud.clock.now_ms

    await homes.send_events([fire(EventState.RAISED, now_ms)])
    [alarm] = (await homes.get("/api/v1/alarms"))["items"]
    path = f"/api/v1/alarms/{alarm['alarm_id']}"
    acknowledged = await homes.post(f"{path}/acknowledge", {"note": "已派人"})
    await homes.send_events([fire(EventState.CLEARED, now_ms + 60_000)])
    shown = await homes.get(path)

    assert (alarm["kind"], alarm["severity"], alarm["state"]) == ("fire_alarm", "critical", "active")
    assert acknowledged["state"] == "acknowledged"
    assert shown["alarm"]["state"] == "cleared"
    assert [entry["kind"] for entry in shown["history"]] == ["raised", "acknowledged", "cleared"]
    assert (await homes.get("/api/v1/alarms"))["items"] == []


async def test_a_signature_restarts_the_maintenance_clock_and_is_counted_once(homes: Homes) -> None:
    [clock] = (await homes.get(f"/api/v1/sites/{homes.site_id}/maintenance"))["items"]
    path = f"/api/v1/maintenance_plans/{clock['plan_id']}/completions"
    key = {"Idempotency-Key": "signature-1"}
    await homes.post(f"/api/v1/sites/{homes.site_id}/work_orders/due")  # the calendar may have come first
    again = await homes.post(f"/api/v1/sites/{homes.site_id}/work_orders/due")

    signed = await homes.post(path, {"signed_by": "李工"}, headers=key)
    repeated = await homes.post(path, {"signed_by": "李工"}, headers=key)
    shown = await homes.get(f"/api/v1/equipment/{clock['equipment_id']}")

    assert (clock["state"], again["count"]) == ("overdue", 0)
    assert (signed["state"], signed["due_on"]) == ("ok", "2026-12-23")
    assert repeated == signed
    assert len(shown["completions"]) == 1
    assert [order["state"] for order in shown["work_orders"]] == ["done"]


async def test_an_exchanged_meter_keeps_its_history(homes: Homes) -> None:
    meters = (await homes.get(f"/api/v1/sites/{homes.site_id}/meters?search=E-101"))["items"]
    path = f"/api/v1/installations/{meters[0]['installation_id']}"
    exchange = {
        "at_ms": local_ms("2026-10-10 09:30"),
        "closing_value": "190.50",
        "serial": "202607009101",
        "opening_value": "0.00",
        "series_id": meters[0]["series_id"],
        "reason": "换表单 2026-1010",
    }

    hung = await homes.post(f"{path}/exchange", exchange)
    shown = await homes.get(f"/api/v1/installations/{hung['installation_id']}")

    registers = [
        (one["serial"], one["opening_value"], one["closing_value"]) for one in shown["installations"]
    ]
    assert sorted(registers) == [("202607001101", "100", "190.5"), ("202607009101", "0", None)]


async def test_too_many_decimals_are_refused_where_they_are(homes: Homes) -> None:
    meters = (await homes.get(f"/api/v1/sites/{homes.site_id}/meters?search=E-101"))["items"]

    refused = await homes.cloud.call(
        "POST",
        f"/api/v1/installations/{meters[0]['installation_id']}/exchange",
        token=homes.token,
        json={
            "at_ms": local_ms("2026-10-10 09:30"),
            "closing_value": "190.1234567",
            "serial": "X",
            "opening_value": "0",
            "reason": "x",
        },
    )

    assert refused.status == 422
    assert refused.json["errors"][0]["pointer"] == "#/closing_value"


async def test_setting_up_again_changes_nothing_and_a_contradiction_is_named(homes: Homes) -> None:
    again = await homes.post("/api/v1/setup", site_document())
    wrong = site_document()
    wrong["supplies"][0]["account"] = "A-99999"
    refused = await homes.cloud.call("POST", "/api/v1/setup", token=homes.token, json=wrong)

    assert again["site_id"] == homes.site_id
    assert refused.status == 422
    assert any("/supplies/0" in part["pointer"] for part in refused.json["errors"])


async def test_an_imported_tariff_is_a_draft_until_somebody_puts_it_in_force(homes: Homes) -> None:
    body = (TARIFFS / "cn-guangzhou-elec-res.json").read_bytes()
    headers = {"Content-Type": "application/json"}

    taken = await homes.post("/api/v1/tariffs", data=body, headers=headers)
    [draft, *_] = taken["items"]
    path = f"/api/v1/tariffs/{draft['code']}/versions/{draft['version']}"
    active = await homes.post(f"{path}/activate")
    shown = await homes.get(path)

    assert (draft["state"], active["state"]) == ("draft", "active")
    assert shown["document"]["code"] == draft["code"]


async def test_lists_page_without_repeating_or_skipping(homes: Homes) -> None:
    for noun, key in (
        ("spaces", "code"),
        ("service_points", "code"),
        ("meters", "serial"),
        ("accounts", "number"),
    ):
        whole = (await homes.get(f"/api/v1/sites/{homes.site_id}/{noun}"))["items"]
        pages: list[Any] = []
        cursor = ""
        while True:
            page = await homes.get(f"/api/v1/sites/{homes.site_id}/{noun}?limit=1{cursor}")
            pages += page["items"]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert sorted(one[key] for one in pages) == sorted(one[key] for one in whole)
        assert len(pages) == len(whole) > 1


async def test_the_overview_names_what_needs_a_person(homes: Homes) -> None:
    await homes.send_events([fire(EventState.RAISED, homes.cloud.clock.now_ms)])

    overview = await homes.get(f"/api/v1/sites/{homes.site_id}/overview")

    assert overview["alarms_open"] == 1
    assert overview["needs"][0]["kind"] == "alarm"
    assert overview["needs"][0]["consequence"] == "safety"
    assert overview["load_kw"] is None


async def test_a_change_from_a_stale_page_is_refused(homes: Homes) -> None:
    await homes.post(f"/api/v1/sites/{homes.site_id}/work_orders/due")
    [order] = (await homes.get(f"/api/v1/sites/{homes.site_id}/work_orders"))["items"]
    path = f"/api/v1/work_orders/{order['work_order_id']}"

    async def move(state: str, etag: str) -> Any:
        headers = {"If-Match": etag} if etag else {}
        return await homes.cloud.call(
            "POST", f"{path}/state", token=homes.token, json={"state": state}, headers=headers
        )

    seen = (await homes.cloud.call("GET", path, token=homes.token)).headers["ETag"]
    begun = await move("in_progress", seen)
    stale = await move("cancelled", seen)
    fresh = await move("cancelled", begun.headers["ETag"])

    assert (begun.status, stale.status, fresh.status) == (200, 412, 200)
    assert stale.json["type"] == "/problems/precondition-failed"
    assert fresh.json["state"] == "cancelled"


async def test_what_has_not_changed_is_not_sent_again(homes: Homes) -> None:
    path = f"/api/v1/sites/{homes.site_id}"
    first = await homes.cloud.call("GET", path, token=homes.token)

    again = await homes.cloud.call(
        "GET", path, token=homes.token, headers={"If-None-Match": f'"other", W/{first.headers["ETag"]}'}
    )

    assert (again.status, again.body) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
