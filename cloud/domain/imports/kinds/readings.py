"""The table of readings taken by hand."""

from cloud.domain.imports import cell
from cloud.domain.imports.kind import Column, Kind, Role
from cloud.domain.imports.kinds.meters import REGISTER_MAX

READINGS = Kind(
    "readings",
    "手工抄表",
    "Readings by hand",
    "一行一个读数：某块表在某日零点显示多少。同一天再导入不同的读数，以最后一次为准，旧的仍留痕。",
    "One reading a row: what a meter showed as a day began. Another value for the same day holds from then.",
    (
        Column(
            "serial",
            "表号",
            "Serial number",
            Role.KEY,
            cell.code,
            "已安装的表",
            "A meter that hangs",
            "202607000101",
        ),
        Column(
            "on",
            "抄表日期",
            "Day",
            Role.KEY,
            cell.day,
            "读数算作这一天零点的",
            "Counts as this day's midnight",
            "2026-11-01",
        ),
        Column(
            "value",
            "读数",
            "Register",
            Role.FREE,
            cell.decimal(4, REGISTER_MAX),
            "表上显示的数",
            "As the dial shows it",
            "10870.50",
            is_needed=True,
        ),
        Column(
            "reason",
            "说明",
            "Reason",
            Role.NEW_ONLY,
            cell.text,
            "为什么手工抄表，可空",
            "Why by hand; may be empty",
            "现场抄表",
            default="批量抄表",
        ),
    ),
)
