"""Handing out a printed paper: its headers, and the name it is saved under.

The invariant: a PDF is shown or saved by the browser and never run: its own policy forbids everything.
"""

from collections.abc import Sequence

from aiohttp import web

from cloud.keys import PRESS
from cloud.press.sheet import LabelSheet, Sheet

PDF = "application/pdf"
# A browser's own viewer needs its inline styles; the file itself may load and run nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'none'"


async def pdf_response(request: web.Request, sheets: Sequence[Sheet] | LabelSheet, name: str) -> web.Response:
    """Return the PDF of some sheets; `name` is what it is saved as, without its ending."""
    body = await request.app[PRESS].print(sheets)
    return web.Response(
        body=body,
        content_type=PDF,
        headers={
            "Content-Disposition": f'inline; filename="{name}.pdf"',
            "Content-Security-Policy": _POLICY,
        },
    )
