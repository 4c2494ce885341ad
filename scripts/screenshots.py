"""Take the documentation's pictures from a running cloud: `python scripts/screenshots.py [URL]`.

Start `make demo` first. Every page is opened in a real browser, in both languages where it matters,
and written to docs/pictures; so the pictures stay true. The invariant: nothing is drawn or filled in,
and a page that fails to load, or says something to the browser's console, ends the command.
"""

import argparse
import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
sys.path.insert(0, str(ROOT))

from tests.services import find_chromium  # noqa: E402 - the one list of where Chromium may be

_DESK = {"width": 1440, "height": 1000}
_PHONE = {"width": 390, "height": 844}
_SETTLE_MS = 900  # charts are drawn, the live stream is open


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: its name, how to get to the page, and for whom it is taken."""

    name: str
    path: str
    clicks: tuple[str, ...] = ()
    language: str = "zh-CN"
    theme: str = "light"
    is_resident: bool = False


SHOTS = (
    Shot("overview", "/"),
    Shot("overview.en", "/", language="en"),
    Shot("overview-dark", "/", theme="dark"),
    Shot("meter", "/meters?commodity=electricity", ("main .tbl tbody tr:nth-child(2) a",)),
    Shot("trace", "/invoices", ("main .tbl tbody tr:nth-child(2) a", "main .inv tbody tr:first-child a")),
    Shot(
        "trace.en",
        "/invoices",
        ("main .tbl tbody tr:nth-child(2) a", "main .inv tbody tr:first-child a"),
        language="en",
    ),
    Shot("bill-run", "/billing", ("main .tbl tbody a >> nth=0",)),
    Shot("equipment", "/equipment"),
    Shot("alarms", "/alarms?show=all"),
    Shot("gateway", "/gateways", ("main .tbl tbody a >> nth=0",)),
    Shot("tariff", "/tariffs", ("main .tbl tbody a >> nth=0",)),
    Shot("account", "/premises", ("main .tbl tbody a >> nth=0",)),
    Shot("home", "/home", is_resident=True),
    Shot("home-bill", "/home/bills", ("main .lrow >> nth=0",), is_resident=True),
    Shot("home-dark", "/home", theme="dark", is_resident=True),
)


async def main() -> int:
    """Take all pictures, or those named; return 1 if a page was not fit to be shown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8080")
    parser.add_argument("--manager", default="manager", help="login of a manager")
    parser.add_argument("--resident", default="101", help="login of a resident")
    parser.add_argument("--password", default=os.environ.get("GATEHOUSE_DEMO_PASSWORD", "demo-garden"))
    parser.add_argument("--only", nargs="*", default=[], help="names of pictures")
    parser.add_argument("--out", type=Path, default=PICTURES)
    asked = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        print("no Chromium: run `make test-services` first", file=sys.stderr)
        return 1
    asked.out.mkdir(parents=True, exist_ok=True)
    wrong = 0
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for shot in SHOTS:
            if asked.only and shot.name not in asked.only:
                continue
            login = asked.resident if shot.is_resident else asked.manager
            said = await _take(browser, shot, asked.url, login, asked.password, asked.out)
            wrong += bool(said)
            print(f"{shot.name}.png" + "".join(f"\n  {line}" for line in said))
        await browser.close()
    return 1 if wrong else 0


async def _take(browser: Browser, shot: Shot, url: str, login: str, password: str, out: Path) -> list[str]:
    context = await browser.new_context(
        viewport=_PHONE if shot.is_resident else _DESK,
        locale=shot.language,
        color_scheme=shot.theme,
        device_scale_factor=2 if shot.is_resident else 1,
        is_mobile=shot.is_resident,
    )
    await context.add_cookies(
        [
            {"name": "gatehouse_language", "value": shot.language, "url": url},
            {"name": "gatehouse_theme", "value": shot.theme, "url": url},
        ]
    )
    page = await context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    await _sign_in(page, url, login, password)
    await page.goto(url + shot.path)
    for click in shot.clicks:
        await page.click(click)
        await page.wait_for_load_state()
    await page.wait_for_timeout(_SETTLE_MS)
    await page.screenshot(path=out / f"{shot.name}.png")
    await context.close()
    return said


async def _sign_in(page: Page, url: str, login: str, password: str) -> None:
    await page.goto(f"{url}/login")
    await page.fill("#login", login)
    await page.fill("#password", password)
    await page.click(".sign-in button")
    await page.wait_for_url(lambda at: "/login" not in at)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
