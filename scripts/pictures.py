"""Take every picture of the README and the guides anew: `make pictures`.

Starts a demonstration of its own, causes a fire and a leak for what shows alarms, and walks through PICTURES
in both languages; the Chinese one of NAME.png is NAME.zh.png. What the guides tell is so what a reader sees.
"""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
PORT = 8088
URL = f"http://127.0.0.1:{PORT}"
PASSWORD = "gatehouse-demo"  # noqa: S105 - printed by the demonstration itself
GATEHOUSE = (sys.executable, "-m", "gatehouse")
LANGUAGES = {"en": "", "zh-CN": ".zh"}  # and what is added to a file's name
DESK, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=390, height=780)

sys.path.insert(0, str(ROOT))
from tests import services  # noqa: E402


@dataclass(frozen=True, slots=True)
class Picture:
    """One page as somebody sees it: who signed in, where they went, what they clicked from there."""

    name: str
    login: str
    path: str
    clicks: tuple[str, ...] = ()
    is_phone: bool = False


PICTURES = (
    Picture("overview", "manager", "/"),
    Picture(
        "trace", "manager", "/invoices", ("main a[href^='/invoices/']", "main a[href$='/lines/1/trace']")
    ),
    Picture("manager-alarms", "manager", "/alarms"),
    Picture("manager-bill-run", "manager", "/billing"),
    Picture("manager-account", "manager", "/accounts", ("main a[href^='/accounts/']",)),
    Picture("manager-premises", "manager", "/premises"),
    Picture("manager-repairs", "manager", "/repairs"),
    Picture("technician-jobs", "liu", "/jobs", is_phone=True),
    Picture("technician-job", "liu", "/jobs", ("main a[href^='/jobs/']",), is_phone=True),
    Picture("resident-home", "101", "/home", is_phone=True),
    Picture("resident-bill", "101", "/home", ("main a[href^='/home/bills/']",), is_phone=True),
    Picture("resident-repair", "101", "/home/repairs/new", is_phone=True),
)


def main(only: str = "") -> None:
    """Write docs/images/*.png; `only` takes those whose names begin with it."""
    IMAGES.mkdir(exist_ok=True)
    chosen = [picture for picture in PICTURES if picture.name.startswith(only)]
    with running_demonstration() as control_url, sync_playwright() as playwright:
        for fault in (["fire-1", "fire_alarm", "--zone", "3"], ["leak-1", "leak"]):
            subprocess.run([*GATEHOUSE, "simulate", "fault", "--control", control_url, *fault], check=True)
        browser = playwright.chromium.launch(executable_path=services.find_chromium(), args=["--no-sandbox"])
        for login, is_phone in sorted({(one.login, one.is_phone) for one in chosen}):
            page = _signed_in(browser, login, is_phone=is_phone)
            for picture in chosen:
                if (picture.login, picture.is_phone) == (login, is_phone):
                    _take(page, picture)


@contextmanager
def running_demonstration() -> Iterator[str]:
    """Run one in a folder of its own until the block ends; give the address of the building's own page."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*GATEHOUSE, "demo", "--fresh", "--dir", folder, "--port", str(PORT)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stdout is not None
        try:
            for line in process.stdout:
                print(line, end="", flush=True)
                if "The building, with its faults" in line:
                    yield line.split()[-1]
                    return
            raise SystemExit("the demonstration ended before it was ready; what it said is above")
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


def _signed_in(browser: Browser, login: str, *, is_phone: bool) -> Page:
    # A phone's pixels are half as large: its pictures would be blurred without.
    page = browser.new_page(
        viewport=PHONE if is_phone else DESK, is_mobile=is_phone, device_scale_factor=2 if is_phone else 1
    )
    page.goto(f"{URL}/login")
    page.fill("input[name=login]", login)
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    return page


def _take(page: Page, picture: Picture) -> None:
    page.goto(URL + picture.path)
    for selector in picture.clicks:
        page.click(selector)
        page.wait_for_load_state()
    for language, mark in LANGUAGES.items():
        page.context.add_cookies([{"name": "gatehouse_language", "value": language, "url": URL}])
        page.reload()
        page.wait_for_timeout(2_000)  # live values have moved in and nothing is fading any more
        page.screenshot(path=IMAGES / f"{picture.name}{mark}.png")
        print(f"docs/images/{picture.name}{mark}.png", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
