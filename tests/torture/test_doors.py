"""A code typed at a door opens it with the cloud killed; the log has it when the cloud is back."""

import time
from pathlib import Path
from typing import Any

from edge.grants import FOLDER
from tests.torture.rig import Rig, running_rig
from tests.torture.test_configuration import Office, until

# A code that comes right after the connection may have waited at the broker.
_CONNECTED_FOR_S = 3.0


class Porter(Office):
    """Somebody who makes the lock an entrance and gives out codes."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig)
        gateway_id = self.of.split("/")[2]
        [site] = self.ask("GET", "/sites")["items"]
        self.site = f"/sites/{site['site_id']}"
        wish = {"gateway_id": gateway_id, "name": "单元门", "device_code": "lock-1"}
        entrance = self.ask("POST", f"{self.site}/entrances", wish)
        group = {"name": "保洁", "covers": "chosen", "entrance_ids": [entrance["entrance_id"]]}
        self.group_id = self.ask("POST", f"{self.site}/access_groups", group)["group_id"]

    def code_for(self, label: str) -> dict[str, Any]:
        wish = {"kind": "code", "label": label, "group_ids": [self.group_id]}
        return self.ask("POST", f"{self.site}/badges", wish)

    def passages(self) -> list[dict[str, Any]]:
        return list(self.ask("GET", f"{self.site}/passages")["items"])


def test_a_code_opens_the_door_with_the_cloud_killed_and_a_lost_one_never(tmp_path: Path) -> None:
    with running_rig(tmp_path) as rig:
        porter = Porter(rig)
        good, lost = porter.code_for("李阿姨"), porter.code_for("走丢的")
        porter.ask("POST", f"/badges/{lost['badge_id']}/loss")
        rig.start("edge")
        until(lambda: {} if (rig.folder / FOLDER / "grants.sealed").exists() else None)
        time.sleep(_CONNECTED_FOR_S)
        rig.kill("cloud")
        killed_at_ms = int(time.time() * 1000)
        for code in (lost["code"], "00000000", good["code"]):
            rig.ask_simulator("POST", "/events", {"device": "lock-1", "action": "disarm", "code": code})
        time.sleep(_CONNECTED_FOR_S)
        down_until_ms = int(time.time() * 1000)
        rig.start("cloud")
        rig.wait_for_cloud()
        porter = _again(rig, porter)
        told = until(lambda: _all_three(porter))["passages"]

    assert [(one["who"], one["outcome"], one["reason"]) for one in told] == [
        ("李阿姨", "granted", "granted"),
        ("", "denied", "unknown"),
        ("走丢的", "denied", "blocked"),
    ]
    assert all(killed_at_ms <= one["occurred_at_ms"] <= down_until_ms for one in told)


def _all_three(porter: Porter) -> dict[str, Any] | None:
    found = porter.passages()
    return {"passages": found} if len(found) >= 3 else None


def _again(rig: Rig, porter: Porter) -> Porter:
    """Return the same person, signed in anew."""
    again = object.__new__(Porter)
    Office.__init__(again, rig)
    again.site = porter.site
    return again
