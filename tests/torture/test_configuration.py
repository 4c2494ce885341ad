"""A configuration sent to a real gateway over the real link: it stays, goes back, survives kill -9."""

import json
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.torture.rig import GATEWAY, PASSWORD, Rig, running_rig

_PATIENCE_S = 120.0


class Office:
    """Somebody at the API."""

    def __init__(self, rig: Rig) -> None:
        self._base = f"http://127.0.0.1:{rig.cloud_port}/api/v1"
        self._token = ""
        self._token = self.ask("POST", "/sessions", {"login": "manager", "password": PASSWORD})["token"]
        [box] = self.ask("GET", "/gateways")["items"]
        assert box["code"] == GATEWAY
        self.of = f"/gateways/{box['gateway_id']}/configurations"

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        request.add_header("Idempotency-Key", str(uuid.uuid4()))
        with urllib.request.urlopen(request, timeout=20) as answer:
            found: dict[str, Any] = json.loads(answer.read() or b"{}")
            return found

    def newest(self) -> dict[str, Any] | None:
        items = self.ask("GET", self.of)["items"]
        return items[0] if items else None

    def text_of(self, one: dict[str, Any]) -> str:
        return str(self.ask("GET", f"/configurations/{one['configuration_id']}")["text"])

    def send(self, text: str, watch_s: int) -> str:
        drafted = self.ask("POST", self.of, {"text": text, "note": "试一试"})
        path = f"/configurations/{drafted['configuration_id']}"
        self.ask("POST", f"{path}/send", {"watch_s": watch_s})
        return path

    def until(self, path: str, state: str) -> dict[str, Any]:
        return until(lambda: self._in_state(path, state))

    def _in_state(self, path: str, state: str) -> dict[str, Any] | None:
        found: dict[str, Any] = self.ask("GET", path)
        return found if state in [step["state"] for step in found["steps"]] else None


def until(find: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if (found := find()) is not None:
            return found
        time.sleep(0.2)
    raise AssertionError("it did not come to that")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running_rig(tmp_path) as found:
        yield found


def test_a_real_gateway_takes_a_configuration_and_goes_back_from_a_wrong_one(rig: Rig) -> None:
    office = Office(rig)
    rig.start("edge")
    own = until(office.newest)
    text = office.text_of(own)
    assert (own["number"], own["state"], text) == (1, "found", (rig.folder / "edge.toml").read_text())

    good = text.replace("interval_s = 2\n", "interval_s = 3\n", 1)
    path = office.send(good, watch_s=5)
    states = [step["state"] for step in office.until(path, "healthy")["steps"]]
    assert states == ["draft", "sent", "staged", "applied", "healthy"]

    rig.kill("edge")
    (rig.folder / "edge.log").write_bytes(b"")
    rig.start("edge")
    meter = good.index("202607000101")
    wrong = good[:meter] + "202607009999" + good[meter + 12 :]
    path = office.send(wrong, watch_s=30)
    office.until(path, "applied")
    rig.kill("edge")  # the trial goes on with the next start
    rig.start("edge")
    told = office.until(path, "rolled_back")["configuration"]["reasons"]

    assert told == ["em-101 answered before and does not answer now"]
    held = until(lambda: office.ask("GET", "/gateways")["items"][0]["health"])
    assert held["devices_online"] > 0


def test_a_configuration_is_carried_by_hand_to_a_box_that_cannot_reach_the_cloud(rig: Rig) -> None:
    office = Office(rig)
    rig.start("edge")
    text = office.text_of(until(office.newest))
    rig.kill("edge")
    path = office.send(text.replace("interval_s = 2\n", "interval_s = 3\n", 1), watch_s=5)
    carried = str(rig.folder / "gw-1.bundle")
    cloud = ["--cloud", f"http://127.0.0.1:{rig.cloud_port}", "--login", "manager"]
    rig.run("provision", "bundle", *cloud, "--gateway", GATEWAY, "--output", carried)
    rig.stop("cloud")

    rig.run("edge", "configure", str(rig.folder / "edge.toml"), carried)
    rig.start("edge")
    state = rig.folder / "configuration" / "state.json"
    until(lambda: {"is": "there"} if state.exists() else None)
    until(lambda: found if (found := json.loads(state.read_text()))["running"] == 2 else None)
    rig.start("cloud")
    rig.wait_for_cloud()

    assert [step["state"] for step in office.until(path, "healthy")["steps"]][-1] == "healthy"
