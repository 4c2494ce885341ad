"""The trace of a line: complete, and enough by itself to recompute the fen."""

import json
from datetime import date
from decimal import Decimal

import msgspec
import pytest

from cloud.domain.errors import NotFound
from cloud.domain.recompute import recompute, trace_from_json, trace_to_json
from cloud.domain.trace import LineTrace, TracedReading
from cloud.domain.user import Role, User
from cloud.services import invoices
from protocol.evidence import Evidence
from tests.billing.estate import SYSTEM, Estate, at
from tests.databases import TENANT

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)


def traces_of(estate: Estate) -> list[LineTrace]:
    page = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM, limit=100)
    return [
        trace
        for one in page.items
        for trace in estate.database.read_now(TENANT, invoices.traces, SYSTEM, one.invoice_id)
    ]


async def bill_one_flat(estate: Estate) -> list[LineTrace]:
    estate.add_flat("101", max_per_day="4000", household_size=7)
    estate.read("E-101", at(SEPTEMBER), "100.25")
    estate.exchange("E-101", at(date(2026, 9, 15), 10), "4000", "0.5", multiplier="20")
    estate.read("E-101", at(OCTOBER), "30.5")
    estate.read("W-101", at(SEPTEMBER), "999990")
    estate.read("W-101", at(OCTOBER), "240.5")
    await estate.close("2026-09")
    return traces_of(estate)


async def test_every_line_recomputes_from_its_trace_alone(estate: Estate) -> None:
    traces = await bill_one_flat(estate)

    assert len(traces) == 6
    for trace in traces:
        # Through JSON, as whoever disputes the bill gets it.
        document = json.loads(json.dumps(trace_to_json(trace)))
        recomputed = recompute(trace_from_json(document))
        assert (recomputed.amount_fen, recomputed.faults) == (trace.amount_fen, ())


async def test_trace_shows_readings_frames_and_both_meters(estate: Estate) -> None:
    first = (await bill_one_flat(estate))[0]

    assert first.usage is not None
    old, new = first.usage.segments
    assert (old.meter_serial, old.multiplier, old.closing.source) == ("E-101-old", Decimal(1), "closing")
    assert (new.meter_serial, new.multiplier, new.opening.source) == ("E-101-new", Decimal(20), "opening")
    opening = old.opening
    assert (opening.value, opening.quality, opening.gateway) == (Decimal("100.25"), "good", "gw-1")
    assert opening.point_key == "em-101-old/active_energy_import"
    assert opening.frame is not None
    assert opening.frame.protocol == "dlt645-2007"
    assert first.usage.quantity == Decimal("4499.75")  # 3899.75 + 30 x 20


async def test_trace_names_tariff_source_and_place_on_the_ladder(estate: Estate) -> None:
    first, second = (await bill_one_flat(estate))[:2]

    assert (first.tariff.code, first.tariff.version) == ("cn-beijing-elec-res", 2)
    assert first.tariff.confidence == "medium"
    assert first.tariff.sources[0]["publisher"] == "北京市发展和改革委员会"
    assert first.ladder is not None
    assert first.ladder.bounds == (Decimal(4080), Decimal(6000))
    assert first.ladder.household_size == 7
    assert first.arithmetic == "4080 kWh × 0.4883 = 1992.26"
    assert second.arithmetic == "419.75 kWh × 0.5383 = 225.95"


def with_closing(trace: LineTrace, closing: TracedReading) -> LineTrace:
    assert trace.usage is not None
    last = msgspec.structs.replace(trace.usage.segments[-1], closing=closing)
    usage = msgspec.structs.replace(trace.usage, segments=(*trace.usage.segments[:-1], last))
    return msgspec.structs.replace(trace, usage=usage)


async def test_changed_reading_is_noticed(estate: Estate) -> None:
    trace = (await bill_one_flat(estate))[1]
    assert trace.usage is not None
    closing = trace.usage.segments[-1].closing

    recomputed = recompute(with_closing(trace, msgspec.structs.replace(closing, value=Decimal("31.5"))))

    assert recomputed.amount_fen == trace.amount_fen + 1077  # 20 kWh more at 0.5383
    assert "readings give 4519.750000, the bill says 4499.75" in recomputed.faults


async def test_changed_frame_is_noticed(estate: Estate) -> None:
    trace = (await bill_one_flat(estate))[1]
    assert trace.usage is not None
    closing = trace.usage.segments[-1].closing
    assert closing.frame is not None
    changed = msgspec.structs.replace(closing.frame, reply_hex="00" + closing.frame.reply_hex[2:])

    recomputed = recompute(with_closing(trace, msgspec.structs.replace(closing, frame=changed)))

    assert recompute(trace).faults == ()
    assert "does not have its SHA-256" in recomputed.faults[0]


async def test_reading_that_its_frame_does_not_say_is_noticed(estate: Estate) -> None:
    trace = (await bill_one_flat(estate))[1]
    assert trace.usage is not None
    closing = trace.usage.segments[-1].closing

    recomputed = recompute(with_closing(trace, msgspec.structs.replace(closing, value=Decimal("30.6"))))

    assert "meter E-101-new: its frame says 30.5, the reading 30.6" in recomputed.faults


async def test_frame_hash_is_that_of_the_exchange(estate: Estate) -> None:
    trace = (await bill_one_flat(estate))[0]
    assert trace.usage is not None
    frame = trace.usage.segments[0].opening.frame
    assert frame is not None

    exchange = Evidence(
        frame.protocol, frame.line, bytes.fromhex(frame.request_hex), bytes.fromhex(frame.reply_hex),
        frame.captured_at_ms, frame.round_trip_us,
    )  # fmt: skip

    assert exchange.digest().hex() == frame.sha256


async def test_line_that_is_not_there(estate: Estate) -> None:
    await bill_one_flat(estate)
    page = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM)

    with pytest.raises(NotFound, match="has no line 99; it has 6"):
        estate.database.read_now(TENANT, invoices.trace, SYSTEM, page.items[0].invoice_id, 99)


async def test_resident_sees_own_invoices_only(estate: Estate) -> None:
    own = estate.add_flat("101", water=None)
    estate.add_flat("102", water=None)
    for flat in ("101", "102"):
        estate.read(f"E-{flat}", at(SEPTEMBER), "0")
        estate.read(f"E-{flat}", at(OCTOBER), "10")
    await estate.close("2026-09")
    resident = User(SYSTEM.user_id, TENANT, Role.RESIDENT, "王建国", account_ids=frozenset({own}))

    page = estate.database.read_now(TENANT, invoices.list_invoices, resident)

    assert [one.account_id for one in page.items] == [own]
    everyone = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM).items
    other = next(one for one in everyone if one.account_id != own)
    with pytest.raises(NotFound, match="there is no invoice"):
        estate.database.read_now(TENANT, invoices.trace, resident, other.invoice_id, 1)


async def test_list_is_paged_newest_first(estate: Estate) -> None:
    for flat in ("101", "102", "103"):
        estate.add_flat(flat, water=None)
        estate.read(f"E-{flat}", at(SEPTEMBER), "0")
        estate.read(f"E-{flat}", at(OCTOBER), "10")
    await estate.close("2026-09")

    first = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM, limit=2)
    rest = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM, limit=2, cursor=first.next_cursor)

    numbers = [one.number for one in (*first.items, *rest.items)]
    assert numbers == ["DG-2026-09-0003", "DG-2026-09-0002", "DG-2026-09-0001"]
    assert rest.next_cursor is None
