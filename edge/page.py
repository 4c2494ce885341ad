"""The local status page: what a technician at the box sees with no cloud at all. Loopback only.

    GET /             a page that renews itself; in the browser's language, or ?lang=en|zh
    GET /status.json  the same as data, for `gatehouse edge status`
    GET /metrics      the same as figures, for Prometheus

The invariant: nothing can be changed here, no secret is shown, and every word from outside (device
ids, reasons) is escaped.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from html import escape
from importlib.resources import files
from string import Template

import msgspec
from aiohttp import web

from edge.health import (
    DeviceHealth,
    EarHealth,
    EventHealth,
    Health,
    Inspector,
    LineHealth,
    OutputHealth,
    PointHealth,
    SpeakerHealth,
    StreamHealth,
)
from edge.metrics import CONTENT_TYPE, exposition
from edge.page_words import said
from protocol.quantity import decimal_from_micro

_RENEW_S = 5
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_PAGE = files("edge").joinpath("page.html").read_text(encoding="utf-8")
_WORD = re.compile(r"_\(([^)]*)\)")
# A value older than this is shown as old; the slowest meters are asked every quarter of an hour.
_OLD_S = 1800
_BUSY = 0.8  # a bus in use more than this has no room for a second try
_TONES = {"good": "good", "suspect": "warn", "held": "warn"}
_STATE_TONES = {"cleared": "good", "occurred": "faint", "raised": "bad"}
_BREAKER_TONES = {"closed": "good", "open": "bad", "probing": "warn"}


async def serve_page(inspector: Inspector, port: int) -> None:
    """Serve on 127.0.0.1 until cancelled."""

    def answering(
        make: Callable[[Health, bool], bytes], content_type: str
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            wanted = request.query.get("lang", request.headers.get("Accept-Language", ""))
            body = make(await inspector.collect(), wanted.lower().startswith("zh"))
            return web.Response(body=body, headers={**_HEADERS, "Content-Type": content_type})

        return answer

    def page(health: Health, is_chinese: bool) -> bytes:  # noqa: FBT001  # one of three of this shape
        return render(health, is_chinese=is_chinese).encode()

    app = web.Application()
    app.router.add_get("/", answering(page, "text/html; charset=utf-8"))
    app.router.add_get("/metrics", answering(lambda health, _: exposition(health), CONTENT_TYPE))
    as_json = answering(lambda health, _: msgspec.json.encode(health), "application/json")
    app.router.add_get("/status.json", as_json)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def render(health: Health, *, is_chinese: bool = False) -> str:
    """Return the page."""
    return _Page(health, is_chinese=is_chinese).text()


class _Page:
    """One rendering; `_say` is where words become the reader's."""

    def __init__(self, health: Health, *, is_chinese: bool) -> None:
        self._health = health
        self._is_chinese = is_chinese

    def _say(self, text: str) -> str:
        return escape(said(text, is_chinese=self._is_chinese))

    def text(self) -> str:
        health = self._health
        fault = health.buffer_fault or health.hello_fault
        template = _WORD.sub(lambda found: self._say(found[1]), _PAGE)
        return Template(template).substitute(
            lang="zh" if self._is_chinese else "en",
            other="en" if self._is_chinese else "zh",
            other_name="English" if self._is_chinese else "中文",
            renew_s=_RENEW_S,
            gateway=escape(health.gateway),
            version=escape(health.version),
            up=_lasting((health.now_ms - health.started_at_ms) // 1000),
            cards="".join(self._cards()),
            fault=_fault(fault) if fault else "",
            outputs=self._outputs(health.outputs),
            streams="".join(self._stream(name, stream) for name, stream in health.streams.items()),
            lines="".join(self._line(line) for line in health.lines),
            ears="".join(self._ear(ear) for ear in health.ears),
            events=self._events(health.events),
            points="".join(self._point(point) for point in health.points),
        )

    def _cards(self) -> Iterable[str]:
        health = self._health
        states = [device.is_online for line in health.lines for device in line.devices]
        states += [d.is_online for ear in health.ears for d in ear.devices if d.is_online is not None]
        online = sum(state is True for state in states)
        pending = sum(stream.pending for stream in health.streams.values())
        good = sum(point.quality == "good" for point in health.points)
        yield self._card(f"{online} / {len(states)}", "devices online", is_well=online == len(states))
        yield self._card(f"{good} / {len(health.points)}", "points good", is_well=good == len(health.points))
        yield self._card(f"{pending:,}", "rows wait for the cloud", is_well=None)
        yield self._card(f"{health.buffer_bytes / 1024 / 1024:.1f} MiB", "in the buffer", is_well=None)
        yield self._card(
            said(health.clock_quality, is_chinese=self._is_chinese),
            "clock",
            is_well=health.clock_quality == "synced",
        )
        if health.undated_rows:
            yield self._card(f"{health.undated_rows:,}", "rows wait for the time", is_well=False)

    def _card(self, figure: str, told: str, *, is_well: bool | None) -> str:
        tone = {True: "good", False: "warn", None: ""}[is_well]
        words = f'<span class="sub">{self._say(told)}</span>'
        return f'<div class="card"><b class="{tone}">{escape(figure)}</b>{words}</div>'

    def _head(self, *names: str, numbers: frozenset[str] = frozenset()) -> str:
        cells = (f"<th{' class=n' if name in numbers else ''}>{self._say(name)}" for name in names)
        return f"<tr>{''.join(cells)}</tr>"

    def _stream(self, name: str, stream: StreamHealth) -> str:
        counts = (
            stream.stored,
            stream.acked,
            stream.pending,
            stream.evicted,
            stream.put_aside,
            stream.rejected,
        )
        lane = (
            f'<td class="bad">{escape(stream.lane_fault)}'
            if stream.lane_fault
            else f'<td class="good">{self._say("ok")}'
        )
        return f"<tr><td>{escape(name)}{''.join(_number(f'{count:,}') for count in counts)}{lane}</tr>"

    def _line(self, line: LineHealth) -> str:
        state = (
            self._down(line.down_reason)
            if line.down_reason
            else f'<span class="sub">{line.utilisation:.0%} {self._say("in use")} <meter min="0" max="1" '
            f'high="{_BUSY}" value="{line.utilisation:.3f}"></meter></span>'
        )
        figures = ("asked", "answered", "refused", "silent", "bad", "p50 ms", "p95 ms", "late polls")
        head = self._head("device", "state", "breaker", "address", *figures, numbers=frozenset(figures))
        rows = "".join(self._device(device) for device in line.devices)
        return _section(line.id, state, head, rows)

    def _down(self, reason: str) -> str:
        return f'<span class="bad">{self._say("down")}: {escape(reason)}</span>'

    def _device(self, device: DeviceHealth) -> str:
        breaker = self._say(device.breaker)
        if device.retry_in_s:
            breaker += f" · {self._say('retry in')} {device.retry_in_s:g} s"
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
        state = self._online(is_online=device.is_online)
        tone = _BREAKER_TONES.get(device.breaker, "")
        address = f'<td class="faint">{escape(device.address)}'
        return f'<tr>{title}{state}<td class="{tone}">{breaker}{address}{cells}</tr>'

    def _online(self, *, is_online: bool | None) -> str:
        if is_online is None:
            return f'<td class="faint">{self._say("unknown")}'
        word, tone = ("online", "good") if is_online else ("offline", "bad")
        return f'<td class="{tone}">{self._say(word)}'

    def _ear(self, ear: EarHealth) -> str:
        counts = f"{self._say('messages')} {ear.messages:,}"
        if ear.bad_messages:
            counts += f" · {self._say('unreadable')} {ear.bad_messages:,}"
        state = f'<span class="sub">{counts}</span>'
        if not ear.is_connected:
            state = self._down(ear.down_reason or "…")
        head = self._head("device", "state", "profile", "address", "heard", numbers=frozenset({"heard"}))
        rows = "".join(self._speaker(device) for device in ear.devices)
        return _section(f"{ear.id} · {ear.kind}", state, head, rows)

    def _speaker(self, device: SpeakerHealth) -> str:
        heard = device.last_heard_at_ms
        age = "–" if heard is None else _lasting(max(0, self._health.now_ms - heard) // 1000)
        about = "".join(f'<td class="faint">{escape(text)}' for text in (device.profile, device.address))
        state = self._online(is_online=device.is_online)
        return f"<tr><td>{escape(device.id)}{state}{about}{_number(age)}</tr>"

    def _outputs(self, outputs: list[OutputHealth]) -> str:
        if not outputs:
            return ""
        is_alarm = any(output.raised_at for output in outputs)
        head = self._head("reaction", "device", "act", "state", "because of")
        rows = "".join(
            f"<tr><td>{escape(one.reaction)}<td>{escape(one.device)}"
            f"<td>{self._say(one.act.replace('_', ' '))}"
            f'<td class="{"bad" if one.raised_at else "faint"}">{self._say(one.phase)}'
            f'<td class="why">{escape(one.raised_at)}</tr>'
            for one in outputs
        )
        return _section(self._say("Local outputs"), "", head, rows, is_alarm=is_alarm, is_said=True)

    def _events(self, events: list[EventHealth]) -> str:
        if not events:
            return ""
        head = self._head("when", "kind", "state", "severity", "point", "what")
        rows = "".join(
            f"<tr><td>{_lasting(max(0, self._health.now_ms - one.occurred_at_ms) // 1000)}"
            f"<td>{self._say(one.kind.replace('_', ' '))}"
            f'<td class="{_STATE_TONES.get(one.state, "")}">{self._say(one.state)}'
            f"<td>{self._say(one.severity)}"
            f'<td>{escape(one.point)}<td class="why">{escape(one.message)}</tr>'
            for one in events
        )
        return _section(self._say("Events"), "", head, rows, is_said=True)

    def _point(self, point: PointHealth) -> str:
        value = point.state
        if not value and point.value_micro is not None:
            value = f"{decimal_from_micro(point.value_micro):f} {point.unit}".rstrip()
        age_s = max(0, self._health.now_ms - point.measured_at_ms) // 1000
        old = "warn" if age_s > _OLD_S else ""
        quality = self._say(point.quality.replace("_", " "))
        return (
            f"<tr><td>{escape(point.key)}{_number(value)}"
            f'<td class="{_TONES.get(point.quality, "bad")}">{quality}<td class="n {old}">{_lasting(age_s)}'
            f'<td class="why">{escape(point.reason)}</tr>'
        )


def _section(
    title: str, state: str, head: str, rows: str, *, is_alarm: bool = False, is_said: bool = False
) -> str:
    words = title if is_said else escape(title)
    table = f'<div class="scroll"><table>{head}{rows}</table></div>' if rows else ""
    tone = ' class="alarm"' if is_alarm else ""
    return f"<section{tone}><header><h2>{words}</h2>{state}</header>{table}</section>"


def _fault(reason: str) -> str:
    return f'<section class="alarm"><header><span class="bad">{escape(reason)}</span></header></section>'


def _number(text: str) -> str:
    return f'<td class="n">{escape(text)}'


def _lasting(seconds: int) -> str:
    for length, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds // length} {name}"
    return f"{seconds} s"
