"""Usage: from what a meter's dial showed at two moments to the quantity that may be billed.

The invariant: a quantity is billed only when every part of it follows from two readings of one
meter. A dial that went backwards is a rollover only where that is plausible; otherwise, and where
a reading is missing, the answer is a typed problem for a person, never a negative or a guess.

usage = sum over installations of (closing - opening [+ full scale if rolled over]) x multiplier

A changed multiplier (new current transformers) ends one installation and begins the next of the same
meter, with the reading taken at that moment as closing and opening value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from cloud.domain import money
from cloud.domain.errors import Invalid
from cloud.domain.ids import InstallationId, SeriesId
from cloud.domain.meter import Installation

DAY_MS = 86_400_000

# A dial is about to roll over when nine tenths of its full scale are behind it.
_NEAR_FULL_SCALE = Fraction(9, 10)
# A multiplier above this is possible (6 kV x 500/5 = 6000) but more often a slip: worth asking.
MULTIPLIER_TO_CONFIRM = Decimal(1000)
# Quantities are kept in millionths; beyond six decimals a product is rounded half up, once.
_QUANTITY_DECIMALS = 6


class Judgement(Enum):
    """What the difference of two readings of one dial is."""

    IMPLAUSIBLE_RISE = "implausible_rise_hold"  # more than the meter can measure in that time: held
    NORMAL = "normal"
    REGISTER_DROP = "register_drop_hold"  # reset, tampering or a wrong reading: held for a person
    ROLLOVER = "rollover"
    TRUE_UP = "true_up"  # the bill before was estimated too high; the difference is given back


class ProblemKind(Enum):
    """Why a service point cannot be billed."""

    EARLIER_UNBILLED = "earlier_unbilled"  # an earlier period of the account waits for its bill
    DEFECT = "defect"  # the program could not bill it; its log says why
    HELD_READING = "held_reading"  # the reading at the boundary waits for a person's decision
    IMPLAUSIBLE_RISE = "implausible_rise"
    MISSING_READING = "missing_reading"
    NO_INSTALLATION = "no_installation"  # no meter is installed for a part of the period
    NOT_RATED = "not_rated"  # the tariff lacks something: a floor area, the periods of use
    NO_TARIFF = "no_tariff"  # no active version of its tariff on some day
    REGISTER_DROP = "register_drop"


@dataclass(frozen=True, slots=True)
class Dial:
    """What a meter can show and take: full scale and the most it can count in a day, in millionths.

    None where it is not known: without a full scale no drop can be a rollover, without a greatest
    daily amount no rise can be judged.
    """

    modulus_micro: int | None = None
    max_per_day_micro: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("full scale", self.modulus_micro), ("most per day", self.max_per_day_micro)):
            if value is not None and value <= 0:
                raise Invalid(f"a meter's {name} is more than zero, not {value} millionths")


@dataclass(frozen=True, slots=True)
class DialReading:
    """What a dial showed at one moment, and where that is recorded.

    `source` is "wire" for a reading from a gateway (then series, epoch and seq name it), "opening"
    and "closing" for the values a person noted when the meter was installed or removed, "manual" for
    one a person read since, "rollover" if that person saw that the dial had passed its zero, "estimate"
    for one nobody read: `anchor_micro` is then the last actual dial
    before it, and `record_id` names the record of either.
    """

    value_micro: int
    measured_at_ms: int
    source: str = "wire"
    series_id: SeriesId | None = None
    epoch: int | None = None
    seq: int | None = None
    record_id: str | None = None
    anchor_micro: int | None = None

    @property
    def value(self) -> Decimal:
        """Return the value in the meter's unit, exactly."""
        return Decimal(self.value_micro).scaleb(-6, money.EXACT)


@dataclass(frozen=True, slots=True)
class Difference:
    """What lies between two readings of a dial, in millionths, and what kind of difference it is.

    For a drop `modular_micro` is what a rollover would have meant; None where full scale is unknown.
    """

    judgement: Judgement
    modular_micro: int | None

    @property
    def is_billable(self) -> bool:
        """Tell whether the difference may be billed without a person."""
        return self.judgement in (Judgement.NORMAL, Judgement.ROLLOVER, Judgement.TRUE_UP)


@dataclass(frozen=True, slots=True)
class UsageSegment:
    """The part of a usage that one installation measured."""

    installation_id: InstallationId
    meter_serial: str
    multiplier: Decimal
    opening: DialReading
    closing: DialReading
    judgement: Judgement
    dial_difference_micro: int
    quantity: Decimal
    register_modulus_micro: int | None = None
    register: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a service point used, and the segments it follows from, in order of time.

    Negative only where an estimate before was too high.
    """

    quantity: Decimal
    segments: tuple[UsageSegment, ...]

    @property
    def is_estimated(self) -> bool:
        """Tell whether its end is an estimate, to be settled by the next actual reading."""
        return any(segment.closing.source == "estimate" for segment in self.segments)


@dataclass(frozen=True, slots=True)
class UsageProblem:
    """Why there is no usage: the meter to visit, the moment, and what a person would want to know."""

    kind: ProblemKind
    meter_serial: str
    at_ms: int
    detail: str


# Answers for a meter and a moment which reading bills there, or why none does (`ProblemKind`, detail).
ReadingAt = Callable[[Installation, int], "DialReading | tuple[ProblemKind, str]"]


def judge(opening_micro: int, closing_micro: int, dial: Dial, elapsed_ms: int) -> Difference:
    """Say what the difference of two readings of one dial is; `elapsed_ms` is the time between them."""
    rise = closing_micro - opening_micro
    if rise >= 0:
        if _is_too_much(rise, dial, elapsed_ms):
            return Difference(Judgement.IMPLAUSIBLE_RISE, rise)
        return Difference(Judgement.NORMAL, rise)
    if dial.modulus_micro is None:
        return Difference(Judgement.REGISTER_DROP, None)
    modular = rise % dial.modulus_micro
    is_near_full = opening_micro > dial.modulus_micro * _NEAR_FULL_SCALE
    is_rollover = is_near_full and dial.max_per_day_micro is not None
    if is_rollover and not _is_too_much(modular, dial, elapsed_ms):
        return Difference(Judgement.ROLLOVER, modular)
    return Difference(Judgement.REGISTER_DROP, modular)


def measure(
    installations: Sequence[Installation], start_ms: int, end_ms: int, reading_at: ReadingAt
) -> Usage | list[UsageProblem]:
    """Return what a service point used in `[start_ms, end_ms)`, or every reason why that is unknown.

    Meters installed or removed inside count with their opening and closing values. The installations
    must cover the whole span: energy that flowed past no meter is nobody's to guess.
    """
    present = sorted(
        (i for i in installations if i.from_at_ms < end_ms and (i.to_at_ms is None or i.to_at_ms > start_ms)),
        key=lambda i: i.from_at_ms,
    )
    problems = _gaps(present, start_ms, end_ms)
    segments: list[UsageSegment] = []
    for installation in present:
        outcome = _segment(installation, start_ms, end_ms, reading_at)
        if isinstance(outcome, UsageSegment):
            segments.append(outcome)
        else:
            problems.extend(outcome)
    if problems:
        return problems
    return Usage(add_quantities([segment.quantity for segment in segments]), tuple(segments))


def segment_between(
    installation: Installation, opening: DialReading, closing: DialReading
) -> UsageSegment | UsageProblem:
    """Return what one meter measured between two readings of it, or why that must be held."""
    elapsed_ms = closing.measured_at_ms - opening.measured_at_ms
    dial = Dial(installation.meter.register_modulus_micro, installation.meter.max_per_day_micro)
    difference = _difference(opening, closing, dial, elapsed_ms)
    if not difference.is_billable or difference.modular_micro is None:
        return _held(installation, opening, closing, difference)
    return UsageSegment(
        installation.installation_id,
        installation.meter.serial,
        installation.multiplier,
        opening,
        closing,
        difference.judgement,
        difference.modular_micro,
        quantity_of(difference.modular_micro, installation.multiplier),
        dial.modulus_micro,
        installation.register,
    )


def _difference(opening: DialReading, closing: DialReading, dial: Dial, elapsed_ms: int) -> Difference:
    """Judge two readings; below an estimate, but not below what was actually read, is a true-up.

    A rollover that a person vouches for needs no plausibility.
    """
    anchor = opening.anchor_micro
    drop = closing.value_micro - opening.value_micro
    if closing.source == "rollover" and drop < 0 and dial.modulus_micro is not None:
        return Difference(Judgement.ROLLOVER, drop % dial.modulus_micro)
    if anchor is None or not anchor <= closing.value_micro < opening.value_micro:
        return judge(opening.value_micro, closing.value_micro, dial, elapsed_ms)
    return Difference(Judgement.TRUE_UP, closing.value_micro - opening.value_micro)


def quantity_of(dial_difference_micro: int, multiplier: Decimal) -> Decimal:
    """Return a dial's difference times its multiplier, decimals included."""
    return money.EXACT.multiply(Decimal(dial_difference_micro).scaleb(-6, money.EXACT), multiplier)


def add_quantities(quantities: Sequence[Decimal]) -> Decimal:
    """Return the sum of segments as it is billed: in millionths, half up where a multiplier went finer."""
    total = money.add(quantities)
    exponent = total.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > _QUANTITY_DECIMALS:
        return money.round_quantity(total, _QUANTITY_DECIMALS)
    return total


def transformer_ratio(text: str) -> Decimal:
    """Return the ratio of a transformer's rating plate, "500/5" or "6000/100"; Invalid if not exact."""
    primary, slash, secondary = text.partition("/")
    if not slash:
        return money.decimal(text)
    over, under = money.decimal(primary.strip()), money.decimal(secondary.strip())
    if over <= 0 or under <= 0:
        raise Invalid(f"transformer ratio {text!r}: both parts are more than zero")
    ratio = Fraction(over) / Fraction(under)
    rounded = money.round_quantity(ratio, _QUANTITY_DECIMALS)
    if Fraction(rounded) != ratio:
        raise Invalid(f"transformer ratio {text!r} has more than {_QUANTITY_DECIMALS} decimals")
    return rounded


def multiplier_of(current_ratio: str = "1", voltage_ratio: str = "1") -> Decimal:
    """Return the multiplier of a meter behind current and voltage transformers: CT x PT."""
    return money.EXACT.multiply(transformer_ratio(current_ratio), transformer_ratio(voltage_ratio))


def _is_too_much(rise_micro: int, dial: Dial, elapsed_ms: int) -> bool:
    if dial.max_per_day_micro is None:
        return False
    # Days begun, not days passed: an hour may well take more than a twenty-fourth of a day's most.
    days = max(1, -(-elapsed_ms // DAY_MS))
    return rise_micro > dial.max_per_day_micro * days


def _segment(
    installation: Installation, start_ms: int, end_ms: int, reading_at: ReadingAt
) -> UsageSegment | list[UsageProblem]:
    opening = _opening(installation, start_ms, reading_at)
    closing = _closing(installation, end_ms, reading_at)
    if isinstance(opening, DialReading) and isinstance(closing, DialReading):
        outcome = segment_between(installation, opening, closing)
        return outcome if isinstance(outcome, UsageSegment) else [outcome]
    return [part for part in (opening, closing) if isinstance(part, UsageProblem)]


def _opening(installation: Installation, start_ms: int, reading_at: ReadingAt) -> DialReading | UsageProblem:
    if installation.from_at_ms >= start_ms:
        return DialReading(installation.opening_value_micro, installation.from_at_ms, "opening")
    return _boundary(installation, start_ms, reading_at)


def _closing(installation: Installation, end_ms: int, reading_at: ReadingAt) -> DialReading | UsageProblem:
    if installation.to_at_ms is None or installation.to_at_ms > end_ms:
        return _boundary(installation, end_ms, reading_at)
    if installation.closing_value_micro is None:
        detail = "the meter was removed without a closing value; enter the value it showed when removed"
        return UsageProblem(
            ProblemKind.MISSING_READING, installation.meter.serial, installation.to_at_ms, detail
        )
    return DialReading(installation.closing_value_micro, installation.to_at_ms, "closing")


def _boundary(installation: Installation, at_ms: int, reading_at: ReadingAt) -> DialReading | UsageProblem:
    found = reading_at(installation, at_ms)
    if isinstance(found, DialReading):
        return found
    kind, detail = found
    return UsageProblem(kind, installation.meter.serial, at_ms, detail)


def _gaps(present: Sequence[Installation], start_ms: int, end_ms: int) -> list[UsageProblem]:
    problems = []
    covered_ms = start_ms
    serial = ""
    for installation in present:
        if installation.from_at_ms > covered_ms:
            problems.append(_gap(serial or installation.meter.serial, covered_ms, installation.from_at_ms))
        if installation.from_at_ms < covered_ms and serial:
            detail = f"meters {serial} and {installation.meter.serial} are both installed at this moment"
            at_ms = installation.from_at_ms
            problems.append(
                UsageProblem(ProblemKind.NO_INSTALLATION, installation.meter.serial, at_ms, detail)
            )
        covered_ms = max(covered_ms, end_ms if installation.to_at_ms is None else installation.to_at_ms)
        serial = installation.meter.serial
    if covered_ms < end_ms:
        problems.append(_gap(serial, covered_ms, end_ms))
    return problems


def _gap(serial: str, from_ms: int, to_ms: int) -> UsageProblem:
    hours = money.plain(money.round_quantity(Fraction(to_ms - from_ms, 3_600_000), 1))
    detail = f"no meter is installed for {hours} h; enter the installation or end the supply"
    return UsageProblem(ProblemKind.NO_INSTALLATION, serial, from_ms, detail)


def _held(
    installation: Installation, opening: DialReading, closing: DialReading, difference: Difference
) -> UsageProblem:
    span = f"{money.plain(opening.value)} to {money.plain(closing.value)}"
    if difference.judgement is Judgement.IMPLAUSIBLE_RISE:
        most = Decimal(installation.meter.max_per_day_micro or 0).scaleb(-6)
        detail = f"{span} is more than the meter's {money.plain(most)} a day allows; check the readings"
        kind = ProblemKind.IMPLAUSIBLE_RISE
    else:
        detail = f"the dial went from {span} and that is no plausible rollover; exchanged, reset or misread?"
        kind = ProblemKind.REGISTER_DROP
    return UsageProblem(kind, installation.meter.serial, closing.measured_at_ms, detail)
