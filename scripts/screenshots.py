"""Take the pictures of the README anew from a running demo: `scripts/screenshots.py URL CONTROL_URL`.

Both addresses are printed by `make demo`. A fire and a leak are caused for the overview, and put right
afterwards; the trace is that of the newest invoice's first line.
"""

import json
import sys
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
LANGUAGES = {"English": "", "中文": ".zh"}  # the switch's words, and what is added to a file's name

sys.path.insert(0, str(ROOT))
from tests import services  # noqa: E402


def main(url: str, control_url: str) -> None:
    """Write docs/images/*.png."""
    IMAGES.mkdir(exist_ok=True)
    faults = [
        _ask(control_url, "POST", "/faults", {"device": "fire-1", "kind": "fire_alarm", "zone": 3}),
        _ask(control_url, "POST", "/faults", {"device": "leak-1", "kind": "leak"}),
    ]
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=services.find_chromium(), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            _sign_in(page, url)
            for word, mark in LANGUAGES.items():
                _picture(page, url, word, f"overview{mark}")
            page.goto(f"{url}/invoices")
            page.click("main a[href^='/invoices/']")
            page.click("main a[href$='/lines/1/trace']")
            trace = page.url
            for word, mark in LANGUAGES.items():
                _picture(page, trace, word, f"trace{mark}")
    finally:
        for fault in faults:
            _ask(control_url, "DELETE", f"/faults/{fault['id']}")


def _sign_in(page: Page, url: str) -> None:
    page.goto(f"{url}/login")
    page.fill("input[name=login]", "manager")
    page.fill("input[name=password]", "gatehouse-demo")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/")


def _picture(page: Page, url: str, word: str, name: str) -> None:
    page.goto(url)
    switch = page.get_by_text(word, exact=True)
    if switch.count():  # else the page is in that language already
        switch.first.click()
        page.wait_for_load_state()
    page.wait_for_timeout(2_000)  # live values have moved in and nothing is fading any more
    page.screenshot(path=IMAGES / f"{name}.png")
    print(f"docs/images/{name}.png")


def _ask(control_url: str, method: str, path: str, body: object = None) -> dict[str, object]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(control_url.rstrip("/") + path, data, headers, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        document: dict[str, object] = json.load(answer)
    return document


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"), sys.argv[2])
