"""The demonstration building behind the real application on a real port, and browsers to look at it."""

import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright

from cloud.app import make_app
from cloud.config import Config, DatabaseConfig, Http, Payments
from cloud.domain.gateway import GatewayIdentity
from cloud.keys import DATABASE
from cloud.services import tenants
from cloud.store.db import Database, Keyring
from cloud.store.migrate import upgrade
from tests.console import garden
from tests.databases import PRIVACY_KEY

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import build_web

DESK = ViewportSize(width=1440, height=1000)
PHONE = ViewportSize(width=390, height=844)


@dataclass
class Served:
    """A running cloud with the building in it."""

    url: str
    app: web.Application
    gateway: GatewayIdentity
    runner: web.AppRunner

    @property
    def database(self) -> Database:
        return self.app[DATABASE]


@dataclass
class Visit:
    """A browser's tab, and everything it complained of."""

    page: Page
    url: str
    said: list[str] = field(default_factory=list)

    async def open(self, path: str) -> int:
        """Go to a page; return its status."""
        response = await self.page.goto(self.url + path)
        assert response is not None
        return response.status

    async def sign_in(self, login: str = "manager") -> None:
        """Sign in by the form."""
        await self.open("/login")
        await self.page.fill("#login", login)
        await self.page.fill("#password", garden.PASSWORD)
        await self.page.click(".sign-in button")
        await self.page.wait_for_url(lambda at: "/login" not in at)


Visitor = Callable[..., Awaitable[Visit]]


@pytest.fixture(scope="session")
def built_assets() -> None:
    """The web assets as they are in this tree."""
    build_web.build()


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, GatewayIdentity]:
    """A database file with the building in it, made once."""
    path = tmp_path_factory.mktemp("garden") / "filled.db"
    url = f"sqlite:///{path}"
    upgrade(url)
    database = Database(url, clock=lambda: garden.NOW_MS, keyring=Keyring(PRIVACY_KEY))
    database.write_now(garden.TENANT, tenants.ensure_tenant)
    gateway = garden.fill(database)
    database.close()
    return path, gateway


@asynccontextmanager
async def serving(
    path: Path, gateway: GatewayIdentity, payments: Payments | None = None, port: int = 0
) -> AsyncIterator[Served]:
    """Serve a database on a free port, its clock going on from the building's morning."""
    started = time.monotonic()

    def clock() -> int:
        return garden.NOW_MS + int((time.monotonic() - started) * 1000)

    key = path.with_name("privacy.key")
    key.touch(0o600)
    key.write_text(PRIVACY_KEY.hex())
    config = Config(
        http=Http(port=0),
        database=DatabaseConfig(url=f"sqlite:///{path}"),
        payments=payments or Payments(),
    )
    app = make_app(config, clock=clock)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        yield Served(f"http://127.0.0.1:{site.port}", app, gateway, runner)
    finally:
        await runner.cleanup()


@pytest.fixture
async def served(
    built_assets: None, filled: tuple[Path, GatewayIdentity], tmp_path: Path
) -> AsyncIterator[Served]:
    """The building, served from a copy of its database."""
    path = tmp_path / "garden.db"
    shutil.copy(filled[0], path)
    async with serving(path, filled[1]) as running:
        yield running


@pytest.fixture(scope="session")
async def browser(chromium_path: Path) -> AsyncIterator[Browser]:
    """One browser for the session."""
    async with async_playwright() as driver:
        launched = await driver.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        yield launched
        await launched.close()


@pytest.fixture
async def visitor(served: Served, browser: Browser) -> AsyncIterator[Visitor]:
    """Opens tabs; at the end none of them may have complained of anything."""
    opened: list[tuple[BrowserContext, Visit]] = []

    async def visit(
        *, login: str = "manager", is_phone: bool = False, language: str = "zh-CN", scripts: bool = True
    ) -> Visit:
        context = await browser.new_context(
            viewport=PHONE if is_phone else DESK,
            is_mobile=is_phone,
            locale=language,
            java_script_enabled=scripts,
        )
        context.set_default_timeout(30_000)
        await context.add_cookies([{"name": "gatehouse_language", "value": language, "url": served.url}])
        tab = Visit(await context.new_page(), served.url)
        tab.page.on("console", lambda message: _note(tab, message.type, message.text))
        tab.page.on("pageerror", lambda error: tab.said.append(str(error)))
        opened.append((context, tab))
        if login:
            await tab.sign_in(login)
        return tab

    yield visit
    for context, _ in opened:
        await context.close()
    for _, tab in opened:
        assert tab.said == [], "the browser complained"


def _note(tab: Visit, kind: str, text: str) -> None:
    # A refused page is a refused page; the test that asks for it looks at its status.
    if kind in ("error", "warning") and "the server responded with a status of 4" not in text:
        tab.said.append(text)
