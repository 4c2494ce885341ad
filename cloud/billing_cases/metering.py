"""Adapters for meters: multipliers, rollovers, exchanges, estimates, time of use."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from cloud import tariffs as shelf
from cloud.billing_cases.case import Case, Inputs, NotSupported, NotThis
from cloud.domain import money
from cloud.domain.errors import Invalid
from cloud.domain.estimate import estimate
from cloud.domain.ids import InstallationId, MeterId, SeriesId, ServicePointId
from cloud.domain.meter import Installation, Meter
from cloud.domain.money import CNY
from cloud.domain.premises import Commodity
from cloud.domain.tariff_calendar import parse_calendar
from cloud.domain.tariffs.time_of_use import PeriodPrices
from cloud.domain.time_of_use import Calendar, Interval, Slots, minute_of_day, period_at, split_intervals
from cloud.domain.usage import (
    DAY_MS,
    Dial,
    DialReading,
    Judgement,
    ProblemKind,
    Usage,
    judge,
    measure,
    multiplier_of,
    quantity_of,
)

_START_MS = 1_780_243_200_000  # 2026-06-01T00:00+08:00
_STEP_MS = 10 * DAY_MS
_HOUR_MS = 3_600_000
# "10–15" in a title: hours of the day, with a hyphen or an en dash.
_HOURS = re.compile(r"(?<!\d)(\d{1,2})[–-](\d{1,2})(?!\d)")


def multiplier(inputs: Inputs, _case: Case) -> dict[str, Any]:
    """Multiply what a dial moved by the transformers' ratio."""
    if "multiplier" in inputs:
        factor = inputs.number("multiplier")
    else:
        factor = multiplier_of(str(inputs.take("ct") or "1"), str(inputs.take("pt") or "1"))
    if "dial" in inputs:
        moved = inputs.number("dial")
    else:
        moved = money.EXACT.subtract(inputs.number("cur"), inputs.number("prev", "0"))
    quantity = quantity_of(_micro(moved), factor)
    return {
        "multiplier": factor,
        "kwh": quantity,
        "consumption": quantity,
        "m3": quantity,
        "kwh_if_truncated": Decimal(int(moved)) * factor,
        "published_wrong_value": NotThis(factor),
    }


def register_difference(inputs: Inputs, _case: Case) -> dict[str, Any]:
    """Judge two readings of one dial: normal, rolled over, or held for a person."""
    digits = inputs.take("digits")
    stated = inputs.first("modulus", "full_scale")
    modulus = None if stated is None else money.decimal(stated)
    if modulus is None and digits is not None:
        modulus = Decimal(10) ** int(digits)
    limit = inputs.first("max_daily", "max_per_day")
    most = None if limit is None else money.decimal(limit)
    dial = Dial(None if modulus is None else _micro(modulus), None if most is None else _micro(most))
    opening, closing = _micro(inputs.number("prev")), _micro(inputs.number("cur"))
    elapsed_ms = int(inputs.number("days", "1") * DAY_MS)
    difference = judge(opening, closing, dial, elapsed_ms)
    factor = inputs.number("multiplier", "1")
    billable = None
    if difference.is_billable and difference.modular_micro is not None:
        billable = quantity_of(difference.modular_micro, factor)
    modular = None if difference.modular_micro is None else _units(difference.modular_micro)
    return {
        "kind": difference.judgement.value,
        "consumption": billable,
        "billable": billable,
        "modular_delta": modular,
        "naive_wrong": _units(closing - opening),
    }


def meter_exchange(inputs: Inputs, _case: Case) -> dict[str, Any]:
    """Add up what the meters measured that hung at one place, one after the other."""
    parts: list[Mapping[str, Any]] = inputs.need("components")
    common = inputs.take("max_daily")
    readings: dict[tuple[str, int], DialReading] = {}
    installations = []
    for index, part in enumerate(parts):
        known = {"meter", "prev", "end", "cur", "multiplier", "ct", "modulus", "max_daily", "days"}
        if strange := sorted(set(part) - known):
            raise NotSupported(f"components[{index}]: {strange[0]!r} is not understood")
        start_ms, end_ms = _START_MS + index * _STEP_MS, _START_MS + (index + 1) * _STEP_MS
        opening, closing = (
            _micro(money.decimal(v)) for v in (part["prev"], part.get("end", part.get("cur")))
        )
        modulus, most = part.get("modulus"), part.get("max_daily", common)
        meter = Meter(
            MeterId(str(index)),
            str(part.get("meter", index)),
            Commodity.WATER,
            "",
            None if modulus is None else _micro(money.decimal(modulus)),
            None if most is None else _micro(money.decimal(most)),
        )
        factor = (
            multiplier_of(str(part["ct"])) if "ct" in part else money.decimal(part.get("multiplier", "1"))
        )
        is_last = index == len(parts) - 1
        installations.append(
            Installation(
                InstallationId(str(index)), ServicePointId("-"), meter, SeriesId(index), start_ms,
                None if is_last else end_ms, opening, None if is_last else closing, factor, "",
            )
        )  # fmt: skip
        readings[meter.serial, end_ms] = DialReading(closing, end_ms)
    end_ms = _START_MS + len(parts) * _STEP_MS

    def reading_at(installation: Installation, at_ms: int) -> DialReading | tuple[ProblemKind, str]:
        found = readings.get((installation.meter.serial, at_ms))
        return found or (ProblemKind.MISSING_READING, "no reading")

    outcome = measure(installations, _START_MS, end_ms, reading_at)
    naive = _micro(money.decimal(parts[-1].get("end", parts[-1].get("cur")))) - _micro(
        money.decimal(parts[0]["prev"])
    )
    answer: dict[str, Any] = {"naive_wrong": _units(naive)}
    if isinstance(outcome, Usage):
        by_part = [segment.quantity for segment in outcome.segments]
        return answer | {"consumption": outcome.quantity, "kwh": outcome.quantity, "parts": by_part}
    held = outcome[0]
    kind = Judgement.REGISTER_DROP if held.kind is ProblemKind.REGISTER_DROP else Judgement.IMPLAUSIBLE_RISE
    return answer | {"consumption": None, "billable": None, "kind": kind.value}


def estimated(inputs: Inputs, _case: Case) -> dict[str, Any]:
    """Estimate a cycle from the actual ones before it."""
    return {"estimate": estimate([money.decimal(quantity) for quantity in inputs.need("history")])}


def time_of_use_slot(inputs: Inputs, case: Case) -> dict[str, Any]:
    """Say which period an interval belongs to, dividing it by time where it straddles a bound."""
    begins = datetime.fromisoformat(inputs.first("slot_start", "start") or inputs.need("start"))
    if "slot_minutes" in inputs:
        ends = begins + timedelta(minutes=int(inputs.take("slot_minutes")))
    else:
        ends = datetime.fromisoformat(inputs.need("end"))
    zone = _zone(begins)
    calendar, prices = _calendar(inputs, case)
    start_ms = int(begins.timestamp()) * 1000
    interval = Interval(start_ms, int(ends.timestamp()) * 1000, inputs.number("kwh"))
    split = split_intervals([interval], calendar, zone)
    answer: dict[str, Any] = {
        "period": period_at(start_ms, calendar, zone),
        "split": dict(split.by_period),
        "flag": "linear_split" if split.is_linear else None,
        "seconds_since_midnight": minute_of_day(f"{begins:%H:%M}") * 60,
        "buggy_seconds": begins.hour * 3600,
    }
    if prices is not None:
        answer["amount"] = _amount(split.by_period, prices)
        # What a program charges that forgets the minutes of a bound and takes the hour's period.
        whole_hour_ms = start_ms - start_ms % _HOUR_MS
        hour_period = calendar.period_at(begins.month, "ordinary", begins.hour * 60)
        if hour_period is not None and whole_hour_ms <= start_ms:
            answer["buggy_amount"] = _amount({hour_period: interval.quantity}, prices)
    return answer


def _calendar(inputs: Inputs, case: Case) -> tuple[Calendar, PeriodPrices | None]:
    stated = inputs.take("periods")
    if stated is None:
        return _shipped_calendar(inputs, case), None
    slots, prices = [], {}
    for entry in stated:
        if strange := sorted(set(entry) - {"k", "start", "end", "price", "months"}):
            raise NotSupported(f"periods: {strange[0]!r} is not understood")
        months = tuple(entry.get("months") or range(1, 13))
        windows = _windows(entry["start"], entry["end"])
        try:
            slots.append(Slots(period=entry["k"], windows=windows, months=months))
        except ValueError as error:
            raise Invalid(str(error)) from error
        if "price" in entry:
            prices[entry["k"]] = money.UnitPrice(money.decimal(entry["price"]))
    return Calendar(periods=tuple(slots)), PeriodPrices(prices=prices) if prices else None


def _windows(start: str, end: str) -> tuple[tuple[str, str], ...]:
    if end == "00:00":
        end = "24:00"
    if start < end:
        return ((start, end),)
    return ((start, "24:00"), ("00:00", end))


def _shipped_calendar(inputs: Inputs, case: Case) -> Calendar:
    """Return the shipped calendar that is named, or whose place and hours the title names.

    "Beijing: 峰 10–15 & 18–21, 尖 11–13" means the version of Beijing's calendar with most of these
    windows, and the newest of those.
    """
    code = inputs.take("tariff")
    stated = {(f"{int(a):02}:00", f"{int(b):02}:00") for a, b in _HOURS.findall(case.title)}
    found = []
    for _, body in shelf.shipped_calendars():
        document = parse_calendar(body)
        if document.code == code or (code is None and document.name_en.split()[0] in case.title):
            found += [version.calendar for version in document.versions]
    if not found:
        raise NotSupported("the case states no periods and no shipped time-of-use calendar fits it")
    return max(reversed(found), key=lambda calendar: len(stated & _windows_of(calendar)))


def _windows_of(calendar: Calendar) -> set[tuple[str, str]]:
    return {window for slots in calendar.periods for window in slots.windows}


def _amount(by_period: Mapping[str, Decimal], prices: PeriodPrices) -> str:
    amounts = [money.EXACT.multiply(prices.price_of(period), qty) for period, qty in by_period.items()]
    return CNY.text(sum(money.round_fen(amount) for amount in amounts))


def _zone(moment: datetime) -> ZoneInfo:
    offset = moment.utcoffset()
    if offset is None:
        return ZoneInfo("Asia/Shanghai")
    hours, rest = divmod(offset, timedelta(hours=1))
    if rest:
        raise NotSupported(f"the offset of {moment.isoformat()} is no whole hour")
    return ZoneInfo(f"Etc/GMT{-hours:+d}" if hours else "UTC")


def _micro(value: Decimal) -> int:
    micro = int(value.scaleb(6, money.EXACT))
    if Decimal(micro) != value.scaleb(6, money.EXACT):
        raise NotSupported(f"{value} has more than six decimals")
    return micro


def _units(micro: int) -> Decimal:
    return Decimal(micro).scaleb(-6, money.EXACT)
