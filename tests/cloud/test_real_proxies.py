"""nginx and Caddy before the gateways' port, as the guide sets them up: they tell whom they saw.

The configurations are those of docs/howto/gateways.md, taken from the page, with other files and ports.
"""

import asyncio
import base64
import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.serialization import Encoding

from cloud.app import make_app
from cloud.config import Config, DatabaseConfig
from cloud.keys import AUTHORITY, DATABASE
from protocol.greeting import Hello
from protocol.sync import COMMANDS_PATH, HELLO_PATH
from provisioning.authority import certificate_pem, key_pem, new_key
from provisioning.est import CACERTS_PATH
from provisioning.identity import Credential, tls_context
from tests.boxes import enrolled
from tests.cloud.garden import add_gateway, add_site
from tests.torture.rig import free_port

_GUIDE = Path(__file__).parents[2] / "docs" / "howto" / "gateways.md"
_HELLO = msgspec.json.encode(Hello("0.1.0", "boot", 1, "c", 0, {}, None, 1, 0))
# By a name, as boxes come: Caddy answers 421 to whoever shows a certificate and names no host in TLS.
_NAME = "localhost"
_START_TIMEOUT_S = 60.0


def _nginx(folder: Path, port: int) -> list[str]:
    """Write nginx's configuration; return how it is run."""
    server = _from_guide("server {\n    listen 8443 ssl", folder).replace("listen 8443", f"listen {port}")
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "scgi", "uwsgi")
    )
    # Started as root it would become somebody who may not write to the socket.
    head = f"user {pwd.getpwuid(os.getuid()).pw_name};\npid {folder}/nginx.pid;\ndaemon off;\nevents {{}}\n"
    text = f"{head}http {{\naccess_log off;\n{temporary}{server}}}\n"
    (folder / "nginx.conf").write_text(text)
    return ["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "nginx.log")]


def _caddy(folder: Path, port: int) -> list[str]:
    """Write Caddy's configuration; return how it is run."""
    site = _from_guide("gateways.example:8443 {", folder).replace(
        "gateways.example:8443", f"https://{_NAME}:{port}"
    )
    (folder / "Caddyfile").write_text("{\n    admin off\n    auto_https off\n}\n" + site)
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def _from_guide(begins: str, folder: Path) -> str:
    """Return the guide's example that begins so, with the paths of this folder."""
    [example] = [
        block
        for block in re.findall(r"```[a-z]*\n(.*?)```", _GUIDE.read_text(), re.S)
        if block.startswith(begins)
    ]
    return str(example).replace("/etc/gatehouse", str(folder)).replace("/run/gatehouse", str(folder))


@pytest.mark.parametrize("proxy", [_nginx, _caddy], ids=["nginx", "caddy"])
async def test_a_real_proxy_tells_whom_it_verified_and_passes_nothing_made_up(
    proxy: Callable[[Path, int], list[str]], sqlite_template: Path, tmp_path: Path
) -> None:
    name = proxy.__name__.strip("_")
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed on this machine")
    async with _proxied(proxy, sqlite_template, tmp_path) as (url, box, http):
        made_up = {"Client-Cert": ":" + _der_of(box) + ":"}
        known, nobody = box.tls_context(_now_ms()), tls_context(box.authority_pem)
        statuses = {}
        async with http.post(url + HELLO_PATH, data=_HELLO, ssl=known) as answer:
            statuses["verified"] = answer.status
        async with http.post(url + HELLO_PATH, data=_HELLO, ssl=nobody) as answer:
            statuses["without a certificate"] = answer.status
        async with http.post(url + HELLO_PATH, data=_HELLO, ssl=nobody, headers=made_up) as answer:
            statuses["made up"] = answer.status
        async with http.get(url + CACERTS_PATH, ssl=nobody) as answer:
            statuses["on its way to enrol"] = answer.status
        async with http.get(url + "/login", ssl=known) as answer:
            statuses["a page"] = answer.status
        async with http.ws_connect(url + COMMANDS_PATH, ssl=known) as channel:
            await channel.send_str("no message of ours")
            farewell = await channel.receive(timeout=_START_TIMEOUT_S)

    assert statuses == {
        "verified": 200,
        "without a certificate": 401,
        "made up": 401,
        "on its way to enrol": 200,
        "a page": 404,
    }
    assert (farewell.type, farewell.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.INVALID_TEXT)


@asynccontextmanager
async def _proxied(
    proxy: Callable[[Path, int], list[str]], template: Path, folder: Path
) -> AsyncIterator[tuple[str, Credential, aiohttp.ClientSession]]:
    """Run a cloud on its socket and the proxy before it; yield its address and an enrolled box."""
    (folder / "cloud.db").write_bytes(template.read_bytes())
    config = Config(database=DatabaseConfig(url=f"sqlite:///{folder}/cloud.db"))
    app = make_app(config, clock=_now_ms)  # a proxy checks dates by the machine's clock
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, folder / "gateways.sock").start()
    process: subprocess.Popen[bytes] | None = None
    try:
        site_id = await asyncio.to_thread(add_site, app[DATABASE])
        gateway, _ = await asyncio.to_thread(add_gateway, app[DATABASE], site_id)
        box = await asyncio.to_thread(enrolled, app, gateway.gateway_id)
        key = new_key()
        now = datetime.fromtimestamp(_now_ms() / 1000, UTC)
        (folder / "proxy.key").write_bytes(key_pem(key))
        (folder / "proxy.pem").write_bytes(app[AUTHORITY].server_chain(key.public_key(), [_NAME], now))
        (folder / "trusted.pem").write_bytes(certificate_pem(*app[AUTHORITY].roots))
        port = free_port()
        with (folder / "proxy.log").open("wb") as log:
            process = subprocess.Popen(proxy(folder, port), stdout=log, stderr=log, cwd=folder)
        await _answering(process, port, folder / "proxy.log")
        async with aiohttp.ClientSession() as http:
            yield f"https://{_NAME}:{port}", box, http
    finally:
        if process is not None:
            process.terminate()
            await asyncio.to_thread(process.wait, 30)
        await runner.cleanup()


async def _answering(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    async with asyncio.timeout(_START_TIMEOUT_S):
        while True:
            assert process.poll() is None, log.read_text()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return


def _der_of(box: Credential) -> str:
    assert box.pair is not None
    return base64.b64encode(box.pair.certificate.public_bytes(Encoding.DER)).decode()


def _now_ms() -> int:
    return int(time.time() * 1000)
