"""The `gatehouse simulate cashier` command: both payment providers on one port, their keys in a folder.

The keys are made at the first start and kept, so that a merchant's configuration goes on fitting.
"""

import asyncio
import signal
import time
from pathlib import Path

import click
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from simulator.cashier import ALIPAY_APP, APP, CERTIFICATE_SERIAL, MERCHANT, PUBLIC_KEY_ID, Cashier, Keys

DEFAULT_PORT = 8060
_MERCHANT, _PROVIDER, _PROVIDER_PUBLIC, _API_V3 = "merchant.pem", "provider.key", "provider.pem", "api_v3"


@click.command("cashier")
@click.option("--port", type=click.IntRange(0, 65_535), default=DEFAULT_PORT, show_default=True)
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="For the keys."
)
def cashier_command(port: int, folder: Path) -> None:
    """Stand in for WeChat Pay and Alipay: orders, a page that pays, signed callbacks; no money moves."""
    cashier = Cashier(lambda: time.time_ns() // 1_000_000, kept_keys(folder))
    click.echo(merchant_config(folder, f"http://127.0.0.1:{port}"))
    asyncio.run(_serve(cashier, port))


def kept_keys(folder: Path) -> Keys:
    """Return the keys in a folder; made there if there are none."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / _API_V3).exists():
        return Keys(_read(folder / _MERCHANT), _read(folder / _PROVIDER), (folder / _API_V3).read_text())
    keys = Keys()
    provider = keys.provider.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for name, text in (
        (_MERCHANT, keys.merchant_private()),
        (_PROVIDER, provider.decode()),
        (_PROVIDER_PUBLIC, keys.provider_public()),
        (_API_V3, keys.api_v3),
    ):
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="ascii")
    return keys


def merchant_config(folder: Path, origin: str) -> str:
    """Return what the merchant's configuration has to say of both providers, as TOML."""
    return f"""[payments.wechat]
merchant_id = "{MERCHANT}"
app_id = "{APP}"
certificate_serial = "{CERTIFICATE_SERIAL}"
private_key_file = "{folder / _MERCHANT}"
api_v3_key_file = "{folder / _API_V3}"
platform_public_key_file = "{folder / _PROVIDER_PUBLIC}"
platform_public_key_id = "{PUBLIC_KEY_ID}"
gateway = "{origin}"

[payments.alipay]
app_id = "{ALIPAY_APP}"
private_key_file = "{folder / _MERCHANT}"
alipay_public_key_file = "{folder / _PROVIDER_PUBLIC}"
gateway = "{origin}/gateway.do"
"""


async def _serve(cashier: Cashier, port: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    runner = web.AppRunner(cashier.app(), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        cashier.origin = f"http://127.0.0.1:{site.port}"
        await stopped.wait()
    finally:
        await runner.cleanup()


def _read(path: Path) -> RSAPrivateKey:
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, RSAPrivateKey), "it was written as one"
    return key
