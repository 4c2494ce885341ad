"""The table of nearby services."""

from cloud.domain.imports import cell
from cloud.domain.imports.kind import Column, Kind, Role
from cloud.domain.nearby import POSITION_MAX, NearbyCategory

_CATEGORIES = {
    "医院": "hospital",
    "药店": "pharmacy",
    "派出所": "police",
    "超市": "supermarket",
    "维修": "repair",
    "快递": "courier",
    "学校": "school",
    "其他": "other",
}

NEARBY = Kind(
    "nearby_services",
    "周边服务",
    "Nearby services",
    "一行一处：小区周边的药店、学校、开锁等，住户在手机上看到并可直接拨打。",
    "One entry a row of the directory residents see: the pharmacy, the school, who mends locks.",
    (
        Column("name", "名称", "Name", Role.KEY, cell.text, "招牌上的名称", "As on its sign", "仁和药店"),
        Column(
            "category",
            "类别",
            "Category",
            Role.FREE,
            cell.choice({**_CATEGORIES, **{one.value: one.value for one in NearbyCategory}}),
            "从列表中选择",
            "One of the list",
            "药店",
            is_needed=True,
            choices=tuple(_CATEGORIES),
        ),
        Column(
            "phone",
            "电话",
            "Telephone",
            Role.FREE,
            cell.code,
            "设为文本；电话和地址至少填一项",
            "Keep the column as text; a number or an address is needed",
            "0769 2212 3456",
        ),
        Column("address", "地址", "Address", Role.FREE, cell.text, "可空", "May be empty", "示范路 12 号"),
        Column("hours", "营业时间", "Hours", Role.FREE, cell.text, "可空", "May be empty", "8:00–22:00"),
        Column("note", "说明", "Note", Role.FREE, cell.text, "可空", "May be empty", "可刷医保卡", width=24),
        Column(
            "position",
            "排序",
            "Position",
            Role.FREE,
            cell.whole(0, POSITION_MAX),
            "小的在前，可空",
            "Smaller ones come first; may be empty",
            "1",
        ),
    ),
)
