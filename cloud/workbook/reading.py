"""A file somebody uploads to a table: Excel (.xlsx, .xls, .ods) or CSV in UTF-8 or GBK.

The invariant: a file of any size and content ends in a table within the limits or in Invalid that says
what is wrong; the values of formulas are read, formulas are not; merged cells are refused by address.
"""

import csv
import io
import zipfile
from datetime import date

from python_calamine import CalamineError, CalamineWorkbook

from cloud.domain.errors import Invalid
from cloud.domain.imports.cell import Cell
from cloud.domain.imports.kind import Table

FILE_BYTES_MAX = 8 * 1024 * 1024  # 20,000 rows are two
ROWS_MAX = 50_000
COLUMNS_MAX = 60
# What a file may unpack to: a hundred times what 50,000 rows do, and far from a machine's memory.
_UNPACKED_BYTES_MAX = 300 * 1024 * 1024


def read_table(data: bytes, name: str) -> Table:
    """Return the first sheet of a file; its first row that is not empty is the header."""
    table = _table(read_rows(data, name))
    if len(table.rows) > ROWS_MAX:
        raise Invalid(f"the table has {len(table.rows)} rows, expected at most {ROWS_MAX}")
    if len(table.header) > COLUMNS_MAX:
        raise Invalid(f"the table has {len(table.header)} columns, expected at most {COLUMNS_MAX}")
    return table


def read_rows(data: bytes, name: str) -> list[list[Cell]]:
    """Return the first sheet of a file as it is, also what stands above its titles."""
    if not data:
        raise Invalid("the file is empty")
    if len(data) > FILE_BYTES_MAX:
        raise Invalid(f"the file has {len(data)} bytes, expected at most {FILE_BYTES_MAX}")
    return _csv(data) if _is_csv(data, name) else _workbook(data)


def _is_csv(data: bytes, name: str) -> bool:
    is_archive = data[:2] == b"PK" or data[:4] == b"\xd0\xcf\x11\xe0"
    return not is_archive and (name.lower().endswith((".csv", ".txt")) or b"\x00" not in data[:4096])


def _workbook(data: bytes) -> list[list[Cell]]:
    _check_archive(data)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheet = book.get_sheet_by_index(0)
        merged = sheet.merged_cell_ranges or []
        read = sheet.to_python(skip_empty_area=False, nrows=ROWS_MAX + 10)
    except (CalamineError, OSError, ValueError, IndexError) as error:
        raise Invalid(f"the file is no workbook that can be read: {error}") from error
    if merged:
        (top, left), (bottom, right) = merged[0]
        raise Invalid(
            f"cells {_address(top, left)}:{_address(bottom, right)} are merged: undo that, then try again"
        )
    return [[_plain(cell) for cell in row] for row in read]


def _plain(cell: object) -> Cell:
    """Keep what a table of ours can hold; a time of day or a span is told as it is written."""
    return cell if cell is None or isinstance(cell, str | int | float | bool | date) else str(cell)


def _check_archive(data: bytes) -> None:
    """Refuse a small file that unpacks to an enormous one."""
    if data[:2] != b"PK":
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile as error:
        raise Invalid("the file is no workbook that can be read: it is damaged") from error
    if unpacked > _UNPACKED_BYTES_MAX:
        raise Invalid(f"the file unpacks to {unpacked} bytes, expected at most {_UNPACKED_BYTES_MAX}")


def _csv(data: bytes) -> list[list[Cell]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError as error:
            raise Invalid("the file is text neither in UTF-8 nor in GBK; save it as .xlsx") from error
    first = text.partition("\n")[0]
    delimiter = max(",\t;", key=first.count)
    try:
        return [
            list(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        ]
    except csv.Error as error:
        raise Invalid(f"the file is no CSV that can be read: {error}") from error


def _table(rows: list[list[Cell]]) -> Table:
    filled = [(number, row) for number, row in enumerate(rows, start=1) if any(_is_filled(c) for c in row)]
    if not filled:
        raise Invalid("the first sheet is empty: expected a row of titles, and rows below it")
    (_, header), *body = filled
    width = max(number for number, cell in enumerate(header, start=1) if _is_filled(cell))
    return Table(tuple(header[:width]), tuple((number, _padded(row[:width], width)) for number, row in body))


def _padded(row: list[Cell], width: int) -> tuple[Cell, ...]:
    return (*row, *([None] * (width - len(row))))


def _is_filled(cell: Cell) -> bool:
    return cell is not None and str(cell).strip() != ""


def _address(row: int, column: int) -> str:
    """Write a cell's address: the third row's second column is B3."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return f"{letters}{row + 1}"
