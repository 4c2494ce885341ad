"""What a property's books say of its equipment: how each piece came, and those that stand on no wire.

The invariant: purchases and warranties hang on the day the site is written, so that on any day some
warranties hold and some are over.
"""

from datetime import date, timedelta
from typing import Any

# Code: maker, supplier, price in yuan, bought so many days ago, warranty in years, where exactly.
_BOUGHT: dict[str, tuple[str, str, int, int, int, str]] = {
    "access-1": ("海康威视", "京安安防工程有限公司", 4_860, 700, 2, "单元门内侧"),
    "fire-1": ("海湾", "京消智能消防设备有限公司", 86_500, 1_180, 3, "一层消防控制室"),
    "leak-1": ("小蚁", "京安安防工程有限公司", 168, 400, 1, "泵房集水坑旁"),
    "lift-1": ("三菱", "上海三菱电梯北京分公司", 312_000, 1_180, 5, "机房在屋顶"),
    "lift-b2": ("日立", "日立电梯北京分公司", 298_000, 2_700, 5, "机房在屋顶"),
    "lift-b3": ("日立", "日立电梯北京分公司", 305_000, 1_150, 5, "机房在屋顶"),
    "lock-1": ("凯迪仕", "京安安防工程有限公司", 1_280, 620, 2, "单元大门"),
    "pump-1": ("南方泵业", "京水设备有限公司", 47_800, 1_180, 3, "地下一层生活泵房"),
}

# Code, kind, name, model, building, supplier, maker, price, days ago, warranty, where, and one plan:
# its title, what it follows, every so many days, looked after so many days ago, by whom.
_UNWIRED: tuple[tuple[Any, ...], ...] = (
    (
        "gen-1",
        "generator",
        "应急柴油发电机",
        "GF2-120",
        "2",
        "京电动力设备有限公司",
        "玉柴",
        128_000,
        2_600,
        2,
        "地下一层发电机房",
        ("month", "月度试车", "GB/T 2820.12", 30, 24, "京电动力 韩工"),
    ),
    (
        "power-1",
        "power_supply",
        "低压配电柜组",
        "GGD-0.4",
        "2",
        "京电成套开关有限公司",
        "正泰",
        196_000,
        2_690,
        3,
        "地下一层配电室",
        ("half-year", "停电检修与预防性试验", "DL/T 596-2021", 182, 150, "京电成套 邵工"),
    ),
    (
        "fan-b3",
        "ventilation",
        "车库排风兼排烟风机",
        "HTF-I-9",
        "3",
        "京风环境设备有限公司",
        "德通",
        18_600,
        1_150,
        2,
        "地下一层风机房",
        ("quarter", "季度保养", "产品说明书", 91, 40, "李工"),
    ),
    (
        "gate-1",
        "vehicle_gate",
        "东门车辆道闸",
        "DS-TMG520",
        None,
        "京安安防工程有限公司",
        "海康威视",
        15_900,
        640,
        2,
        "东门岗亭",
        ("quarter", "季度保养", "产品说明书", 91, 88, "李工"),
    ),
    (
        "cam-1",
        "camera",
        "东门出入口摄像机",
        "DS-2CD3T46",
        None,
        "京安安防工程有限公司",
        "海康威视",
        1_150,
        640,
        2,
        "东门岗亭立杆",
        None,
    ),
    (
        "pump-old",
        "pump",
        "旧消防稳压泵",
        "XBD3.2/1W",
        "2",
        "京水设备有限公司",
        "上海凯泉",
        9_800,
        2_700,
        1,
        "2 号楼屋顶水箱间",
        None,
    ),
)


def bought(code: str, today: date) -> dict[str, Any]:
    """Return what the books say of how a piece of equipment came; nothing for one they do not have."""
    if code not in _BOUGHT:
        return {}
    brand, supplier, price_yuan, days_ago, years, place = _BOUGHT[code]
    return {"brand": brand, "place": place, **_purchase(supplier, price_yuan, days_ago, years, today)}


def unwired(today: date) -> list[dict[str, Any]]:
    """Return the equipment no line leads to, each with the plan the books have of it."""
    return [_item(row, today) for row in _UNWIRED]


def _item(row: tuple[Any, ...], today: date) -> dict[str, Any]:
    code, kind, name, model, building, supplier, brand, price_yuan, days_ago, years, place, plan = row
    return {
        "code": code,
        "kind": kind,
        "name": name,
        "building": building,
        "brand": brand,
        "model": model,
        "serial_number": f"{model[:3]}{today.year - days_ago // 365}{price_yuan % 9973:04d}",
        "place": place,
        **_purchase(supplier, price_yuan, days_ago, years, today),
        "plans": [] if plan is None else [_plan(plan, today)],
    }


def _purchase(supplier: str, price_yuan: int, days_ago: int, years: int, today: date) -> dict[str, Any]:
    on = today - timedelta(days=days_ago)
    return {
        "supplier": supplier,
        "purchased_on": on.isoformat(),
        "price_fen": price_yuan * 100,
        "warranty_until_on": (on + timedelta(days=365 * years)).isoformat(),
    }


def _plan(plan: tuple[str, str, str, int, int, str], today: date) -> dict[str, Any]:
    code, title, basis, interval_days, last_days_ago, signed_by = plan
    visits = [today - timedelta(days=last_days_ago + interval_days), today - timedelta(days=last_days_ago)]
    midnight = date(1970, 1, 1)
    return {
        "code": code,
        "title": title,
        "basis": basis,
        "interval_days": interval_days,
        "lead_days": 5 if interval_days < 31 else 10,
        "starts_on": (visits[0] - timedelta(days=interval_days)).isoformat(),
        # Ten in the morning there is two in the morning UTC.
        "completions": [
            {"completed_at_ms": ((visit - midnight).days * 24 + 2) * 3_600_000, "signed_by": signed_by}
            for visit in visits
        ],
    }
