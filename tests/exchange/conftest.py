"""An estate on either database, and tables to bring into it."""

import io
from collections.abc import Sequence
from typing import Any

import pytest
import xlsxwriter

from cloud.store.db import Database
from tests.billing.estate import Estate, make_estate


@pytest.fixture
def estate(database: Database) -> Estate:
    """An empty estate with tariffs in force; 2026-11-24 08:00 in Shanghai."""
    return make_estate(database)


def workbook(header: Sequence[str], *rows: Sequence[Any], merge: str = "") -> bytes:
    """Return a workbook as a person's spreadsheet makes one: numbers as numbers, text as text."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, header)
    for number, row in enumerate(rows, start=1):
        for place, cell in enumerate(row):
            if isinstance(cell, str) and not cell.startswith("="):
                sheet.write_string(number, place, cell)
            elif cell is not None:
                sheet.write(number, place, cell)
    if merge:
        sheet.merge_range(merge, "")
    book.close()
    return file.getvalue()
