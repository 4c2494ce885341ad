"""A cloud that takes money online, and a stand-in of both providers on this machine."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from cloud.config import DEFAULT_TENANT, Alipay, Payments, WechatPay
from cloud.domain.ids import AccountId
from cloud.domain.user import system_user
from cloud.store import people, premises
from cloud.store.db import Tx
from simulator.cashier import (
    ALIPAY_APP,
    APP,
    CERTIFICATE_SERIAL,
    MERCHANT,
    PUBLIC_KEY_ID,
    Cashier,
    Keys,
)
from tests.api.conftest import Cloud, StandingClock, running_cloud
from tests.api.homes import build_homes, local_ms, october_readings

SYSTEM = system_user(DEFAULT_TENANT)


@dataclass
class Shop:
    """The cloud, the stand-in, and an account that owes October."""

    cloud: Cloud
    cashier: Cashier
    account_id: AccountId
    token: str


def payments_config(folder: Path, origin: str, cashier: Cashier) -> Payments:
    """Return the configuration of both providers at the stand-in, its keys in files."""
    for name, secret in (
        ("merchant.pem", cashier.keys.merchant_private()),
        ("provider.pem", cashier.keys.provider_public()),
        ("api_v3", cashier.keys.api_v3),
    ):
        (folder / name).write_text(secret)
    return Payments(
        callback_origin=origin,
        wechat=WechatPay(
            merchant_id=MERCHANT,
            app_id=APP,
            certificate_serial=CERTIFICATE_SERIAL,
            private_key_file=str(folder / "merchant.pem"),
            api_v3_key_file=str(folder / "api_v3"),
            platform_public_key_file=str(folder / "provider.pem"),
            platform_public_key_id=PUBLIC_KEY_ID,
            gateway=cashier.origin,
        ),
        alipay=Alipay(
            app_id=ALIPAY_APP,
            private_key_file=str(folder / "merchant.pem"),
            alipay_public_key_file=str(folder / "provider.pem"),
            gateway=f"{cashier.origin}/gateway.do",
        ),
    )


@pytest.fixture(scope="session")
def keys() -> Keys:
    """Both sides' keys, made once: each costs some tenths of a second."""
    return Keys()


@pytest.fixture
async def shop(database_url: str, tmp_path: Path, keys: Keys) -> AsyncIterator[Shop]:
    """Two homes whose October is billed, with both providers set up; on each engine."""
    clock = StandingClock(local_ms("2026-11-23 15:00"))
    cashier = Cashier(clock, keys)
    runner = web.AppRunner(cashier.app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    cashier.origin = f"http://127.0.0.1:{site.port}"
    config = payments_config(tmp_path, "http://callbacks.invalid", cashier)
    async with running_cloud(database_url, clock, payments=config) as cloud:
        token = await cloud.token_of(await cloud.add_user("manager"))
        homes = await build_homes(cloud, token)
        await homes.send_readings(october_readings())
        period = await homes.post(f"/api/v1/sites/{homes.site_id}/periods", {"code": "2026-10"})
        await homes.post(f"/api/v1/periods/{period['period_id']}/closing", {"wait_s": 30})

        def find(tx: Tx) -> AccountId:
            own = premises.list_sites(tx)[0]
            return people.accounts_by_number(tx, own.site_id)["A-00101"].account_id

        account_id = await cloud.database.read(DEFAULT_TENANT, find)
        yield Shop(cloud, cashier, account_id, token)
    await runner.cleanup()
