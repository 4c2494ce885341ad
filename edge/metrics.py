"""The agent's figures for Prometheus, at `/metrics` of the local page.

Made from `Health` at each scrape, so that a figure exists once; memory and open files are told of the
process. Names follow Prometheus' own rules: base units, `_total` for what only grows, labels for what is
counted apart.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from edge.health import DeviceHealth, EarHealth, Health, LineHealth, OutputHealth, PointHealth

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PREFIX = "gatehouse_edge"
_BREAKER_STATES = {"closed": 0, "probing": 1, "open": 2}


class _Once(Collector):
    """Hands over what was collected beforehand."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = tuple(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def exposition(health: Health) -> bytes:
    """Return the figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    metrics = (
        *_agent(health),
        *_streams(health),
        *_lines(health.lines),
        *_devices(health.lines),
        *_ears(health.ears, health.now_ms),
        *_outputs(health.outputs),
        *_qualities(health.points),
    )
    registry.register(_Once(metrics))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def _gauge(name: str, told: str, labels: Iterable[str] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", told, labels=list(labels))


def _counter(name: str, told: str, labels: Iterable[str] = ()) -> CounterMetricFamily:
    return CounterMetricFamily(f"{_PREFIX}_{name}", told, labels=list(labels))


def _agent(health: Health) -> Iterator[Metric]:
    about = _gauge("info", "Who this is.", ["gateway", "version", "boot_id", "config_version"])
    about.add_metric([health.gateway, health.version, health.boot_id, health.config_version[:12]], 1)
    yield about
    started = _gauge("start_time_seconds", "When the agent started, since 1970.")
    started.add_metric([], health.started_at_ms / 1000)
    yield started
    clock = _gauge("clock_synced", "Whether any source confirms the wall clock.")
    clock.add_metric([], health.clock_quality == "synced")
    yield clock
    undated = _gauge("rows_undated", "Rows that wait for somebody to tell the time before they are sent.")
    undated.add_metric([], health.undated_rows)
    yield undated
    size = _gauge("buffer_bytes", "What the buffer takes on disk.")
    size.add_metric([], health.buffer_bytes)
    yield size
    healthy = _gauge("buffer_writable", "Whether the last commit succeeded.")
    healthy.add_metric([], not health.buffer_fault)
    yield healthy
    events = _counter("events", "Events since the agent started.")
    events.add_metric([], health.events_seen)
    yield events
    tasks = _gauge("tasks", "Tasks of the event loop: as many at rest, however long the agent runs.")
    tasks.add_metric([], health.tasks)
    yield tasks


def _streams(health: Health) -> Iterator[Metric]:
    rows = _counter(
        "rows",
        "Rows by what became of them; stored = acked + pending + evicted + put_aside, ever.",
        ["stream", "outcome"],
    )
    pending = _gauge("rows_pending", "Rows the cloud has not acknowledged.", ["stream"])
    age = _gauge("oldest_row_age_seconds", "Age of the oldest of them, 0 if there is none.", ["stream"])
    lane = _gauge("lane_up", "Whether the last attempt to send succeeded.", ["stream"])
    attempts = _counter("lane_attempts", "Attempts to send a batch.", ["stream"])
    for name, stream in health.streams.items():
        for outcome in ("read", "rejected", "stored", "acked", "evicted", "put_aside"):
            rows.add_metric([name, outcome], getattr(stream, outcome))
        pending.add_metric([name], stream.pending)
        oldest = stream.oldest_row_at_ms
        age.add_metric([name], 0 if oldest is None else max(0, health.now_ms - oldest) / 1000)
        lane.add_metric([name], not stream.lane_fault)
        attempts.add_metric([name], stream.lane_attempts)
    yield from (rows, pending, age, lane, attempts)


def _lines(lines: Iterable[LineHealth]) -> Iterator[Metric]:
    up = _gauge("line_up", "Whether the bus can be used.", ["line"])
    use = _gauge(
        "line_utilisation_ratio", "Share of the time since start in which the bus was in use.", ["line"]
    )
    opened = _counter("line_opened", "How often the bus was opened.", ["line"])
    stray = _counter("line_unsolicited_bytes", "Bytes that came while nobody listened.", ["line"])
    held = _counter("line_held_back", "Questions delayed so that no answer is mistaken.", ["line"])
    busy = _counter("line_busy_seconds", "Time in which the bus was in use.", ["line"])
    for line in lines:
        busy.add_metric([line.id], line.busy_s)
        up.add_metric([line.id], not line.down_reason)
        use.add_metric([line.id], line.utilisation)
        opened.add_metric([line.id], line.opened)
        stray.add_metric([line.id], line.unsolicited_bytes)
        held.add_metric([line.id], line.held_back)
    yield from (up, use, busy, opened, stray, held)


def _devices(lines: Iterable[LineHealth]) -> Iterator[Metric]:
    labels = ["line", "device"]
    up = _gauge("device_up", "Whether the device answers.", labels)
    exchanges = _counter("exchanges", "Questions by their outcome.", [*labels, "outcome"])
    trip = _gauge("round_trip_seconds", "Round trips of the last exchanges.", [*labels, "quantile"])
    polls = _counter("polls", "Polls of the device's groups.", labels)
    overruns = _counter("overruns", "Polls that could not be made in their time.", labels)
    breaker = _gauge("breaker_state", "0 closed, 1 its pause is over, 2 open: not asked.", labels)
    opened = _counter("breaker_opened", "How often the device was given up for a while.", labels)
    for line_id, device in [(line.id, device) for line in lines for device in line.devices]:
        key = [line_id, device.id]
        up.add_metric(key, device.is_online)
        for outcome in ("answered", "refused", "no_reply", "bad_frame"):
            exchanges.add_metric([*key, outcome], getattr(device, outcome))
        for quantile, trip_ms in _quantiles(device):
            trip.add_metric([*key, quantile], trip_ms / 1000)
        polls.add_metric(key, device.polls)
        overruns.add_metric(key, device.overruns)
        breaker.add_metric(key, _BREAKER_STATES[device.breaker])
        opened.add_metric(key, device.breaker_opened)
    yield from (up, exchanges, trip, polls, overruns, breaker, opened)


def _ears(ears: Iterable[EarHealth], now_ms: int) -> Iterator[Metric]:
    labels = ["line", "kind"]
    up = _gauge("ear_up", "Whether a broker, a port for panels or a line of readers can be used.", labels)
    messages = _counter("messages", "Messages that came unasked.", labels)
    bad = _counter("bad_messages", "Those nobody could read.", labels)
    online = _gauge("speaker_up", "Whether a device that speaks unasked is there.", ["line", "device"])
    age = _gauge("speaker_silence_seconds", "Since when it has said nothing.", ["line", "device"])
    for ear in ears:
        up.add_metric([ear.id, ear.kind], ear.is_connected)
        messages.add_metric([ear.id, ear.kind], ear.messages)
        bad.add_metric([ear.id, ear.kind], ear.bad_messages)
        for device in ear.devices:
            if device.is_online is not None:
                online.add_metric([ear.id, device.id], device.is_online)
            if device.last_heard_at_ms is not None:
                age.add_metric([ear.id, device.id], max(0, now_ms - device.last_heard_at_ms) / 1000)
    yield from (up, messages, bad, online, age)


def _outputs(outputs: Iterable[OutputHealth]) -> Iterator[Metric]:
    labels = ["reaction", "device"]
    active = _gauge("output_active", "Whether what a reaction waits for is raised.", labels)
    failures = _gauge("output_failures", "How often in a row the device has not done it.", labels)
    for output in outputs:
        active.add_metric([output.reaction, output.device], bool(output.raised_at))
        failures.add_metric([output.reaction, output.device], output.failures)
    yield from (active, failures)


def _qualities(points: Iterable[PointHealth]) -> Iterator[Metric]:
    found = _gauge("points", "Points by the quality of their last reading.", ["quality"])
    for quality, count in sorted(Counter(point.quality for point in points).items()):
        found.add_metric([quality], count)
    yield found


def _quantiles(device: DeviceHealth) -> Iterator[tuple[str, float]]:
    for quantile, trip_ms in (("0.5", device.round_trip_p50_ms), ("0.95", device.round_trip_p95_ms)):
        if trip_ms is not None:
            yield quantile, trip_ms
