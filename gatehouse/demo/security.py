"""The guards of the demonstration: who is on duty, what is walked past at night, carried out, not let in.

Told through the API by the manager and a resident, once, when the property is new.
"""

from datetime import UTC, datetime, timedelta

import msgspec

from gatehouse.demo.cloud_api import CloudApi
from simulator.__main__ import DEMO_PASSWORD

_DAY_MS = 24 * 3_600_000
_SHANGHAI = timedelta(hours=8)
_GUARDS = (("zhang", "张强"), ("wu", "吴磊"))
_DAY, _NIGHT, _ALWAYS = (480, 1200), (1200, 480), (0, 0)


class _User(msgspec.Struct):
    user_id: str
    login: str = ""


class _Post(msgspec.Struct):
    post_id: str


class _Me(msgspec.Struct):
    account_ids: list[str]


class _Slip(msgspec.Struct):
    slip_id: str


def fill_security(office: CloudApi, port: int, site_id: str, now_ms: int) -> None:
    """Have posts held in turn and one turn swapped, a route walked, goods carried out, somebody barred."""
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

    _walk(office, site_id)
    home = CloudApi(port)
    home.sign_in("101", DEMO_PASSWORD)
    _carry_out(office, home, now_ms)
    barring = {"name": "刘某", "plate": "京B88888", "reason": "冒充燃气检查入户推销"}
    office.post(f"/api/v1/sites/{site_id}/barrings", barring, msgspec.Raw)


def _walk(office: CloudApi, site_id: str) -> None:
    route = {
        "name": "夜间巡更",
        "starts": [22 * 60, 2 * 60],
        "minutes": 60,
        "checkpoints": [{"name": name} for name in ("大门", "泵房", "地下车库", "1 号楼天台")],
    }
    office.post(f"/api/v1/sites/{site_id}/patrol_routes", route, msgspec.Raw)


def _carry_out(office: CloudApi, home: CloudApi, now_ms: int) -> None:
    """Have a washing machine approved, and furniture waiting for the office."""
    [account_id, *_] = home.get("/api/v1/me", _Me).account_ids
    path = f"/api/v1/accounts/{account_id}/goods_slips"
    washer = {"items": [{"name": "旧洗衣机"}], "from_ms": now_ms, "until_ms": now_ms + _DAY_MS}
    asked = home.post(path, washer, _Slip)
    decision = f"/api/v1/goods_slips/{asked.slip_id}/decision"
    office.post(decision, {"is_approved": True}, msgspec.Raw)
    furniture = {
        "items": [{"name": "沙发"}, {"name": "餐椅", "count": 4}],
        "from_ms": now_ms,
        "until_ms": now_ms + 2 * _DAY_MS,
        "note": "李师傅，京A66118 厢货",
    }
    home.post(path, furniture, _Slip)
