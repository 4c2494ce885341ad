"""The table of meters with where they hang."""

from decimal import Decimal

from cloud.domain.imports import cell
from cloud.domain.imports.kind import Column, Kind, Role
from cloud.domain.premises import Commodity

_COMMODITIES = {"电": "electricity", "水": "water", **{one.value: one.value for one in Commodity}}
# A register of ten digits before the point is beyond every meter's.
REGISTER_MAX = Decimal(9_999_999_999)


METERS = Kind(
    "meters",
    "表计",
    "Meters",
    "一行一块表：是什么表、装在哪里、从多少开始、谁按哪个价目缴费。换表请在表计页面办理。",
    "One meter a row: what it is, where it hangs, where it began, who pays by which tariff. Exchanging has a "
    "page of its own.",
    (
        Column(
            "serial",
            "表号",
            "Serial number",
            Role.KEY,
            cell.code,
            "表牌上的号码，设为文本",
            "As on its plate; keep the column as text",
            "202607000101",
        ),
        Column(
            "commodity",
            "类别",
            "Commodity",
            Role.FIXED,
            cell.choice(_COMMODITIES),
            "电或水",
            "electricity or water",
            "电",
            is_needed=True,
            choices=("电", "水"),
        ),
        Column(
            "model", "型号", "Model", Role.NEW_ONLY, cell.text, "可空", "May be empty", "DDZY", default=""
        ),
        Column(
            "space",
            "房号",
            "Flat",
            Role.FIXED,
            cell.code,
            "装在哪一套房",
            "Where it hangs",
            "1-101",
            is_needed=True,
        ),
        Column(
            "installed_on",
            "安装日期",
            "Installed on",
            Role.FIXED,
            cell.day,
            "从这一天零点起计量",
            "Measures from this day's midnight on",
            "2026-01-01",
            is_needed=True,
        ),
        Column(
            "opening",
            "起始读数",
            "First register",
            Role.FIXED,
            cell.decimal(4, REGISTER_MAX),
            "安装时的读数",
            "What it showed then",
            "0",
            is_needed=True,
        ),
        Column(
            "multiplier",
            "倍率",
            "Multiplier",
            Role.FIXED,
            cell.decimal(4, Decimal(10_000)),
            "互感器倍率，直通表为 1",
            "Of transformers; 1 without",
            "1",
            default=Decimal(1),
        ),
        Column(
            "digits",
            "整数位数",
            "Digits",
            Role.NEW_ONLY,
            cell.whole(3, 10),
            "小数点前几位，6 位即到 999999 归零",
            "Before the point; with 6 it starts anew after 999999",
            "6",
            default=6,
        ),
        Column(
            "account",
            "户号",
            "Account",
            Role.FIXED,
            cell.code,
            "由谁缴费，可空",
            "Who pays; may be empty",
            "A-00101",
        ),
        Column(
            "tariff",
            "价目",
            "Tariff",
            Role.FIXED,
            cell.code,
            "价目代码，如 cn-beijing-elec-res",
            "A tariff's code",
            "cn-beijing-elec-res",
        ),
    ),
)
