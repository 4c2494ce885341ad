"""The table of equipment."""

from decimal import Decimal

from cloud.domain.equipment import PRICE_FEN_MAX, EquipmentKind
from cloud.domain.imports import cell
from cloud.domain.imports.kind import Column, Kind, Role

_KINDS = {
    "门禁": "access_control",
    "摄像机": "camera",
    "自动扶梯": "escalator",
    "火灾报警主机": "fire_panel",
    "发电机": "generator",
    "电梯": "lift",
    "仪表": "meter",
    "供配电": "power_supply",
    "水泵": "pump",
    "传感器": "sensor",
    "车辆道闸": "vehicle_gate",
    "通风空调": "ventilation",
    "其他": "other",
}

EQUIPMENT = Kind(
    "equipment",
    "设备台账",
    "Equipment",
    "一行一台设备：是什么、在哪里、何时购置、质保到哪天。维保计划在设备页面办理。",
    "One piece a row: what it is, where it stands, how it came. Plans are made on its page.",
    (
        Column(
            "code",
            "设备编号",
            "Code",
            Role.KEY,
            cell.code,
            "全小区唯一，印在标签上",
            "Unique on the site, printed on its label",
            "lift-4",
        ),
        Column(
            "name",
            "设备名称",
            "Name",
            Role.FREE,
            cell.text,
            "现场怎么叫",
            "As people call it",
            "4 号电梯",
            is_needed=True,
        ),
        Column(
            "kind",
            "设备类别",
            "Kind",
            Role.FREE,
            cell.choice({**_KINDS, **{one.value: one.value for one in EquipmentKind}}),
            "从列表中选择",
            "One of the list",
            "电梯",
            is_needed=True,
            choices=tuple(_KINDS),
        ),
        Column(
            "building",
            "楼栋",
            "Building",
            Role.FREE,
            cell.code,
            "已在“房产”中的楼栋，可空",
            "A building that is known; may be empty",
            "1",
        ),
        Column(
            "space",
            "公共部位",
            "Common part",
            Role.FREE,
            cell.code,
            "已在“房产”中的编号，可空",
            "A space that is known; may be empty",
            "1-机房",
        ),
        Column(
            "place", "具体位置", "Where exactly", Role.FREE, cell.text, "可空", "May be empty", "屋顶机房"
        ),
        Column("brand", "品牌", "Brand", Role.FREE, cell.text, "可空", "May be empty", "三菱"),
        Column("model", "型号", "Model", Role.FREE, cell.text, "可空", "May be empty", "LEHY-III"),
        Column(
            "serial_number",
            "出厂编号",
            "Serial number",
            Role.FREE,
            cell.code,
            "设为文本，可空",
            "Keep the column as text; may be empty",
            "3110-2023-407",
        ),
        Column(
            "supplier",
            "供应商",
            "Supplier",
            Role.FREE,
            cell.text,
            "可空",
            "May be empty",
            "三菱电梯北京分公司",
        ),
        Column(
            "purchased_on", "购置日期", "Bought on", Role.FREE, cell.day, "可空", "May be empty", "2023-09-01"
        ),
        Column(
            "price",
            "价格（元）",
            "Price (CNY)",
            Role.FREE,
            cell.decimal(2, Decimal(PRICE_FEN_MAX) / 100),
            "最多两位小数，可空",
            "Two decimals at most; may be empty",
            "312000.00",
        ),
        Column(
            "warranty_until_on",
            "质保到",
            "Warranty until",
            Role.FREE,
            cell.day,
            "最后一天，可空",
            "The last day; may be empty",
            "2028-08-30",
        ),
        Column(
            "retired_on",
            "报废日期",
            "Retired on",
            Role.FREE,
            cell.day,
            "报废后计划终止，可空",
            "Ends its plans; may be empty",
            "",
        ),
    ),
)
