"""The hashed files the pages load: their addresses, and how they are served.

`scripts/build_web.py` makes them; each is named by its content, so it may be kept for ever. The
invariant: a page never names a file that is not there; a missing build says what to run.
"""

import json
from pathlib import Path

from aiohttp import hdrs, web

from cloud.domain.errors import GatehouseError

STATIC = Path(__file__).parent / "static"
PREFIX = "/static"

_FOR_EVER = "public, max-age=31536000, immutable"


class MissingAssets(GatehouseError):
    """The web assets have not been built."""


class Assets:
    """The manifest of the build that is there now: one made while the cloud runs is taken over."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._folder = folder
        self._manifest = folder / "manifest.json"
        self._read_at_ns = 0
        self._names: dict[str, str] = {}
        try:
            self._read()
        except (OSError, ValueError, KeyError) as error:
            raise MissingAssets(
                f"no web assets in {folder}: run `python scripts/build_web.py` ({error})"
            ) from error

    def url(self, name: str) -> str:
        """Return the address of a file, e.g. `console.css`; MissingAssets names one that was not built."""
        self._follow()
        try:
            return f"{PREFIX}/{self._names[name]}"
        except KeyError:
            raise MissingAssets(f"{name!r} was not built: it has {', '.join(sorted(self._names))}") from None

    def add_routes(self, app: web.Application) -> None:
        """Serve the files under /static, to be kept for ever by whoever fetches them."""

        async def serve(request: web.Request) -> web.StreamResponse:
            self._follow()
            name = request.match_info["name"]
            if name not in self._names.values():
                raise web.HTTPNotFound
            return web.FileResponse(self._folder / name, headers={hdrs.CACHE_CONTROL: _FOR_EVER})

        app.router.add_get(PREFIX + "/{name}", serve)

    def _follow(self) -> None:
        try:
            if self._manifest.stat().st_mtime_ns != self._read_at_ns:
                self._read()
        except (OSError, ValueError, KeyError):
            return  # a build is being put in place; what we have is good for another moment

    def _read(self) -> None:
        at_ns = self._manifest.stat().st_mtime_ns
        self._names = json.loads(self._manifest.read_text(encoding="utf-8"))["files"]
        self._read_at_ns = at_ns
