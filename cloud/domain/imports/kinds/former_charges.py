"""The table of what the system before charged: for the parallel run, and for nothing else."""

from decimal import Decimal

from cloud.domain.imports import cell
from cloud.domain.imports.kind import Column, Kind, Role

_CHARGES = {
    "电费": "electricity",
    "水费": "water",
    "燃气费": "gas",
    "采暖费": "heat",
    "热水费": "hot_water",
    "停车费": "parking",
    "物业费": "property",
    "垃圾费": "refuse",
    "污水处理费": "sewage",
}

FORMER_CHARGES = Kind(
    "former_charges",
    "原系统账单",
    "Charges of the system before",
    "一行一笔：原系统某月向某户收了什么、多少。只用于并行核对，不入账。",
    "One charge a row: what the system before asked of an account for a month. For the parallel run only; "
    "nothing of it is booked.",
    (
        Column(
            "account",
            "户号",
            "Account",
            Role.KEY,
            cell.code,
            "已在“户”中的户号",
            "An account that is known",
            "A-00101",
        ),
        Column(
            "month",
            "账期",
            "Month",
            Role.KEY,
            cell.month,
            "账单所属的月份",
            "The month it is for",
            "2026-09",
        ),
        Column(
            "charge",
            "项目",
            "Charge",
            Role.KEY,
            cell.choice({**_CHARGES, **{code: code for code in _CHARGES.values()}}),
            "同一项目有多行的请先合计",
            "Add up several lines of one charge first",
            "电费",
            choices=tuple(_CHARGES),
        ),
        Column(
            "amount",
            "金额（元）",
            "Amount (¥)",
            Role.FREE,
            cell.decimal(2, Decimal(10_000_000)),
            "最多两位小数",
            "Two decimals at most",
            "97.66",
            is_needed=True,
        ),
        Column(
            "quantity",
            "用量",
            "Usage",
            Role.FREE,
            cell.decimal(4, Decimal(100_000_000)),
            "度或方，可空；填了才能区分用量与单价的差异",
            "May be empty; with it a difference of usage is told from one of price",
            "200",
        ),
    ),
)
