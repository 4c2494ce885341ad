"""Tables to files: templates with help, what there is, rows that were refused, reports.

The invariant: identifiers are text cells, so no spreadsheet drops a leading zero or rounds a long
number; a text that begins like a formula is a text in a workbook and quoted in a CSV. The same table is
the same bytes.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import xlsxwriter

from cloud.domain.imports.cell import Cell
from cloud.domain.imports.fault import Fault
from cloud.domain.imports.kind import FAULT_TITLES, Kind, Role, Values, value_to_json
from cloud.domain.imports.plan import Outcome, Plan

# A workbook says when it was made; the same table is to be the same file.
_MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)
_HEAD = "#E1EFEC"
_NEEDED = "#0E5F56"
_FAULT = "#FCE9E7"
_RUN_SIGNS = ("=", "+", "-", "@", "\t", "\r")
_CHOICE_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Sheet:
    """A plain table to write: Decimal and int cells are numbers, all others text."""

    name: str
    header: Sequence[str]
    rows: Iterable[Sequence[Cell | Decimal]]
    widths: Sequence[int] = ()


def table_workbook(kind: Kind, rows: Iterable[Values], *, is_chinese: bool) -> bytes:
    """Return a kind's table filled with what is there, or, with no rows, a template with an example."""
    filled = [[row.get(column.key) for column in kind.columns] for row in rows]
    file, book = _begin()
    sheet = book.add_worksheet(kind.title(is_chinese=is_chinese)[:31])
    head = book.add_format({"bold": True, "bg_color": _HEAD, "font_color": _NEEDED, "bottom": 1})
    plain_head = book.add_format({"bg_color": _HEAD, "bottom": 1})
    as_text = book.add_format({"num_format": "@"})
    for number, column in enumerate(kind.columns):
        is_needed = column.is_needed or column.role is Role.KEY
        title = column.title(is_chinese=is_chinese) + ("*" if is_needed else "")
        sheet.set_column(number, number, column.width, as_text)
        sheet.write_string(0, number, title, head if is_needed else plain_head)
        sheet.write_comment(0, number, column.help_zh if is_chinese else column.help_en)
        if column.choices and is_chinese:
            sheet.data_validation(
                1, number, _CHOICE_ROWS, number, {"validate": "list", "source": list(column.choices)}
            )
    for line, cells in enumerate(filled, start=1):
        for number, cell in enumerate(cells):
            _write(sheet, line, number, value_to_json(cell), as_text)
    sheet.freeze_panes(1, 0)
    _write_help(book, kind, is_chinese=is_chinese)
    hidden = book.add_worksheet("_gatehouse")
    hidden.write_row(0, 0, [kind.code, kind.version])
    hidden.hide()
    book.close()
    return file.getvalue()


def rejected_workbook(plan: Plan, *, is_chinese: bool) -> bytes:
    """Return the rows that were refused as they came, with a column that says why."""
    file, book = _begin()
    sheet = book.add_worksheet(plan.kind.title(is_chinese=is_chinese)[:31])
    head = book.add_format({"bold": True, "bg_color": _HEAD, "bottom": 1})
    as_text = book.add_format({"num_format": "@"})
    red = book.add_format({"bg_color": _FAULT, "text_wrap": True})
    kept = [number for number, title in enumerate(plan.header) if title not in FAULT_TITLES]
    for place, number in enumerate(kept):
        sheet.write_string(0, place, str(plan.header[number] or ""), head)
        sheet.set_column(place, place, 16, as_text)
    sheet.write_string(0, len(kept), FAULT_TITLES[0 if is_chinese else 1], head)
    sheet.set_column(len(kept), len(kept), 60)
    for line, row in enumerate(plan.of(Outcome.WRONG, Outcome.CONFLICT), start=1):
        for place, number in enumerate(kept):
            _write(sheet, line, place, row.cells[number], as_text)
        sheet.write_string(line, len(kept), faults_text(plan, row.faults, is_chinese=is_chinese), red)
    sheet.freeze_panes(1, 0)
    book.close()
    return file.getvalue()


def sheets_workbook(sheets: Sequence[Sheet]) -> bytes:
    """Return several plain tables in one workbook."""
    file, book = _begin()
    head = book.add_format({"bold": True, "bg_color": _HEAD, "bottom": 1})
    as_text = book.add_format({"num_format": "@"})
    money = book.add_format({"num_format": "#,##0.00"})
    for one in sheets:
        sheet = book.add_worksheet(one.name[:31])
        for number, title in enumerate(one.header):
            sheet.write_string(0, number, title, head)
            sheet.set_column(number, number, one.widths[number] if one.widths else 16)
        for line, row in enumerate(one.rows, start=1):
            for number, cell in enumerate(row):
                if isinstance(cell, Decimal):
                    sheet.write_number(line, number, cell, money)
                else:
                    _write(sheet, line, number, cell, as_text)
        sheet.freeze_panes(1, 0)
    book.close()
    return file.getvalue()


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[Cell | Decimal]]) -> bytes:
    """Return a table as CSV in UTF-8 with a mark that makes Excel read it as such."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_csv_cell(cell) for cell in row])
    return b"\xef\xbb\xbf" + file.getvalue().encode()


def faults_text(plan: Plan, faults: Iterable[Fault], *, is_chinese: bool) -> str:
    """Return a row's faults in one sentence, each with its column."""
    told = []
    for fault in faults:
        text = fault.text(is_chinese=is_chinese)
        title = plan.kind.column(fault.column).title(is_chinese=is_chinese) if fault.column else ""
        told.append(f"{title}{'：' if is_chinese else ': '}{text}" if title else text)
    return ("；" if is_chinese else "; ").join(told)


def _csv_cell(cell: Cell | Decimal) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str) and cell.startswith(_RUN_SIGNS):
        return f"'{cell}"
    return cell.isoformat() if isinstance(cell, date) else str(cell)


def _begin() -> tuple[io.BytesIO, xlsxwriter.Workbook]:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "default_date_format": "yyyy-mm-dd"})
    book.set_properties({"created": _MADE_AT})
    return file, book


def _write(
    sheet: xlsxwriter.worksheet.Worksheet,
    line: int,
    place: int,
    cell: Cell,
    as_text: xlsxwriter.format.Format,
) -> None:
    """Write a cell as it is to be read again: words and identifiers as text, numbers as numbers."""
    if cell is None:
        return
    if isinstance(cell, bool | date):
        sheet.write_string(line, place, cell.isoformat() if isinstance(cell, date) else str(cell), as_text)
    elif isinstance(cell, int | float):
        sheet.write_number(line, place, cell)
    else:
        sheet.write_string(line, place, cell, as_text)


def _write_help(book: xlsxwriter.Workbook, kind: Kind, *, is_chinese: bool) -> None:
    sheet = book.add_worksheet("说明" if is_chinese else "Help")
    head = book.add_format({"bold": True, "bg_color": _HEAD, "bottom": 1})
    sheet.write_string(0, 0, kind.about_zh if is_chinese else kind.about_en)
    titles = ("列", "必填", "说明", "示例") if is_chinese else ("Column", "Needed", "Meaning", "Example")
    for number, (title, width) in enumerate(zip(titles, (20, 8, 60, 24), strict=True)):
        sheet.write_string(2, number, title, head)
        sheet.set_column(number, number, width)
    yes = "是" if is_chinese else "yes"
    for line, column in enumerate(kind.columns, start=3):
        is_needed = column.is_needed or column.role is Role.KEY
        help_text = column.help_zh if is_chinese else column.help_en
        for number, text in enumerate(
            (column.title(is_chinese=is_chinese), yes if is_needed else "", help_text, column.example)
        ):
            sheet.write_string(line, number, text)
