"""The guards of the demonstration: who is on duty.

Told through the API by the manager, once, when the property is new.
"""

from datetime import UTC, datetime, timedelta

import msgspec

from gatehouse.demo.cloud_api import CloudApi
from simulator.__main__ import DEMO_PASSWORD

_SHANGHAI = timedelta(hours=8)
_GUARDS = (("zhang", "张强"), ("wu", "吴磊"))
_DAY, _NIGHT, _ALWAYS = (480, 1200), (1200, 480), (0, 0)


class _User(msgspec.Struct):
    user_id: str
    login: str = ""


def fill_security(office: CloudApi, site_id: str, now_ms: int) -> None:
    """Have three posts held in turn, and tomorrow's manager on call swapped."""
    known = {one.login: one.user_id for one in office.pages("/api/v1/users", _User)}
    for login, name in _GUARDS:
        guard = {"login": login, "display_name": name, "role": "guard", "password": DEMO_PASSWORD}
        known[login] = office.post("/api/v1/users", guard, _User).user_id
    today = (datetime.fromtimestamp(now_ms / 1000, UTC) + _SHANGHAI).date()
    monday = today - timedelta(days=today.weekday())
    for name, circle, (begins, ends), turn_days, logins in (
        ("门岗 · 白班", 1, _DAY, 7, ("zhang", "wu")),
        ("门岗 · 夜班", 1, _NIGHT, 7, ("wu", "zhang")),
        ("值班经理", 2, _ALWAYS, 1, ("manager", "he")),
    ):
        post = {
            "name": name,
            "circle": circle,
            "from_minute": begins,
            "to_minute": ends,
            "turn_days": turn_days,
            "starts_on": monday.isoformat(),
            "rota": [known[login] for login in logins],
        }
        added = office.post(f"/api/v1/sites/{site_id}/duty_posts", post, _Post)
    tomorrow = today + timedelta(days=1)
    holder = ("manager", "he")[(tomorrow - monday).days % 2]
    other = "he" if holder == "manager" else "manager"
    swap = {"on": tomorrow.isoformat(), "user_id": known[other], "reason": "去市里开会"}
    office.post(f"/api/v1/duty_posts/{added.post_id}/swaps", swap, msgspec.Raw)


class _Post(msgspec.Struct):
    post_id: str
