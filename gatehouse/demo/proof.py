"""The proof: what the simulator issued, what the edge accepted, what the cloud shows, what was billed.

Readings are fetched back through the API, point by point, and compared with the simulator's ledger one
by one; every invoice line is computed anew from its trace. The invariant: a figure in the table was
counted by the one who claims it, and any difference is named.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from gatehouse.demo.cloud_api import Alarm, CloudApi, Invoice, InvoiceSummary, PointValue, Reading
from gatehouse.demo.errors import DemoError, ProofFailed
from gatehouse.demo.recompute import recompute_line
from gatehouse.demo.stage import Stage
from protocol.quantity import micro_from_decimal
from simulator.building import CAMERAS, DOORS, devices_on

_ALARM_TIMEOUT_S = 30.0
_LEDGER_PAGE = 50_000
_TOLD_BY_THE_BOX = tuple(f"{device.device_id}/" for line in (CAMERAS, DOORS) for device in devices_on(line))
_END_OF_TIME_MS = 253_402_300_799_999  # the last the API takes
_DIFFERENCES_SHOWN = 5

# Device/point, value, and the instant; 0 for the present, where edge and simulator stamp by themselves.
ReadingKey = tuple[str, int, int]


class _Points(msgspec.Struct):
    items: list[PointValue]


class _LedgerPage(msgspec.Struct):
    count: int
    device: list[str]
    point: list[str]
    value_micro: list[int]
    at_ms: list[int]


class _FaultAdded(msgspec.Struct):
    id: int
    since_ms: int


class _AlarmTold(msgspec.Struct):
    kind: str
    act: str


@dataclass(frozen=True, slots=True)
class Billed:
    """What the invoices come to, and what their traces come to."""

    invoices: int
    lines: int
    total_fen: int
    recomputed_fen: int
    frames: int


class AlarmBell:
    """Causes conditions in the building and measures until the cloud's alarm is heard and listed."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._heard: dict[str, float] = {}

    def on_change(self, name: str, data: bytes) -> None:
        """Take a live change; only raised alarms are of interest."""
        if name == "alarm":
            told = msgspec.json.decode(data, type=_AlarmTold)
            if told.act == "raised":
                self._heard.setdefault(told.kind, time.time())

    def ring(self, device: str, fault: str, alarm_kind: str) -> int:
        """Cause a condition and end it; return milliseconds from the contact to the listed alarm."""
        self._heard.pop(alarm_kind, None)
        body = {"device": device, "kind": fault}
        added = msgspec.json.decode(self._stage.control("POST", "/faults", body), type=_FaultAdded)
        deadline = time.monotonic() + _ALARM_TIMEOUT_S
        while alarm_kind not in self._heard:
            if time.monotonic() > deadline:
                raise ProofFailed(f"{device} {fault}: no {alarm_kind} alarm within {_ALARM_TIMEOUT_S:.0f} s")
            time.sleep(0.002)
        alarms = self._stage.api.pages("/api/v1/alarms", Alarm, state="open")
        if not any(alarm.kind == alarm_kind and not alarm.is_historical for alarm in alarms):
            raise ProofFailed(f"the {alarm_kind} alarm was heard of and is not among the open alarms")
        latency_ms = round(self._heard[alarm_kind] * 1000) - added.since_ms
        self._stage.control("DELETE", f"/faults/{added.id}")
        return latency_ms


def issued_readings(stage: Stage, past_until_ms: int) -> Counter[ReadingKey]:
    """Return everything the simulator has issued; instants only up to `past_until_ms`."""
    issued: Counter[ReadingKey] = Counter()
    count = first = 0
    while first == 0 or first < count:
        page = stage.asked(f"/ledger/items?first={first}&limit={_LEDGER_PAGE}", _LedgerPage)
        count = page.count
        for device, point, value_micro, at_ms in zip(
            page.device, page.point, page.value_micro, page.at_ms, strict=True
        ):
            issued[f"{device}/{point}", value_micro, at_ms if at_ms <= past_until_ms else 0] += 1
        if not page.device:
            break
        first += len(page.device)
    return issued


def visible_readings(
    stage: Stage, past_until_ms: int, tell: Callable[[int, int, int], None]
) -> Counter[ReadingKey]:
    """Return every reading the cloud's API shows; `tell` hears points done, points in all and readings."""
    api = stage.api
    points = api.get(f"/api/v1/gateways/{stage.gateway_id()}/values", _Points).items
    visible: Counter[ReadingKey] = Counter()
    rows = 0
    for number, point in enumerate(points, start=1):
        path = f"/api/v1/points/{point.series_id}/readings"
        for reading in api.pages(path, Reading, from_ms=0, to_ms=_END_OF_TIME_MS):
            rows += 1
            if reading.value is None:
                raise ProofFailed(
                    f"{point.key}: no value at {reading.measured_at_ms} ms, though nothing failed"
                )
            at_ms = reading.measured_at_ms if reading.measured_at_ms <= past_until_ms else 0
            visible[point.key, micro_from_decimal(reading.value), at_ms] += 1
        tell(number, len(points), rows)
    return visible


def own_words(readings: Counter[ReadingKey]) -> Counter[ReadingKey]:
    """Return the readings that no device issued: what the edge says of its door readers and cameras.

    Whether a reader answers, over its secure channel, with its lock on, whether a camera gives pictures, is
    the edge's own knowledge, told when it changes; nothing on the wire says it in as many words.
    """
    return Counter({key: count for key, count in readings.items() if key[0].startswith(_TOLD_BY_THE_BOX)})


def compare(issued: Counter[ReadingKey], accepted: int, visible: Counter[ReadingKey]) -> None:
    """Raise ProofFailed unless issued, accepted and visible are the same readings."""
    if issued != visible:
        lost, added = issued - visible, visible - issued
        shown = [f"lost: {key}" for key in sorted(lost)[:_DIFFERENCES_SHOWN]]
        shown += [f"never issued: {key}" for key in sorted(added)[:_DIFFERENCES_SHOWN]]
        raise ProofFailed(
            f"{lost.total()} readings issued are not visible, {added.total()} visible were never issued\n  "
            + "\n  ".join(shown)
        )
    if accepted != issued.total():
        raise ProofFailed(f"the simulator issued {issued.total()} readings, the edge accepted {accepted}")


def recompute_invoices(api: CloudApi, tell: Callable[[int, int, int], None]) -> Billed:
    """Return what all invoices and their traces come to; ProofFailed names the first line that differs."""
    summaries = list(api.pages("/api/v1/invoices", InvoiceSummary))
    lines = total_fen = recomputed_fen = frames = 0
    for number, summary in enumerate(summaries, start=1):
        path = f"/api/v1/invoices/{summary.invoice_id}"
        invoice = api.get(path, Invoice)
        for line in invoice.lines:
            found = recompute_line(api.raw(f"{path}/lines/{line.line_no}/trace"))
            if found.amount_fen != line.amount_fen:
                raise ProofFailed(
                    f"{invoice.number} line {line.line_no} was billed {line.amount_fen} fen, "
                    f"its trace gives {found.amount_fen}"
                )
            lines += 1
            recomputed_fen += found.amount_fen
            frames += found.frames
        if sum(line.amount_fen for line in invoice.lines) != summary.total_fen:
            raise ProofFailed(
                f"{invoice.number} says {summary.total_fen} fen, its lines sum to another amount"
            )
        total_fen += summary.total_fen
        tell(number, len(summaries), lines)
    if not summaries:
        raise DemoError("there is no invoice to compute anew")
    return Billed(len(summaries), lines, total_fen, recomputed_fen, frames)
