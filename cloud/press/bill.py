"""A bill on paper: what is asked, what it consists of, the dials, and where the tiers begin."""

from collections.abc import Sequence
from decimal import Decimal

from cloud.domain.bill import Bill, BilledLadder, BilledService
from cloud.domain.capitals import amount_in_capitals
from cloud.domain.dial import dial_digits
from cloud.domain.invoice import InvoiceKind, InvoiceLine
from cloud.domain.periods import time_zone
from cloud.domain.usage import DialReading, UsageSegment
from cloud.domain.user import Locale
from cloud.press.proof import proof_of
from cloud.press.sheet import Block, Dial, Labelled, Metering, Row, Section, Sheet, Stairs, Tread
from cloud.press.words import Words, number

_HUES = {"electricity": "electricity", "water": "water", "hot_water": "water"}
# How much of an open last tier is drawn beyond the last bound or the use.
_STRIP_ROOM = 1.1


def bill_sheet(bill: Bill, language: Locale, origin: str) -> Sheet:
    """Return the sheet of a bill or credit note; `origin` is where its code can be verified."""
    words = Words(language, time_zone(bill.site.time_zone))
    invoice = bill.invoice
    is_credit = invoice.kind is InvoiceKind.CREDIT_NOTE
    notes = [] if is_credit else [words.say("no_power")]
    return Sheet(
        template="bill",
        language=language.value,
        title=words.say("credit_note" if is_credit else "bill"),
        site=bill.site.name,
        number=invoice.number,
        head=_head(bill, words),
        total_label=words.say("total_credit" if is_credit else "total_due"),
        total=words.money(invoice.total_fen),
        capitals=f"{words.say('capitals')} {amount_in_capitals(invoice.total_fen)}",
        columns=(words.say("item"), words.say("quantity"), words.say("price"), words.say("amount")),
        sections=tuple(_section(service, words) for service in bill.services),
        notes=(*notes, words.say("not_tax")),
        foot=f"{bill.site.name} · {invoice.number}",
        proof=proof_of(origin, invoice.number, bill.code, words),
    )


def _head(bill: Bill, words: Words) -> tuple[Labelled, ...]:
    invoice = bill.invoice
    head = [
        Labelled(words.say("flat"), invoice.space_code),
        Labelled(words.say("holder"), invoice.holder_name),
        Labelled(words.say("account"), invoice.account_number),
        Labelled(
            words.say("period"),
            f"{words.day(invoice.dates.start_on)} {words.say('until', words.day(invoice.dates.last_on))}",
        ),
        Labelled(words.say("issued"), words.day(invoice.issued_on)),
    ]
    if invoice.kind is InvoiceKind.CREDIT_NOTE:
        head.append(Labelled(words.say("corrects"), bill.corrects))
    else:
        head.append(Labelled(words.say("due"), words.day(invoice.due_on)))
    if invoice.reason:
        head.append(Labelled(words.say("reason"), invoice.reason))
    return tuple(head)


def _section(service: BilledService, words: Words) -> Section:
    notes = []
    if service.is_estimated:
        notes.append(words.say("estimated"))
    if len({segment.meter_serial for segment in service.segments}) > 1:
        notes.append(words.say("exchanged"))
    tariff = words.choose(service.tariff_zh, service.tariff_en)
    return Section(
        title=words.charge(service.charge_code),
        subtitle=tariff,
        amount=words.amount(service.amount_fen),
        hue=_HUES.get(service.charge_code, "other"),
        rows=tuple(_row(line, words) for line in service.lines),
        metering=tuple(_metering(segment, service.unit, words) for segment in service.segments),
        stairs=None if service.ladder is None else _stairs(service, service.ladder, words),
        notes=tuple(notes),
    )


def _row(line: InvoiceLine, words: Words) -> Row:
    name = words.choose(line.name_zh, line.name_en)
    part = words.part(line.tier)
    return Row(
        (
            f"{name} {part}".rstrip(),
            words.quantity(line.quantity, line.unit),
            "" if line.unit_price is None else words.price(line.unit_price),
            words.amount(line.amount_fen),
        )
    )


def _metering(segment: UsageSegment, unit: str, words: Words) -> Metering:
    register = f" {words.part(segment.register)}" if segment.register else ""
    times = "" if segment.multiplier == 1 else f" × {number(segment.multiplier, 0)}"
    return Metering(
        f"{segment.meter_serial}{register}",
        _dial(segment, segment.opening, "at_start", words),
        _dial(segment, segment.closing, "at_end", words),
        f"{words.say('usage')} {words.quantity(segment.quantity, unit)}{times}",
    )


def _dial(segment: UsageSegment, reading: DialReading, caption: str, words: Words) -> Dial:
    whole, fraction = dial_digits(reading.value_micro, segment.register_modulus_micro)
    return Dial(words.say(caption, words.moment_day(reading.measured_at_ms)), whole, fraction)


def _stairs(service: BilledService, ladder: BilledLadder, words: Words) -> Stairs | None:
    parts = [
        line
        for line in service.lines
        if line.component == ladder.component
        and line.tier.isdecimal()
        and line.quantity is not None
        and line.quantity > 0
    ]
    if not parts:
        return None
    used = sum((line.quantity or Decimal(0) for line in parts), Decimal(0))
    after = ladder.before + used
    bounds = [step.upper for step in ladder.steps if step.upper is not None]
    end = float(max([after, *bounds])) * _STRIP_ROOM
    treads = []
    lower = 0.0
    for step in ladder.steps:
        upper = end if step.upper is None else float(step.upper)
        label = words.say("tier", str(step.number))
        treads.append(Tread(step.number, (upper - lower) / end, label, words.price(step.price)))
        lower = upper
    marker = "position" if ladder.before else "position_month"
    return Stairs(
        words.say("tiers"),
        tuple(treads),
        float(ladder.before) / end,
        float(after) / end,
        words.say(marker, words.quantity(after, service.unit)),
        _blocks(parts, used, words),
        _sentence(parts, ladder, after, service.unit, words),
    )


def _blocks(parts: Sequence[InvoiceLine], used: Decimal, words: Words) -> tuple[Block, ...]:
    dearest = max(line.unit_price or Decimal(0) for line in parts) or Decimal(1)
    return tuple(
        Block(
            int(line.tier),
            float((line.quantity or Decimal(0)) / used),
            float((line.unit_price or Decimal(0)) / dearest),
            f"{words.quantity(line.quantity, line.unit)} × {words.price(line.unit_price or Decimal(0))}",
            words.amount(line.amount_fen),
        )
        for line in parts
    )


def _sentence(
    parts: Sequence[InvoiceLine], ladder: BilledLadder, after: Decimal, unit: str, words: Words
) -> str:
    """Say in one sentence what the picture shows."""
    steps = {step.number: step for step in ladder.steps}
    reached = int(parts[-1].tier)
    below = steps.get(reached - 1)
    if len({line.tier for line in parts}) > 1 and below is not None and below.upper is not None:
        return words.tell(
            "tier_bound_next",
            tier=str(reached),
            bound=words.quantity(below.upper, unit),
            unit=words.unit(unit),
            more=words.price(steps[reached].price - below.price),
        )
    upper = steps[reached].upper
    if upper is None:
        return words.say("tier_top")
    return words.tell("tier_one", tier=str(reached), left=words.quantity(upper - after, unit))
