"""Take the pictures of the person at the box anew: `scripts/edge_pictures.py`, nothing else need run.

Starts the simulated building and an agent of its own without a cloud, lets a fire break out, and
photographs the local page in both languages and the tools as they answer in a terminal.
"""

import html
import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
GATEHOUSE = ROOT / ".venv" / "bin" / "gatehouse"
FRAME = "FE FE FE FE 68 01 01 00 07 26 20 68 91 08 33 33 34 33 89 67 45 33 ED 16"

sys.path.insert(0, str(ROOT))
from simulator.simulation import free_port  # noqa: E402
from tests import services  # noqa: E402

_START_S, _SETTLE_S = 60, 12
_TERMINAL = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #12161e }}
pre {{ margin: 0; padding: 1.2rem 1.4rem; width: max-content; color: #e6e9ef;
  font: 14px/1.45 "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace }}
b {{ color: #4cc38a; font-weight: 600 }}
</style><pre><b>$ {command}</b>
{output}</pre>"""


def main() -> None:
    """Write docs/images/edge-*.png."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=services.find_chromium(), args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 1280, "height": 900}, device_scale_factor=1)
        control, page_port = free_port("127.0.0.1"), free_port("127.0.0.1")
        config = folder / "edge.toml"
        building = _started(
            *("simulate", "--control-port", str(control), "--mqtt-port", str(free_port("127.0.0.1"))),
            *("--write-edge-config", str(config), "--edge-page-port", str(page_port)),
        )
        agent: subprocess.Popen[bytes] | None = None
        try:
            _wait(f"http://127.0.0.1:{control}/ledger")
            _terminal(shown, "edge-scan", folder, "edge", "scan", "edge.toml", "meters-tcp", "--units", "1-3")
            agent = _started("edge", "--log-level", "error", "run", str(config))
            _wait(f"http://127.0.0.1:{page_port}/status.json")
            _break(control, "wm-104", "dead")
            time.sleep(_SETTLE_S)
            _break(control, "fire-2", "fire_alarm", zone=3)
            time.sleep(_SETTLE_S)
            for language in ("en", "zh"):
                shown.goto(f"http://127.0.0.1:{page_port}/?lang={language}")
                mark = "" if language == "en" else ".zh"
                shown.screenshot(path=IMAGES / f"edge-page{mark}.png")
                print(f"docs/images/edge-page{mark}.png")
            _terminal(shown, "edge-read", folder, "edge", "read", "edge.toml", "em-101", "lift-1")
            raw = "68 01 01 00 07 26 20 68 11 04 33 33 34 33 01 16"
            _terminal(shown, "edge-raw", folder, "edge", "raw", "edge.toml", "bus-1", raw)
            _terminal(shown, "edge-explain", folder, "edge", "explain", FRAME)
        finally:
            for process in (agent, building):
                if process is not None:
                    process.send_signal(signal.SIGINT)
                    process.wait(30)


def _started(*arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([GATEHOUSE, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL)


def _wait(url: str) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _break(control: int, device: str, kind: str, **more: int) -> None:
    body = json.dumps({"device": device, "kind": kind, **more}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{control}/faults", body, headers)
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


def _terminal(page: Page, name: str, folder: Path, *arguments: str) -> None:
    """Run a command in the folder and photograph it with its answer."""
    answer = subprocess.run(
        [GATEHOUSE, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    lines = (answer.stdout or answer.stderr).rstrip().splitlines()
    page.goto("about:blank")  # a page that renews itself would do so
    page.set_content(
        _TERMINAL.format(command=html.escape(_command(arguments)), output=html.escape("\n".join(lines)))
    )
    page.locator("pre").screenshot(path=IMAGES / f"{name}.png")
    print(f"docs/images/{name}.png ({answer.returncode})")


def _command(arguments: Sequence[str]) -> str:
    return "gatehouse " + " ".join(arguments)


if __name__ == "__main__":
    main()
