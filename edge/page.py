"""The local status page: what a technician at the box sees with no cloud at all. Loopback only.

    GET /             a page that renews itself
    GET /status.json  the same as data, for `gatehouse edge status`
    GET /metrics      the same as figures, for Prometheus

The invariant: nothing can be changed here, no secret is shown, and every word from outside (device
ids, reasons) is escaped.
"""

import asyncio
from collections.abc import Awaitable, Callable
from html import escape
from importlib.resources import files
from string import Template
from typing import TypeAlias

import msgspec
from aiohttp import web

from edge.health import DeviceHealth, Health, Inspector, LineHealth, PointHealth, StreamHealth
from edge.metrics import CONTENT_TYPE, exposition
from protocol.quantity import decimal_from_micro

_RENEW_S = 5
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_Handler: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]
_PAGE = Template(files("edge").joinpath("page.html").read_text(encoding="utf-8"))
# A value older than this is shown as old; the slowest meters are asked every quarter of an hour.
_OLD_S = 1800
_BUSY = 0.8  # a bus in use more than this has no room for a second try


async def serve_page(inspector: Inspector, port: int) -> None:
    """Serve on 127.0.0.1 until cancelled."""

    def answering(
        make: Callable[[Health], bytes], content_type: str
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            del request
            headers = {**_HEADERS, "Content-Type": content_type}
            return web.Response(body=make(await inspector.collect()), headers=headers)

        return answer

    app = web.Application()
    app.router.add_get("/", answering(lambda health: render(health).encode(), "text/html; charset=utf-8"))
    app.router.add_get("/metrics", answering(exposition, CONTENT_TYPE))
    app.router.add_get("/status.json", answering(msgspec.json.encode, "application/json"))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def render(health: Health) -> str:
    """Return the page."""
    devices = [device for line in health.lines for device in line.devices]
    online = sum(device.is_online for device in devices)
    pending = sum(stream.pending for stream in health.streams.values())
    good = sum(point.quality == "good" for point in health.points)
    cards = (
        _card(f"{online} of {len(devices)}", "devices online", is_well=online == len(devices)),
        _card(f"{good} of {len(health.points)}", "points good", is_well=good == len(health.points)),
        _card(f"{pending:,}", "rows wait for the cloud", is_well=None),
        _card(f"{health.buffer_bytes / 1024 / 1024:.1f} MiB", "in the buffer", is_well=None),
        _card(health.clock_quality, "clock", is_well=health.clock_quality == "synced"),
    )
    fault = health.buffer_fault or health.hello_fault
    return _PAGE.substitute(
        renew_s=_RENEW_S,
        gateway=escape(health.gateway),
        version=escape(health.version),
        up=_lasting((health.now_ms - health.started_at_ms) // 1000),
        cards="".join(cards),
        fault=f'<section><header><span class="bad">{escape(fault)}</span></header></section>'
        if fault
        else "",
        streams="".join(_stream(name, stream) for name, stream in health.streams.items()),
        lines="".join(_line(line) for line in health.lines),
        points="".join(_point(point, health.now_ms) for point in health.points),
    )


def _card(figure: str, told: str, *, is_well: bool | None) -> str:
    tone = {True: "good", False: "warn", None: ""}[is_well]
    words = f'<span class="sub">{escape(told)}</span>'
    return f'<div class="card"><b class="{tone}">{escape(figure)}</b>{words}</div>'


def _stream(name: str, stream: StreamHealth) -> str:
    counts = (stream.stored, stream.acked, stream.pending, stream.evicted, stream.put_aside, stream.rejected)
    lane = f'<td class="bad">{escape(stream.lane_fault)}' if stream.lane_fault else '<td class="good">ok'
    return f"<tr><td>{escape(name)}{''.join(_number(f'{count:,}') for count in counts)}{lane}</tr>"


def _line(line: LineHealth) -> str:
    state = (
        f'<span class="bad">down: {escape(line.down_reason)}</span>'
        if line.down_reason
        else f'<span class="sub">{line.utilisation:.0%} in use <meter min="0" max="1" high="{_BUSY}" '
        f'value="{line.utilisation:.3f}"></meter></span>'
    )
    head = "<th>device<th>state<th>address" + "".join(
        f'<th class="n">{name}'
        for name in ("asked", "answered", "refused", "silent", "bad", "p50 ms", "p95 ms", "late polls")
    )
    rows = "".join(_device(device) for device in line.devices)
    table = f'<div class="scroll"><table><tr>{head}</tr>{rows}</table></div>' if rows else ""
    return f"<section><header><h2>{escape(line.id)}</h2>{state}</header>{table}</section>"


def _device(device: DeviceHealth) -> str:
    state = '<td class="good">online' if device.is_online else '<td class="bad">offline'
    figures = (
        device.asked,
        device.answered,
        device.refused,
        device.no_reply,
        device.bad_frame,
        "" if device.round_trip_p50_ms is None else f"{device.round_trip_p50_ms:.0f}",
        "" if device.round_trip_p95_ms is None else f"{device.round_trip_p95_ms:.0f}",
        device.overruns,
    )
    cells = "".join(_number(str(figure)) for figure in figures)
    title = f'<td title="{escape(device.profile)}">{escape(device.id)}'
    return f'<tr>{title}{state}<td class="faint">{escape(device.address)}{cells}</tr>'


def _point(point: PointHealth, now_ms: int) -> str:
    value = point.state
    if not value and point.value_micro is not None:
        value = f"{decimal_from_micro(point.value_micro):f} {point.unit}".rstrip()
    age_s = max(0, now_ms - point.measured_at_ms) // 1000
    tone = {"good": "good", "suspect": "warn", "held": "warn"}.get(point.quality, "bad")
    old = "warn" if age_s > _OLD_S else ""
    return (
        f"<tr><td>{escape(point.key)}{_number(value)}"
        f'<td class="{tone}">{escape(point.quality.replace("_", " "))}<td class="n {old}">{_lasting(age_s)}'
        f'<td class="why">{escape(point.reason)}</tr>'
    )


def _number(text: str) -> str:
    return f'<td class="n">{escape(text)}'


def _lasting(seconds: int) -> str:
    for length, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds // length} {name}"
    return f"{seconds} s"
