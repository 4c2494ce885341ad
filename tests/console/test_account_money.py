"""An account's credit, deposits, refunds, contacts and reminders, by forms; each form is done once."""

import re
from typing import Any

from aiohttp import ClientSession

from tests.console.conftest import Served
from tests.console.test_pages import signed_in, text_of

PAGE = "/accounts/A-00101/money"


async def send(session: ClientSession, act: str, **typed: str) -> tuple[int, str, dict[str, Any]]:
    """Send a form as the page has it; return status, what the page says, and what was sent."""
    async with session.get(PAGE) as response:
        html = await response.text()
    once = re.search(r'name="once" value="([^"]+)-deposit"', html)
    assert once is not None
    data = {"act": act, "once": f"{once[1]}-{act}", **typed}
    async with session.post(PAGE, data=data) as response:
        return response.status, text_of(await response.text()), data


async def test_a_deposit_is_taken_once_used_and_asked_back(served: Served) -> None:
    async with await signed_in(served, "manager", "en") as session:
        given = {"label": "renovation", "amount": "2000", "method": "cash", "received_on": "2026-11-20"}
        _, taken, sent = await send(session, "deposit", **given)
        async with session.post(PAGE, data=sent) as response:
            again = text_of(await response.text())
        _, used, _ = await send(session, "deposit-used", amount="500", reason="broken tiles")
        refund = {"source": "deposit", "amount": "1500", "method": "cash", "reason": "moved out"}
        status, asked, _ = await send(session, "refund", **refund)
        too_much, refused, _ = await send(session, "refund", **refund)

    assert "renovation" in taken
    assert again.count("DG-D2026-000001") == taken.count("DG-D2026-000001") == 1
    assert "DG-D2026-000002" not in again
    assert "1,500" in used
    assert (status, "DG-B2026-000001" in asked) == (200, True)
    assert too_much == 422
    assert "Nothing was changed." in refused


async def test_people_are_reached_and_left_alone(served: Served) -> None:
    async with await signed_in(served, "manager", "en") as session:
        _, added, _ = await send(session, "contact", channel="sms", address="13912345678", locale="zh-CN")
        wrong, said, _ = await send(session, "contact", channel="sms", address="12", locale="zh-CN")
        _, paused, _ = await send(session, "pause", until_on="2026-12-20", reason="bill in dispute")

    assert "139****5678" in added
    assert "13912345678" not in added
    assert (wrong, "a mobile number of 11 digits" in said) == (422, True)
    assert "bill in dispute" in paused
