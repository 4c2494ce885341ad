"""The local status page: what a technician at the box sees with no cloud at all. Loopback only.

    GET /             a page that renews itself
    GET /status.json  the same as data, for `gatehouse edge status`

Read-only: nothing can be changed here, and no secret is shown.
"""

import asyncio
from html import escape

import msgspec
from aiohttp import web

from edge.health import Health, Inspector, LineHealth, PointHealth
from protocol.quantity import decimal_from_micro

_RENEW_S = 5
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


async def serve_page(inspector: Inspector, port: int) -> None:
    """Serve on 127.0.0.1 until cancelled."""
    app = web.Application()

    async def status(request: web.Request) -> web.Response:
        del request
        body = msgspec.json.encode(await inspector.collect())
        return web.Response(body=body, content_type="application/json", headers=_HEADERS)

    async def page(request: web.Request) -> web.Response:
        del request
        text = render(await inspector.collect())
        return web.Response(text=text, content_type="text/html", headers=_HEADERS)

    app.router.add_get("/status.json", status)
    app.router.add_get("/", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def render(health: Health) -> str:
    """Return the page."""
    streams = "".join(
        _row(name, s.stored, s.acked, s.pending, s.evicted, s.put_aside, s.rejected, s.lane_fault or "ok")
        for name, s in health.streams.items()
    )
    return _PAGE.format(
        renew_s=_RENEW_S,
        gateway=escape(health.gateway),
        version=escape(health.version),
        up_s=(health.now_ms - health.started_at_ms) // 1000,
        clock=escape(health.clock_quality),
        buffer_kib=health.buffer_bytes // 1024,
        fault=escape(health.buffer_fault or health.hello_fault or "none"),
        streams=streams,
        lines="".join(_line(line) for line in health.lines),
        points="".join(_point(point, health.now_ms) for point in health.points),
    )


def _line(line: LineHealth) -> str:
    state = f"down: {line.down_reason}" if line.down_reason else f"{line.utilisation:.0%} in use"
    rows = "".join(
        _row(
            device.id,
            "online" if device.is_online else "offline",
            device.asked,
            device.answered,
            device.refused,
            device.no_reply,
            device.bad_frame,
            "" if device.round_trip_p50_ms is None else f"{device.round_trip_p50_ms:.1f}",
            "" if device.round_trip_p95_ms is None else f"{device.round_trip_p95_ms:.1f}",
            device.overruns,
        )
        for device in line.devices
    )
    return (
        f"<h2>{escape(line.id)} <small>{escape(state)}</small></h2><table><tr><th>device<th>state<th>asked"
        "<th>answered<th>refused<th>no reply<th>bad frame<th>p50 ms<th>p95 ms<th>overruns</tr>"
        f"{rows}</table>"
    )


def _point(point: PointHealth, now_ms: int) -> str:
    value = point.state
    if not value and point.value_micro is not None:
        value = f"{decimal_from_micro(point.value_micro):f} {point.unit}"
    age_s = (now_ms - point.measured_at_ms) // 1000
    return _row(point.key, value, point.quality, point.reason, f"{age_s} s")


def _row(*cells: object) -> str:
    return "<tr>" + "".join(f"<td>{escape(str(cell))}" for cell in cells) + "</tr>"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="{renew_s}">
<title>{gateway}</title><style>
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 1.5rem auto; max-width: 70rem; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100%; margin-bottom: 1rem }}
th, td {{ text-align: left; padding: .2rem .6rem; border-bottom: 1px solid #ddd }}
td {{ font-variant-numeric: tabular-nums }} small {{ color: #666; font-weight: normal }}
</style></head><body>
<h1>{gateway} <small>version {version}, up {up_s} s, clock {clock}</small></h1>
<p>Buffer {buffer_kib} KiB. Fault: {fault}.</p>
<table><tr><th>stream<th>stored<th>acked<th>pending<th>evicted<th>put aside<th>rejected<th>lane</tr>
{streams}</table>
{lines}
<h2>Points</h2><table><tr><th>point<th>value<th>quality<th>reason<th>age</tr>{points}</table>
</body></html>
"""
