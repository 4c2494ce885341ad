"""Handing out a workbook or CSV: its type, and the name it is saved under."""

from aiohttp import web

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv"
# What a table may be uploaded as; which it is, its bytes say.
TABLES = (CSV, XLSX, "application/vnd.ms-excel", "application/vnd.oasis.opendocument.spreadsheet")


def workbook_response(body: bytes, name: str) -> web.Response:
    """Return a workbook; `name` is what it is saved as, without its ending."""
    return _file(body, XLSX, f"{name}.xlsx")


def csv_response(body: bytes, name: str) -> web.Response:
    """Return a CSV file; `name` is what it is saved as, without its ending."""
    return _file(body, CSV, f"{name}.csv")


def _file(body: bytes, content_type: str, name: str) -> web.Response:
    return web.Response(
        body=body,
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
