"""Writing a point of a Modbus device: what may be written, and the request that does it.

The invariant: nothing is sent for a point the profile does not let be written, for a value outside of
its limits, or for one its words cannot hold exactly.
"""

from decimal import Decimal

from edge.drivers.modbus_plan import source_of
from protocol.errors import ProtocolError, Refused
from protocol.fieldbus import modbus
from protocol.fieldbus.modbus import FunctionCode
from protocol.fieldbus.words import NumberKind, WordOrder, encode_number
from protocol.quantity import MICRO, Kind, decimal_from_micro
from provisioning.profile import PointProfile, Profile
from provisioning.profile_modbus import SWITCHED_STATES


def switched_points(profile: Profile) -> frozenset[str]:
    """Return the points of a profile that are switched, not set."""
    return frozenset(p.name for p in profile.points if p.name in SWITCHED_STATES and p.write is not None)


def write_request(profile: Profile, point: PointProfile, value_micro: int, unit_id: int) -> modbus.Request:
    """Return the request that sets the point; Refused says what cannot be written and why."""
    limits, source = point.write, source_of(point)
    if limits is None:
        raise Refused(f"{point.name} is only read: its profile has no limits for writing")
    if not limits.min_micro <= value_micro <= limits.max_micro:
        low, high, wanted = (
            f"{decimal_from_micro(micro):f}" for micro in (limits.min_micro, limits.max_micro, value_micro)
        )
        raise Refused(f"{point.name}: {wanted} is not {low} to {high}")
    raw = _raw(point, value_micro)
    if source.table.is_bits:
        return modbus.Request(unit_id, FunctionCode.WRITE_COIL, source.address, 1, (int(raw),))
    try:
        words = encode_number(raw, NumberKind(source.encoding), WordOrder(source.word_order))
    except ProtocolError as error:
        raise Refused(f"{point.name}: {error}") from error
    code = FunctionCode.WRITE_HOLDING_REGISTERS
    if len(words) == 1 and not profile.writes_multiple:
        code = FunctionCode.WRITE_HOLDING_REGISTER
    return modbus.Request(unit_id, code, source.address, len(words), tuple(words))


def _raw(point: PointProfile, value_micro: int) -> Decimal:
    if point.quantity.kind is Kind.STATE:
        code, known = value_micro // MICRO, {code: int(raw) for raw, code in point.codes.items()}
        if code not in point.quantity.codes or (known and code not in known):
            raise Refused(f"{point.name}: the model has no word for {point.quantity.codes.get(code, code)}")
        return Decimal(known.get(code, code))
    return decimal_from_micro(value_micro) / source_of(point).scale
