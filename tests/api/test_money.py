"""Money through the doors: paid once, used in order, taken back; invoices corrected, readings by hand."""

import uuid
from typing import Any

import pytest

from tests.api.conftest import Cloud
from tests.api.homes import Homes, build_homes, october_readings


@pytest.fixture
async def homes(any_cloud: Cloud) -> Homes:
    """Two billed homes on each engine."""
    token = await any_cloud.token_of(await any_cloud.add_user("manager"))
    homes = await build_homes(any_cloud, token)
    await homes.send_readings(october_readings())
    period = await homes.post(f"/api/v1/sites/{homes.site_id}/periods", {"code": "2026-10"})
    await homes.post(f"/api/v1/periods/{period['period_id']}/closing", {"wait_s": 30})
    return homes


async def _first_invoice(homes: Homes) -> Any:
    invoices = (await homes.get("/api/v1/invoices"))["items"]
    return next(invoice for invoice in invoices if invoice["account_number"] == "A-00101")


async def _pay(homes: Homes, invoice: Any, amount_fen: int, key: str = "", **more: Any) -> Any:
    return await homes.cloud.call(
        "POST",
        f"/api/v1/accounts/{invoice['account_id']}/payments",
        token=homes.token,
        json={"method": "wechat", "amount_fen": amount_fen, "received_on": "2026-11-22", **more},
        headers={"Idempotency-Key": key or str(uuid.uuid4())},
    )


async def _account(homes: Homes, invoice: Any) -> Any:
    return await homes.get(f"/api/v1/accounts/{invoice['account_id']}")


async def test_a_payment_clears_the_invoice_and_the_rest_is_credit(homes: Homes) -> None:
    invoice = await _first_invoice(homes)
    total_fen = invoice["total_fen"]

    paid = await _pay(homes, invoice, total_fen + 500)

    assert paid.status == 201
    assert [use["principal_fen"] for use in paid.json["uses"]] == [total_fen]
    assert paid.json["credit_fen"] == 500
    assert (await _account(homes, invoice))["balance_fen"] == -500
    path = f"/api/v1/accounts/{invoice['account_id']}/open_items?as_of=2026-11-23"
    assert (await homes.get(path))["items"] == []
    assert (await homes.get("/api/v1/ledger/trial_balance"))["total_fen"] == 0


async def test_a_double_click_pays_once(homes: Homes) -> None:
    invoice = await _first_invoice(homes)
    key = str(uuid.uuid4())

    first = await _pay(homes, invoice, 1_000, key)
    again = await _pay(homes, invoice, 1_000, key)
    other = await _pay(homes, invoice, 2_000, key)

    assert (first.status, again.status, other.status) == (201, 201, 422)
    assert again.body == first.body
    payments = await homes.get(f"/api/v1/accounts/{invoice['account_id']}/payments")
    assert [one["amount_fen"] for one in payments["items"]] == [1_000]


async def test_a_payment_without_a_key_is_refused(homes: Homes) -> None:
    invoice = await _first_invoice(homes)

    refused = await homes.cloud.call(
        "POST",
        f"/api/v1/accounts/{invoice['account_id']}/payments",
        token=homes.token,
        json={"method": "cash", "amount_fen": 1_000, "received_on": "2026-11-22"},
    )

    assert refused.status == 400
    assert "Idempotency-Key" in refused.json["detail"]


async def test_the_same_transfer_told_twice_is_one_payment(homes: Homes) -> None:
    invoice = await _first_invoice(homes)

    first = await _pay(homes, invoice, 1_000, provider_reference="wx-42")
    again = await _pay(homes, invoice, 1_000, provider_reference="wx-42")
    other = await _pay(homes, invoice, 2_000, provider_reference="wx-42")

    assert again.json["receipt"]["payment_id"] == first.json["receipt"]["payment_id"]
    assert other.status == 409


async def test_a_payment_taken_back_opens_its_invoice_again(homes: Homes) -> None:
    invoice = await _first_invoice(homes)
    paid = await _pay(homes, invoice, invoice["total_fen"])
    path = f"/api/v1/payments/{paid.json['receipt']['payment_id']}/reversal"
    keys = [{"Idempotency-Key": f"reversal-{number}"} for number in (1, 2)]

    taken = await homes.post(path, {"reason": "退票"}, headers=keys[0])
    again = await homes.cloud.call("POST", path, token=homes.token, json={"reason": "x"}, headers=keys[1])

    assert taken["amount_fen"] == -invoice["total_fen"]
    assert again.status == 409
    assert (await _account(homes, invoice))["balance_fen"] == invoice["total_fen"]


async def test_who_owes_is_listed_by_age(homes: Homes) -> None:
    rule = {"from_on": "2026-11-01", "steps": [{"from_day": 1, "daily_rate": "0.001"}], "cap": "1"}
    set_rule = await homes.cloud.call(
        "POST", f"/api/v1/sites/{homes.site_id}/late_fee_rules", token=homes.token, json=rule
    )
    invoice = await _first_invoice(homes)

    arrears = await homes.get(f"/api/v1/sites/{homes.site_id}/arrears?as_of=2027-01-31")
    items = await homes.get(f"/api/v1/accounts/{invoice['account_id']}/open_items?as_of=2027-01-31")

    assert set_rule.status == 204
    assert [one["account_number"] for one in arrears["items"]] == ["A-00101", "A-00102"]
    assert arrears["items"][0]["days_31_to_60_fen"] == invoice["total_fen"]
    [item] = items["items"]
    # Due 2026-12-08, so 54 days at one per mille.
    assert item["days_overdue"] == 54
    assert item["late_fee_fen"] == round(invoice["total_fen"] * 54 / 1000)


async def test_a_credit_note_takes_an_invoice_back_whole(homes: Homes) -> None:
    invoice = await _first_invoice(homes)
    path = f"/api/v1/invoices/{invoice['invoice_id']}/credit"

    note = await homes.post(path, {"reason": "装错表"})
    again = await homes.cloud.call("POST", path, token=homes.token, json={"reason": "x"})

    assert (note["kind"], note["total_fen"]) == ("credit_note", -invoice["total_fen"])
    assert note["corrects_id"] == invoice["invoice_id"]
    assert again.status == 409
    assert (await _account(homes, invoice))["balance_fen"] == 0


async def test_a_reading_by_hand_corrects_an_invoice(homes: Homes) -> None:
    invoice = await _first_invoice(homes)
    [meter, _] = (await homes.get(f"/api/v1/accounts/{invoice['account_id']}/meters"))["items"]
    recorded = await homes.post(
        f"/api/v1/installations/{meter['installation_id']}/readings",
        {"on": "2026-11-01", "value": "376.42", "reason": "现场核对，抄表单 7"},
    )

    preview = await homes.get(f"/api/v1/invoices/{invoice['invoice_id']}/correction")
    corrected = await homes.post(
        f"/api/v1/invoices/{invoice['invoice_id']}/correction", {"reason": "按现场读数"}
    )

    assert recorded["reading_id"]
    replacement = corrected["replacement"]
    assert replacement["total_fen"] == preview["total_fen"]
    # Ten kilowatt-hours less in the first tier.
    energy = replacement["lines"][0]
    assert (energy["quantity"], energy["amount_fen"]) == ("276.42", 13_498)
    assert replacement["version"] == 3
    books = await homes.get("/api/v1/ledger/trial_balance")
    assert books["total_fen"] == 0


async def test_a_register_cannot_show_what_it_cannot_show(homes: Homes) -> None:
    invoice = await _first_invoice(homes)
    [meter, _] = (await homes.get(f"/api/v1/accounts/{invoice['account_id']}/meters"))["items"]
    path = f"/api/v1/installations/{meter['installation_id']}/readings"

    for value in ("1000000", "-1", "NaN", "Infinity", "1e400", "0.1234567"):
        refused = await homes.cloud.call(
            "POST", path, token=homes.token, json={"on": "2026-11-01", "value": value, "reason": "x"}
        )
        assert refused.status == 422, value


async def test_the_bytes_a_reading_came_from_are_shown(homes: Homes) -> None:
    invoice = await _first_invoice(homes)
    [meter, _] = (await homes.get(f"/api/v1/accounts/{invoice['account_id']}/meters"))["items"]
    path = f"/api/v1/points/{meter['series_id']}"
    listed = await homes.get(f"{path}/readings?from_ms=0&to_ms=1900000000000")
    [reading] = listed["items"]

    shown = await homes.get(
        f"{path}/evidence?epoch={reading['epoch']}&evidence_seq={reading['evidence_seq']}"
    )
    missing = await homes.cloud.call("GET", f"{path}/evidence?epoch=9&evidence_seq=9", token=homes.token)

    sent = next(one for one in october_readings() if one.point_key == "em-101/active_energy_import")
    assert sent.evidence is not None
    assert shown["reply_hex"] == sent.evidence.reply.hex()
    assert shown["is_intact"]
    assert missing.status == 404


async def test_a_gateway_s_devices_are_listed(homes: Homes) -> None:
    [gateway] = (await homes.get("/api/v1/gateways"))["items"]

    devices = await homes.get(f"/api/v1/gateways/{gateway['gateway_id']}/devices")

    assert [device["code"] for device in devices["items"]] == [
        "em-101",
        "em-102",
        "fire-1",
        "wm-101",
        "wm-102",
    ]
