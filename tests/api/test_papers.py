"""Papers through the API: the file, who gets it, and the public check of a code."""

import asyncio
import io
import uuid
import zipfile
from typing import Any

import pytest

from cloud.domain.ids import AccountId
from cloud.domain.rate_limit import VERIFICATION_PER_ADDRESS
from cloud.domain.user import Role
from tests.api.conftest import Cloud, Reply
from tests.api.homes import Homes, build_homes, october_readings
from tests.press.reading import text_of


@pytest.fixture
async def homes(cloud: Cloud) -> Homes:
    """Two billed homes."""
    token = await cloud.token_of(await cloud.add_user("manager"))
    homes = await build_homes(cloud, token)
    await homes.send_readings(october_readings())
    period = await homes.post(f"/api/v1/sites/{homes.site_id}/periods", {"code": "2026-10"})
    await homes.post(f"/api/v1/periods/{period['period_id']}/closing", {"wait_s": 30})
    return homes


async def _invoices(homes: Homes) -> list[Any]:
    items = (await homes.get("/api/v1/invoices"))["items"]
    return sorted(items, key=lambda one: str(one["number"]))


async def _pdf(homes: Homes, path: str, token: str = "") -> Reply:
    return await homes.cloud.call("GET", path, token=token or homes.token)


async def test_an_invoice_a_receipt_and_a_notice_come_as_pdf(homes: Homes) -> None:
    invoice = (await _invoices(homes))[0]
    account = f"/api/v1/accounts/{invoice['account_id']}"
    paid = await homes.cloud.call(
        "POST",
        f"{account}/payments",
        token=homes.token,
        json={"method": "wechat", "amount_fen": 1_000, "received_on": "2026-11-22"},
        headers={"Idempotency-Key": str(uuid.uuid4())},
    )

    bill = await _pdf(homes, f"/api/v1/invoices/{invoice['invoice_id']}/pdf")
    english = await _pdf(homes, f"/api/v1/invoices/{invoice['invoice_id']}/pdf?language=en")
    receipt = await _pdf(homes, f"/api/v1/payments/{paid.json['receipt']['payment_id']}/pdf")
    notice = await _pdf(homes, f"{account}/notice?as_of=2026-11-22")

    assert [one.status for one in (bill, english, receipt, notice)] == [200] * 4
    assert bill.headers["Content-Type"] == "application/pdf"
    assert bill.headers["Content-Disposition"] == f'inline; filename="{invoice["number"]}.pdf"'
    assert bill.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert invoice["number"] in text_of(bill.body)
    assert "Electricity" in text_of(english.body)
    assert "壹拾元整" in text_of(receipt.body)
    assert "缴费通知单" in text_of(notice.body)
    assert (await _pdf(homes, f"/api/v1/invoices/{invoice['invoice_id']}/pdf")).body == bill.body


async def test_a_resident_gets_their_own_bill_and_no_other(homes: Homes) -> None:
    own, other = await _invoices(homes)
    resident = await homes.cloud.add_user("resident", Role.RESIDENT, (AccountId(own["account_id"]),))
    token = await homes.cloud.token_of(resident)

    assert (await _pdf(homes, f"/api/v1/invoices/{own['invoice_id']}/pdf", token)).status == 200
    assert (await _pdf(homes, f"/api/v1/invoices/{other['invoice_id']}/pdf", token)).status == 404
    path = f"/api/v1/accounts/{other['account_id']}/notice?as_of=2026-11-22"
    assert (await _pdf(homes, path, token)).status == 404


async def test_anybody_can_check_a_paper_and_learns_no_name(homes: Homes) -> None:
    invoice = (await _invoices(homes))[0]
    text = text_of((await _pdf(homes, f"/api/v1/invoices/{invoice['invoice_id']}/pdf")).body)
    code = text.split("核验码 ")[1][:19]

    genuine = await homes.cloud.call("GET", f"/api/v1/documents/{invoice['number']}/{code}")
    wrong = code[:-1] + ("3" if code[-1] == "2" else "2")
    forged = await homes.cloud.call("GET", f"/api/v1/documents/{invoice['number']}/{wrong}")

    assert (genuine.status, forged.status) == (200, 200)
    assert genuine.json == {
        "standing": "stands",
        "number": invoice["number"],
        "kind": "invoice",
        "issued_on": invoice["issued_on"],
        "amount_fen": invoice["total_fen"],
        "currency": "CNY",
    }
    assert forged.json["standing"] == "unknown"


async def test_who_tries_codes_has_to_wait(homes: Homes) -> None:
    answers = [
        await homes.cloud.call("GET", f"/api/v1/documents/DG-2026-10-0001/AAAA-{number:04}")
        for number in range(VERIFICATION_PER_ADDRESS.burst + 1)
    ]

    assert [one.status for one in answers[:-1]] == [200] * VERIFICATION_PER_ADDRESS.burst
    assert answers[-1].status == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1


async def _finished(homes: Homes, begun: Any) -> Any:
    path = f"/api/v1/print_runs/{begun['run_id']}"
    async with asyncio.timeout(120):
        while (run := await homes.get(path))["state"] == "printing":
            await asyncio.sleep(0.1)
    return run


async def test_a_month_s_bills_come_in_one_zip_and_the_same_one_again(homes: Homes) -> None:
    path = f"/api/v1/sites/{homes.site_id}/bill_prints"
    first = await homes.cloud.call("POST", path, token=homes.token, json={"period_code": "2026-10"})
    second = await homes.cloud.call("POST", path, token=homes.token, json={"period_code": "2026-10"})
    files = []
    for begun in (first, second):
        assert begun.status == 202
        run = await _finished(homes, begun.json)
        assert (run["state"], run["done"], run["total"]) == ("done", 2, 2)
        files.append(await _pdf(homes, f"/api/v1/print_runs/{run['run_id']}/file"))

    with zipfile.ZipFile(io.BytesIO(files[0].body)) as archive:
        names = archive.namelist()
        text = text_of(archive.read(names[0]))
    assert names == ["1-101_DG-2026-10-0001.pdf", "1-102_DG-2026-10-0002.pdf"]
    assert "DG-2026-10-0001" in text
    assert files[0].body == files[1].body
    assert files[0].headers["Content-Disposition"] == 'attachment; filename="DG-2026-10.zip"'


async def test_notices_go_to_who_has_something_to_pay(homes: Homes) -> None:
    path = f"/api/v1/sites/{homes.site_id}/notice_prints"
    body = {"as_of": "2026-11-22", "form": "volumes"}

    begun = await homes.cloud.call("POST", path, token=homes.token, json=body)
    run = await _finished(homes, begun.json)
    file = await _pdf(homes, f"/api/v1/print_runs/{run['run_id']}/file")

    assert file.headers["Content-Type"] == "application/pdf"
    assert text_of(file.body).count("缴费通知单") == 2


async def test_another_s_run_does_not_exist_and_a_stopped_one_has_no_file(homes: Homes) -> None:
    path = f"/api/v1/sites/{homes.site_id}/bill_prints"
    begun = await homes.cloud.call("POST", path, token=homes.token, json={"period_code": "2026-10"})
    run = f"/api/v1/print_runs/{begun.json['run_id']}"
    other = await homes.cloud.token_of(await homes.cloud.add_user("finance", Role.FINANCE))

    assert (await homes.cloud.call("GET", run, token=other)).status == 404
    stopped = await homes.post(f"{run}/stop")
    assert stopped["state"] == "stopped"
    assert (await _pdf(homes, f"{run}/file")).status == 409


async def test_a_month_nobody_billed_is_not_printed(homes: Homes) -> None:
    path = f"/api/v1/sites/{homes.site_id}/bill_prints"

    reply = await homes.cloud.call("POST", path, token=homes.token, json={"period_code": "2025-01"})

    assert reply.status == 404
