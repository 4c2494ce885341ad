"""From a contact to the console: how long until a manager's open page shows what happened in the building.

Everything is the real program in a process of its own: simulated building, edge, cloud, Chromium on the page
of alarms. The fire panel's contacts are polled over Modbus TCP four times a second. The time is from before
the contact changes until the browser has drawn the row: poll, rule, the edge's commit, its lane of events,
the cloud's commit, the stream of changes, the page's own request.

First with nothing else to do, then while other gateways drain a day of backlog into the same cloud. Ends with
1 if one alarm of 100 is later than a second.
"""

import asyncio
import random
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from playwright.async_api import Page, async_playwright

from bench.drain import MINUTES, send_all
from bench.ingest import history_bodies
from bench.measure import integer, row
from provisioning.enrol import enrol
from provisioning.enrolment import cloud_at
from provisioning.identity import Credential
from scripts.build_web import build
from tests.services import find_chromium
from tests.torture.rig import PASSWORD, Rig, running_rig
from tests.torture.test_commands import Technician

CONTACTS = 200
POLLED_EVERY_S = 0.25
P99_MS = 1_000.0
# Boxes that were away for a day: enough that the contacts are heard among them.
BACKLOGS = 20
_SITE = "DG"
_PANEL = "fire-1"
_TIMEOUT_MS = 60_000.0
_WIDTHS = (44, 10, 10, 10, 10, 12)

# Notes when a row of an alarm was first drawn: after the change, at the next frame.
_WATCH = """() => {
  window.drawn = {};
  const look = () => requestAnimationFrame(() => {
    for (const link of document.querySelectorAll('#alarms tbody a[href^="/alarms/"]'))
      window.drawn[link.getAttribute("href")] ??= Date.now();
  });
  look();
  new MutationObserver(look).observe(document.querySelector("#alarms"),
    { subtree: true, childList: true, attributes: true, characterData: true });
}"""
_IS_OVER = "() => document.querySelectorAll('#alarms tbody td.t-crit').length === 0"


def main(contacts: int = CONTACTS) -> int:
    """Run and print the table; return 1 if one alarm of 100 is late."""
    build()
    print(
        f"contact: from a fire panel's contact, polled every {POLLED_EVERY_S} s, to a drawn row in Chromium"
    )
    print(row("", "alarms", "p50 ms", "p99 ms", "worst ms", "rows/s aside", widths=_WIDTHS))
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder, running_rig(Path(folder)) as rig:
        config = rig.folder / "edge.toml"
        config.write_text(_polled_quickly(config.read_text()))
        rig.start("edge")
        Technician(rig).wait_until_online(rig.folder / "edge.log")
        boxes = _enrolled(rig)
        return asyncio.run(_measured(rig, boxes, contacts))


def _polled_quickly(text: str) -> str:
    """Return the configuration with the panel's contacts polled often enough."""
    device = re.compile(rf'(id = "{_PANEL}"\n(?:\w+ = .*\n)*?interval_s = )[\d.]+')
    changed, count = device.subn(rf"\g<1>{POLLED_EVERY_S}", text)
    assert count == 1, "the building's configuration has one fire panel that is polled"
    return changed


def _enrolled(rig: Rig) -> list[Credential]:
    cloud = cloud_at(f"http://127.0.0.1:{rig.cloud_port}", allow_plain_http=True)
    session = cloud.sign_in("manager", PASSWORD)
    names = [f"away-{number}" for number in range(BACKLOGS)]
    tokens = {name: session.create_slot(_SITE, name, name) for name in names}
    return [enrol(tokens[name], rig.folder / f"{name}.json", time.time_ns() // 1_000_000) for name in names]


async def _measured(rig: Rig, boxes: list[Credential], contacts: int) -> int:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = await browser.new_page()
        page.set_default_timeout(_TIMEOUT_MS)
        await _open_alarms(page, f"http://127.0.0.1:{rig.cloud_port}")
        idle = await _told(rig, page, lambda number: number < contacts)
        is_late = _show("nothing else to do", idle, 0)
        bodies = [history_bodies(number, _day_ago_ms(), MINUTES) for number in range(len(boxes))]
        began_s = time.perf_counter()
        draining = asyncio.ensure_future(_drain(boxes, bodies))
        beside = await _told(rig, page, lambda number: number < contacts and not draining.done())
        over_s = time.perf_counter() - began_s
        await draining
        rows = len(boxes) * MINUTES * 200 / max(over_s, time.perf_counter() - began_s)
        is_late |= _show(f"{BACKLOGS} gateways drain a day", beside, rows)
        await browser.close()
    return 1 if is_late else 0


async def _open_alarms(page: Page, url: str) -> None:
    await page.goto(f"{url}/login")
    await page.fill("#login", "manager")
    await page.fill("#password", PASSWORD)
    await page.click(".sign-in button")
    await page.wait_for_url(lambda at: "/login" not in at)
    await page.goto(f"{url}/alarms")
    await page.evaluate(_WATCH)


async def _told(rig: Rig, page: Page, goes_on: Callable[[int], bool]) -> list[float]:
    """Let the panel alarm and fall silent, again and again; return how long each alarm took to be drawn."""
    ways_ms: list[float] = []
    number = 0
    while goes_on(number):
        # Anywhere in the period of the polls.
        await asyncio.sleep(random.uniform(0.2, 0.2 + 2 * POLLED_EVERY_S))
        before: dict[str, float] = await page.evaluate("() => window.drawn")
        began_ms = time.time() * 1000
        fault = await _asked(rig, "POST", "/faults", {"device": _PANEL, "kind": "fire_alarm"})
        # The panel as a whole and its zone: two alarms.
        await page.wait_for_function(
            "count => Object.keys(window.drawn).length >= count", arg=len(before) + 2
        )
        drawn: dict[str, float] = await page.evaluate("() => window.drawn")
        ways_ms += [at_ms - began_ms for href, at_ms in drawn.items() if href not in before]
        await _asked(rig, "DELETE", f"/faults/{fault['id']}")
        await page.wait_for_function(_IS_OVER)
        number += 1
    return sorted(ways_ms)


def _asked(rig: Rig, method: str, path: str, body: object = None) -> Awaitable[dict[str, object]]:
    return asyncio.to_thread(rig.ask_simulator, method, path, body)


async def _drain(boxes: list[Credential], bodies: list[list[bytes]]) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await send_all(session, boxes, bodies, len(boxes))


def _day_ago_ms() -> int:
    return int(time.time() * 1000) - MINUTES * 60_000


def _show(title: str, ways_ms: list[float], rows_a_second: float) -> bool:
    """Print a line; tell whether one of 100 is late."""
    p50, p99 = (ways_ms[int(len(ways_ms) * share)] for share in (0.5, 0.99))
    cells = (len(ways_ms), f"{p50:.0f}", f"{p99:.0f}", f"{ways_ms[-1]:.0f}", integer(rows_a_second))
    print(row(title, *cells, widths=_WIDTHS), flush=True)
    return p99 > P99_MS


if __name__ == "__main__":
    sys.exit(main())
