"""Readings by hand and estimates: how an account that is held comes to its bill.

The invariant: what a person enters stands beside what the wire said, never over it; each says who,
when and why, and a bill's trace shows it. An estimate starts from an actual dial and is settled by the
next actual reading, up or down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from cloud.domain import money
from cloud.domain.access import Action, require
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.estimate import CYCLES_AVERAGED, BilledCycle, actual_cycles, estimate
from cloud.domain.ids import InstallationId, UserId
from cloud.domain.meter import Installation
from cloud.domain.periods import local_date, midnight_ms, time_zone
from cloud.domain.usage import DialReading
from cloud.domain.user import Role, User
from cloud.services.premises import site_of
from cloud.store import audit, boundaries, manual_readings, meters, usage
from cloud.store.db import Tx
from protocol.quantity import decimal_from_micro, micro_from_decimal

_REASON_LENGTH_MAX = 500
# An estimated dial is stated in hundredths, like those of most meters.
_DIAL_DECIMALS = 2


@dataclass(frozen=True, slots=True)
class ProposedEstimate:
    """What a dial would show by the mean of the last actual cycles, and what that was taken from.

    `starts_at` is the dial the last bill ended with; `anchor` the last that was really read.
    """

    installation_id: InstallationId
    on: date
    starts_at: Decimal
    anchor: Decimal
    cycles: tuple[Decimal, ...]
    quantity: Decimal
    value: Decimal


def record_reading(
    tx: Tx,
    actor: User,
    installation_id: InstallationId,
    on: date,
    value: Decimal,
    reason: str,
    *,
    is_rollover: bool = False,
) -> str:
    """Record what a meter showed at the beginning of a day; the last one recorded for it holds.

    `is_rollover` says that the person is sure the dial passed its zero since the last bill.
    Invalid for a value the dial cannot show or without a reason; Conflict for a day that has not begun.
    """
    require(actor, Action.ENTER_READINGS)
    installation, at_ms = _at(tx, installation_id, on)
    value_micro = _checked(installation, value, reason)
    if is_rollover and installation.meter.register_modulus_micro is None:
        raise Invalid(f"the full scale of meter {installation.meter.serial} is not known; enter it first")
    record_id = manual_readings.insert_reading(
        tx, installation_id, at_ms, value_micro, reason, _author(actor), is_rollover=is_rollover
    )
    detail = {"at_ms": at_ms, "value_micro": value_micro, "is_rollover": int(is_rollover)}
    audit.record(tx, actor.user_id, "record_reading", "installation", installation_id, detail)
    return record_id


def propose_estimate(tx: Tx, actor: User, installation_id: InstallationId, on: date) -> ProposedEstimate:
    """Return what a meter would show at the beginning of a day by the mean of its last actual cycles."""
    require(actor, Action.ENTER_READINGS)
    installation, _ = _at(tx, installation_id, on)
    cycles, last = _actual_cycles(tx, installation, on)
    if last is None:
        raise Conflict(
            f"meter {installation.meter.serial} has no bill that ended where this one begins; "
            "enter a reading instead"
        )
    quantity = estimate(cycles)
    dial = money.round_quantity(Fraction(quantity) / Fraction(installation.multiplier), _DIAL_DECIMALS)
    starts_at = decimal_from_micro(last.value_micro)
    anchor = starts_at if last.anchor_micro is None else decimal_from_micro(last.anchor_micro)
    value = money.EXACT.add(starts_at, dial)
    return ProposedEstimate(installation_id, on, starts_at, anchor, tuple(cycles), quantity, value)


def record_estimate(
    tx: Tx, actor: User, installation_id: InstallationId, on: date, reason: str
) -> ProposedEstimate:
    """Record the proposed estimate; the bill that uses it is marked, and the next reading settles it."""
    require(actor, Action.ENTER_READINGS)
    proposed = propose_estimate(tx, actor, installation_id, on)
    installation, at_ms = _at(tx, installation_id, on)
    value_micro = _checked(installation, proposed.value, reason)
    anchor_micro = micro_from_decimal(proposed.anchor)
    manual_readings.insert_reading(
        tx, installation_id, at_ms, value_micro, reason, _author(actor), anchor_micro
    )
    detail = {"at_ms": at_ms, "value_micro": value_micro, "anchor_micro": anchor_micro}
    audit.record(tx, actor.user_id, "record_estimate", "installation", installation_id, detail)
    return proposed


def nearest_reading(
    tx: Tx, actor: User, installation_id: InstallationId, on: date
) -> DialReading | tuple[str, str]:
    """Return what would bill a meter at the beginning of a day from the wire, or (problem, detail)."""
    require(actor, Action.READ_METERS)
    installation, at_ms = _at(tx, installation_id, on)
    if installation.series_id is None:
        return ("missing_reading", "the meter is read by hand")
    found = boundaries.readings_nearest(tx, [installation.series_id], at_ms)[installation.series_id]
    return found if isinstance(found, DialReading) else (found[0].value, found[1])


def _at(tx: Tx, installation_id: InstallationId, on: date) -> tuple[Installation, int]:
    installation = meters.find_installation(tx, installation_id)
    if installation is None:
        raise NotFound(f"there is no installation {installation_id}")
    site = site_of(tx, meters.site_of_service_point(tx, installation.service_point_id))
    zone = time_zone(site.time_zone)
    at_ms = midnight_ms(on, zone)
    if at_ms > tx.now_ms:
        raise Conflict(f"{on} has not begun at {site.code}; today is {local_date(tx.now_ms, zone)}")
    return installation, at_ms


def _actual_cycles(
    tx: Tx, installation: Installation, on: date
) -> tuple[Sequence[Decimal], DialReading | None]:
    """Return what the last cycles used as far as it was read, and the dial the last bill ended with."""
    billed = usage.usage_before(tx, installation.service_point_id, on, CYCLES_AVERAGED * 2)
    cycles = [
        BilledCycle(
            part.quantity,
            any(segment.opening.source == "estimate" for segment in part.segments),
            part.is_estimated,
        )
        for part in billed
    ]
    actual = actual_cycles(cycles)[-CYCLES_AVERAGED:]
    own = [
        segment.closing
        for part in billed
        for segment in part.segments
        if segment.installation_id == installation.installation_id
    ]
    return actual, own[-1] if own else None


def _checked(installation: Installation, value: Decimal, reason: str) -> int:
    if not reason.strip() or len(reason) > _REASON_LENGTH_MAX:
        raise Invalid(f"say in at most {_REASON_LENGTH_MAX} characters why the reading is entered by hand")
    value_micro = micro_from_decimal(value)
    modulus = installation.meter.register_modulus_micro
    if value_micro < 0 or (modulus is not None and value_micro >= modulus):
        most = "" if modulus is None else f", it shows 0 to {money.plain(decimal_from_micro(modulus))}"
        raise Invalid(f"meter {installation.meter.serial} cannot show {money.plain(value)}{most}")
    return value_micro


def _author(actor: User) -> UserId | None:
    return None if actor.role is Role.SYSTEM else actor.user_id
