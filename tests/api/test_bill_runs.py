"""A period checked, approved and issued: by programs, and by a person in the console."""

import re

import aiohttp
import pytest

from protocol.reading import Reading
from tests.api.conftest import PASSWORD, Cloud
from tests.api.homes import Homes, build_homes, october_readings


@pytest.fixture
async def homes(cloud: Cloud) -> Homes:
    """Two homes."""
    return await build_homes(cloud, await cloud.token_of(await cloud.add_user("manager")))


async def _checked(homes: Homes, readings: list[Reading]) -> dict[str, object]:
    await homes.send_readings(readings)
    period = await homes.post(f"/api/v1/sites/{homes.site_id}/periods", {"code": "2026-10"})
    path = f"/api/v1/periods/{period['period_id']}/checks"
    return dict(await homes.post(path, {"wait_s": 30}))


async def test_a_period_is_billed_once_its_check_is_approved(homes: Homes) -> None:
    run = await _checked(homes, [*october_readings()])
    one, closing = f"/api/v1/bill_runs/{run['run_id']}", f"/api/v1/periods/{run['period_id']}/closing"
    preview = await homes.get(f"{one}/preview")

    early = await homes.cloud.call("POST", closing, token=homes.token, json={"wait_s": 30})
    approved = await homes.post(f"{one}/approve", {"note": "看过"})
    closed = await homes.post(closing, {"wait_s": 30})

    assert (run["state"], run["accounts"], preview["billable"]) == ("checked", 2, 2)
    assert early.status == 409
    assert "check 1 of period 2026-10 is checked: approve it first" in early.json["detail"]
    assert (approved["state"], approved["note"]) == ("approved", "看过")
    assert closed["overview"]["total_fen"] == preview["total_fen"]
    assert (await homes.get(f"{one}/preview"))["differences"] == []


async def test_whoever_approves_what_they_did_not_see_is_told(homes: Homes) -> None:
    run = await _checked(homes, [*october_readings()])
    one = f"/api/v1/bill_runs/{run['run_id']}"
    seen = await homes.cloud.call("GET", one, token=homes.token)
    await homes.post(f"{one}/refuse", {"note": "102 的水表读错了"})

    late = await homes.cloud.call(
        "POST",
        f"{one}/approve",
        token=homes.token,
        json={"note": ""},
        headers={"If-Match": seen.headers["ETag"]},
    )

    assert late.status == 412


async def test_meters_to_visit_are_listed_with_their_place(homes: Homes) -> None:
    run = await _checked(homes, [one for one in october_readings() if "-101/" in one.point_key])

    visits = (await homes.get(f"/api/v1/bill_runs/{run['run_id']}/visits"))["items"]

    assert [(one["building_code"], one["unit_code"], one["space_code"]) for one in visits] == [
        ("1", "1", "1-102")
    ]
    assert {problem["kind"] for problem in visits[0]["problems"]} == {"missing_reading"}


async def test_the_console_leads_from_the_check_to_the_invoices(homes: Homes) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    headers = {"Sec-Fetch-Site": "same-origin"}
    async with aiohttp.ClientSession(homes.cloud.url, cookie_jar=jar, headers=headers) as session:
        await session.post("/login", data={"login": "manager", "password": PASSWORD})
        empty = await (await session.get("/billing/2026-06")).text()
        await session.post("/billing/2026-06/close")
        closed = await (await session.get("/billing/2026-06")).text()
        early = await session.post("/billing/2026-10/close")
        held = await (await session.post("/billing/2026-10/check")).text()
        before = await (await session.get("/billing/2026-10")).text()
        await homes.send_readings(october_readings())
        checked = await (await session.post("/billing/2026-10/check")).text()
        run = re.search(r'name="run" value="([^"]+)"', checked)
        assert run is not None
        data = {"run": run[1], "decision": "approve", "note": ""}
        approved = await (await session.post("/billing/2026-10/decide", data=data)).text()
        issued = await (await session.post("/billing/2026-10/close")).text()
        progress = await session.get("/billing/2026-10/progress")
        visits = await session.get("/billing/2026-10/visits")

    assert "nobody is to be billed" in empty
    assert "/billing/2026-06/check" not in empty
    assert "June 2026 is billed" in closed
    assert early.status == 409
    assert "There is nothing to approve yet" in held
    assert 'name="decision"' not in held
    assert "/billing/2026-10/check" in before
    assert "/billing/2026-10/close" not in checked
    assert "/billing/2026-10/close" in approved
    assert "DG-2026-10-0001" in issued
    assert progress.headers["HX-Refresh"] == "true"
    assert visits.headers["Content-Disposition"].endswith('"DG-visits-2026-10.xlsx"')
