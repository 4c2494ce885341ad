"""Apportionment: sharing what the common parts cost or used, exact to the fen.

The invariant: shares add up to the total, each is less than one fen from its exact value, and the
same rooms with the same weights always get the same shares: fen left over go to the largest
remainders, ties to the room whose id comes first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from cloud.domain import money
from cloud.domain.errors import Invalid
from cloud.domain.money import Number


class ShareBasis(Enum):
    """What a room's weight is."""

    AREA = "area"
    AREA_AND_FLOOR = "area_and_floor"  # half of the total by area, half by floor coefficient
    FLOOR_COEFFICIENT = "floor_coefficient"  # area times the coefficient of its floor (lift costs)
    HEADCOUNT = "headcount"
    ROOM = "room"
    SUBMETER = "submeter"  # in proportion to each room's own usage


@dataclass(frozen=True, slots=True)
class Room:
    """A room that may bear a share; `is_excluded` by a dated rule (ground floor and lift, vacancy)."""

    room_id: str
    area_m2: Decimal = Decimal(0)
    headcount: int = 0
    floor_coefficient: Decimal = Decimal(1)
    own_usage: Decimal = Decimal(0)
    is_excluded: bool = False


@dataclass(frozen=True, slots=True)
class PublicUsage:
    """What a master meter measured beyond its sub-meters, and the share of it nobody's meter explains."""

    master: Decimal
    submeters: Decimal
    public_meters: Decimal

    @property
    def to_share(self) -> Decimal:
        """Return master minus sub-meters: what the common parts used, losses included."""
        return money.EXACT.subtract(self.master, self.submeters)

    @property
    def loss(self) -> Decimal:
        """Return what neither sub-meters nor public meters measured; negative is a fault to look for."""
        return money.EXACT.subtract(self.to_share, self.public_meters)

    @property
    def loss_ratio(self) -> Fraction:
        """Return the loss as a share of the master's usage; zero where the master stood still."""
        return Fraction(self.loss) / Fraction(self.master) if self.master else Fraction(0)


def apportion(total_fen: int, weights: Mapping[str, Number]) -> dict[str, int]:
    """Return each room's share of an amount, in the order of room ids."""
    rooms = sorted(weights)
    shares = money.split_fen(total_fen, [weights[room] for room in rooms])
    return dict(zip(rooms, shares, strict=True))


def apportion_by(total_fen: int, rooms: Sequence[Room], basis: ShareBasis) -> dict[str, int]:
    """Return the shares of all rooms on a basis; excluded rooms have a share of zero."""
    bearing = [room for room in rooms if not room.is_excluded]
    if not bearing:
        raise Invalid(f"{total_fen} fen cannot be shared: all {len(rooms)} rooms are excluded")
    shares = apportion(total_fen, weights_of(bearing, basis))
    return {room.room_id: shares.get(room.room_id, 0) for room in sorted(rooms, key=lambda r: r.room_id)}


def weights_of(rooms: Sequence[Room], basis: ShareBasis) -> dict[str, Number]:
    """Return the weight of every room on a basis."""
    match basis:
        case ShareBasis.AREA:
            return {room.room_id: room.area_m2 for room in rooms}
        case ShareBasis.FLOOR_COEFFICIENT:
            return {r.room_id: money.EXACT.multiply(r.area_m2, r.floor_coefficient) for r in rooms}
        case ShareBasis.HEADCOUNT:
            return {room.room_id: room.headcount for room in rooms}
        case ShareBasis.ROOM:
            return {room.room_id: 1 for room in rooms}
        case ShareBasis.SUBMETER:
            return {room.room_id: room.own_usage for room in rooms}
        case ShareBasis.AREA_AND_FLOOR:
            area = sum((Fraction(room.area_m2) for room in rooms), Fraction(0))
            floor = sum((Fraction(room.floor_coefficient) for room in rooms), Fraction(0))
            if not area or not floor:
                raise Invalid("areas and floor coefficients must not all be zero")
            return {
                r.room_id: Fraction(r.area_m2) / area + Fraction(r.floor_coefficient) / floor for r in rooms
            }


def adjustments(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Return what each room is owed or owes when a share is run again; the differences add up to zero
    where the total is the same. Rooms that were missing before, or are no longer there, count from zero.
    """
    rooms = sorted(set(before) | set(after))
    return {room: after.get(room, 0) - before.get(room, 0) for room in rooms}
