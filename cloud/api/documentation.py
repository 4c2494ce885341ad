"""The API's documentation as a page: Swagger UI from our own files, no other host asked.

The invariant: the page holds no inline script or style, so its policy differs from every other page's
only in allowing the images that Swagger UI's stylesheet carries within itself.
"""

from html import escape

from aiohttp import web

from cloud.console.keys import ASSETS
from cloud.web.headers import DOCUMENTATION_POLICY

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gatehouse API</title>
<link rel="icon" href="{icon}">
<link rel="stylesheet" href="{style}">
</head>
<body>
<div id="documentation" data-openapi="/openapi.json"></div>
<noscript><p>This page needs scripts. What it draws is <a href="/openapi.json">here</a>.</p></noscript>
<script src="{bundle}"></script>
<script src="{start}" type="module"></script>
</body>
</html>
"""


async def show_documentation(request: web.Request) -> web.Response:
    """Answer the page that draws /openapi.json."""
    assets = request.app[ASSETS]
    page = _PAGE.format(
        icon=escape(assets.url("favicon.svg")),
        style=escape(assets.url("swagger-ui.css")),
        bundle=escape(assets.url("swagger-ui-bundle.js")),
        start=escape(assets.url("documentation.js")),
    )
    response = web.Response(text=page, content_type="text/html")
    response.headers["Content-Security-Policy"] = DOCUMENTATION_POLICY
    return response
