"""What makes the resident's pages an app on a phone: manifest, service worker, the page without a network.

The invariant: nothing personal is kept on the phone. The worker keeps the hashed assets and one page that
says there is no connection; every other page comes from the server or not at all.
"""

import json

from aiohttp import hdrs, web

from cloud.console.keys import ASSETS
from cloud.console.language import language_of
from cloud.console.login import frame_of
from cloud.console.preferences import preferences_of
from cloud.console.templating import render

_KEPT = ("console.css", "console.js", "icons.svg", "favicon.svg")
# Kept a day at most, so that a phone has a new release's worker by the next.
_FOR_A_DAY = "public, max-age=86400"

# Its cache is named by what it keeps: a new build is a new cache, and the old one goes.
_WORKER = """\
const KEPT = %s;
const NAME = "gatehouse " + KEPT.join(" ");

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(KEPT)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const isStale = (name) => name !== NAME;
  const drop = (names) => Promise.all(names.filter(isStale).map((name) => caches.delete(name)));
  event.waitUntil(caches.keys().then(drop).then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match("/offline")));
  } else if (KEPT.includes(new URL(request.url).pathname)) {
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
  }
});
"""


async def show_manifest(request: web.Request) -> web.StreamResponse:
    """Return the app's name, colours and icons, in the reader's language."""
    gettext = language_of(preferences_of(request, None).language).gettext
    url = request.app[ASSETS].url
    document = {
        "name": gettext("Gatehouse: my home"),
        "short_name": gettext("My home"),
        "id": "/home",
        "start_url": "/home",
        "scope": "/",
        "display": "standalone",
        "background_color": "#F2F5F4",
        "theme_color": "#0E5F56",
        "icons": [
            {"src": url("app-icon-192.png"), "sizes": "192x192", "type": "image/png", "purpose": "any"},
            {"src": url("app-icon-512.png"), "sizes": "512x512", "type": "image/png", "purpose": "any"},
            {"src": url("app-icon.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "maskable"},
        ],
        "shortcuts": [
            {"name": gettext("Something is broken"), "url": "/home/repairs/new"},
            {"name": gettext("Visitors"), "url": "/home/visitors"},
        ],
    }
    body = json.dumps(document, ensure_ascii=False)
    return web.Response(text=body, content_type="application/manifest+json")


async def show_worker(request: web.Request) -> web.StreamResponse:
    """Return the service worker, which knows the assets of this build."""
    kept = [*(request.app[ASSETS].url(name) for name in _KEPT), "/offline"]
    return web.Response(
        text=_WORKER % json.dumps(kept),
        content_type="text/javascript",
        headers={hdrs.CACHE_CONTROL: _FOR_A_DAY},
    )


async def show_offline(request: web.Request) -> web.StreamResponse:
    """Show the page for when there is no network; it says nothing about anybody."""
    tag = preferences_of(request, None).language
    return render(request, tag, "offline.html", {"page": frame_of(request)})
