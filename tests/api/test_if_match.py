"""If-Match: whoever changes what somebody else changed meanwhile is told, and changes nothing."""

from datetime import date
from typing import Any

import pytest

from cloud.config import DEFAULT_TENANT
from cloud.domain.payment import Method
from cloud.domain.refund import Refund, RefundSource
from cloud.domain.user import User
from cloud.services import payments, refunds
from cloud.store import people, premises
from cloud.store.db import Tx
from tests.api.conftest import Cloud
from tests.api.homes import Homes, build_homes
from tests.billing.estate import SYSTEM


@pytest.fixture
async def homes(cloud: Cloud) -> Homes:
    """Two homes, their manager signed in."""
    return await build_homes(cloud, await cloud.token_of(await cloud.add_user("manager")))


@pytest.mark.parametrize(
    ("path", "first", "then"),
    [
        ("/api/v1/sites/{site_id}/dunning", {"days": [3, 15]}, {"days": [7]}),
        (
            "/api/v1/ledger/subjects",
            {"subjects": {"cash": {"code": "100101", "name": "库存现金-前台"}}},
            {"subjects": {"cash": {"code": "100102", "name": "库存现金-车库"}}},
        ),
        ("/api/v1/sites/{site_id}/reconciliation", {"figures": {"meters": 4}}, {"figures": {"meters": 5}}),
    ],
    ids=["dunning", "subjects", "reconciliation"],
)
async def test_a_setting_somebody_else_changed_meanwhile_is_kept(
    homes: Homes, path: str, first: dict[str, Any], then: dict[str, Any]
) -> None:
    where = path.format(site_id=homes.site_id)
    seen = await homes.cloud.call("GET", where, token=homes.token)
    held = {"If-Match": seen.headers["ETag"]}

    done = await homes.cloud.call("PUT", where, token=homes.token, json=first, headers=held)
    late = await homes.cloud.call("PUT", where, token=homes.token, json=then, headers=held)
    told = await homes.cloud.call("GET", where, token=homes.token)

    assert done.status in (200, 204), done.body
    assert late.status == 412
    assert told.headers["ETag"] == done.headers["ETag"] != seen.headers["ETag"]
    again = {"If-Match": done.headers["ETag"]}
    assert (
        await homes.cloud.call("PUT", where, token=homes.token, json=then, headers=again)
    ).status == done.status


async def test_a_version_somebody_else_took_out_of_use_is_not_put_in_force_unseen(homes: Homes) -> None:
    listed = (await homes.get("/api/v1/tariffs"))["items"]
    own = next(one for one in listed if one["state"] == "active")
    where = f"/api/v1/tariffs/{own['code']}/versions/{own['version']}"
    seen = await homes.cloud.call("GET", where, token=homes.token)
    held = {"If-Match": seen.headers["ETag"]}

    retired = await homes.cloud.call("POST", f"{where}/retire", token=homes.token, headers=held)
    late = await homes.cloud.call("POST", f"{where}/activate", token=homes.token, headers=held)

    assert (retired.status, retired.json["state"]) == (200, "retired")
    assert late.status == 412
    assert (await homes.get(where))["tariff"]["state"] == "retired"


async def test_a_refund_somebody_else_decided_meanwhile_stays_as_decided(homes: Homes) -> None:
    asked = await homes.cloud.database.write(DEFAULT_TENANT, _ask_for_refund, SYSTEM)
    where = f"/api/v1/refunds/{asked.refund_id}"
    seen = await homes.cloud.call("GET", where, token=homes.token)
    held = {"If-Match": seen.headers["ETag"]}

    refused = await homes.cloud.call("POST", f"{where}/refusal", token=homes.token, headers=held)
    late = await homes.cloud.call("POST", f"{where}/approval", token=homes.token, headers=held)

    assert (refused.status, refused.json["state"]) == (200, "refused")
    assert late.status == 412
    assert (await homes.get(where))["state"] == "refused"


def _ask_for_refund(tx: Tx, actor: User) -> Refund:
    """Let 101 pay ten yuan nobody asked for, and ask for five of them back."""
    account = people.accounts_by_number(tx, premises.list_sites(tx)[0].site_id)["A-00101"]
    payments.record_payment(tx, actor, account.account_id, Method.CASH, 1_000, date(2026, 10, 1))
    return refunds.request_refund(
        tx, actor, account.account_id, RefundSource.CREDIT, 500, Method.CASH, "paid too much", None
    )
