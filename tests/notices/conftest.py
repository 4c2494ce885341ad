"""A cloud that tells people things, and providers on this machine that take them."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope

from cloud import outbox
from cloud.config import Notices, Sms
from tests.api.conftest import Cloud, StandingClock, running_cloud
from tests.api.homes import local_ms, site_document


@dataclass
class Provider:
    """A chat's robots, a carrier of short messages and a plain receiver, on one port."""

    origin: str = ""
    failing: int = 0  # how many requests are refused before one is taken
    heard: asyncio.Queue[tuple[str, dict[str, str], Any]] = field(default_factory=asyncio.Queue)

    async def next(self) -> tuple[str, dict[str, str], Any]:
        return await asyncio.wait_for(self.heard.get(), 20)


@dataclass
class Mailbox:
    """A mail server and what it took."""

    port: int = 0
    taken: asyncio.Queue[Envelope] = field(default_factory=asyncio.Queue)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """Providers on this machine that answer as the real ones do."""
    one = Provider()

    async def hear(request: web.Request) -> web.Response:
        body = await request.read()
        if one.failing:
            one.failing -= 1
            return web.Response(status=503)
        await one.heard.put((request.path_qs, dict(request.headers), json.loads(body)))
        if "X-TC-Action" in request.headers:
            status = {"Code": "Ok", "Message": "send success", "PhoneNumber": "", "SerialNo": "1"}
            return web.json_response({"Response": {"SendStatusSet": [status], "RequestId": "1"}})
        return web.json_response({"errcode": 0, "errmsg": "ok", "code": 0, "msg": "success"})

    app = web.Application()
    app.router.add_post("/{path:.*}", hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    one.origin = f"http://127.0.0.1:{site.port}"
    yield one
    await runner.cleanup()


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    """A mail server on this machine."""
    box, loop = Mailbox(), asyncio.get_running_loop()

    class Handler:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
            box.taken.put_nowait(envelope)
            return "250 OK"

    server = await loop.create_server(lambda: SMTP(Handler(), loop=loop), "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    yield box
    server.close()


@pytest.fixture
async def cloud(
    database_url: str,
    provider: Provider,
    mailbox: Mailbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Cloud]:
    """A cloud that knows these providers, at three in the afternoon; on each engine."""
    monkeypatch.setattr(outbox, "LOOK_EVERY_S", 0.1)
    for name, secret in (
        ("sms_id", "AKIDEXAMPLE"),
        ("sms_key", "a secret key"),
        ("mail", f"mailto://127.0.0.1:{mailbox.port}?mode=insecure&from=office@example.com"),
    ):
        (tmp_path / name).write_text(secret)
    sms = Sms(
        secret_id_file=str(tmp_path / "sms_id"),
        secret_key_file=str(tmp_path / "sms_key"),
        app_id="1400000000",
        sign_name="示例花园",
        templates={"dunning": "1110"},
        endpoint=provider.origin.removeprefix("http://"),
        is_plain_http=True,
    )
    async with running_cloud(
        database_url,
        StandingClock(local_ms("2026-11-23 15:00")),
        allow_private_webhooks=True,
        notices=Notices(email_url_file=str(tmp_path / "mail"), sms=sms),
    ) as running:
        manager = await running.token_of(await running.add_user("manager"))
        made = await running.call("POST", "/api/v1/setup", token=manager, json=site_document())
        assert made.status == 200, made.body
        yield running
