"""The table of accounts."""

from cloud.domain.imports import cell
from cloud.domain.imports.kind import Column, Kind, Role

ACCOUNTS = Kind(
    "accounts",
    "户",
    "Accounts",
    "一行一户：谁缴费、住哪一套。",
    "One account a row: who pays, and for which flat.",
    (
        Column(
            "number", "户号", "Account", Role.KEY, cell.code, "全小区唯一", "Unique on the site", "A-00101"
        ),
        Column(
            "holder_name",
            "户主姓名",
            "Holder",
            Role.FREE,
            cell.text,
            "账单抬头",
            "To whom bills are addressed",
            "王建国",
            is_needed=True,
        ),
        Column(
            "space",
            "房号",
            "Flat",
            Role.FIXED,
            cell.code,
            "已在“房产”中的房号，可空",
            "A flat that is known; may be empty",
            "1-101",
        ),
        Column(
            "household_size",
            "户籍人数",
            "Persons",
            Role.FREE,
            cell.whole(0, 99),
            "决定阶梯的多人口优惠",
            "Some tiers are widened by it",
            "3",
            default=1,
        ),
        Column(
            "opened_on",
            "开户日期",
            "Opened on",
            Role.FIXED,
            cell.day,
            "从这一天起计费",
            "Charged from this day on",
            "2026-01-01",
            is_needed=True,
        ),
    ),
)
