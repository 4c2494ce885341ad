"""The table of what was used since the ladder year began and billed by the system before."""

from decimal import Decimal

from cloud.domain.imports import cell
from cloud.domain.imports.kind import Column, Kind, Role
from cloud.domain.premises import Commodity

_COMMODITIES = {"电": "electricity", "水": "water", **{one.value: one.value for one in Commodity}}

OPENING_USAGE = Kind(
    "opening_usage",
    "年度累计用量",
    "Usage of the ladder year so far",
    "一行一户一种：本阶梯年度内已由原系统出账的用量。阶梯从这里接着累计，不再收费。",
    "One account and commodity a row: what the system before has billed since the ladder year began. Ladders "
    "go on from there; nothing of it is charged again.",
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
            "commodity",
            "类别",
            "Commodity",
            Role.KEY,
            cell.choice(_COMMODITIES),
            "电或水",
            "electricity or water",
            "电",
            choices=("电", "水"),
        ),
        Column(
            "from_on",
            "起始日",
            "From",
            Role.FIXED,
            cell.day,
            "阶梯年度的第一天；年内迁入的填迁入日",
            "The first day of the ladder year, or of the account if that is later",
            "2026-01-01",
            is_needed=True,
        ),
        Column(
            "until_on",
            "截止日",
            "Until",
            Role.FIXED,
            cell.day,
            "原系统最后出账的那一天（含）",
            "The last day the system before has billed, inclusive",
            "2026-08-31",
            is_needed=True,
        ),
        Column(
            "quantity",
            "累计用量",
            "Used",
            Role.FIXED,
            cell.decimal(4, Decimal(100_000_000)),
            "度或方，最多四位小数",
            "kWh or m3, four decimals at most",
            "1820.5",
            is_needed=True,
        ),
    ),
)
