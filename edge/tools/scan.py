"""What is on this bus? Every speed, parity and protocol is tried; what answers becomes a configuration.

DL/T 645 and CJ/T 188 meters are asked by wildcard, which finds one meter at a time; where several
answer at once the address is found pair by pair, since a wildcard may stand for any two digits; so
are M-Bus meters by their secondary address, digit by digit.
Modbus units are counted through, and the shipped profiles are tried on each. Nothing is written.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from edge.clock import Clock
from edge.driver import Ask, Priority
from edge.drivers.modbus import FUNCTION_CODES, ModbusReceiver
from edge.drivers.modbus_plan import plan_blocks
from edge.drivers.modbus_values import Doubtful, converter
from edge.errors import BadFrame, NoReply
from edge.line import Line
from edge.tools.direct import open_line
from edge.tools.raw import send_raw
from edge.tools.scan_meters import mbus_meters, old_electricity
from protocol.errors import FrameError, Refused
from protocol.fieldbus import cjt188, dlt645, modbus
from protocol.fieldbus.modbus import Framing, FunctionCode
from protocol.quantity import MICRO
from provisioning.lines import BusLine, DialInLine, ModbusTcpLine, Parity, SerialLine, TcpLine, UdpLine
from provisioning.profile import Profile
from provisioning.profiles import load_profile, profile_names

# What meters in the field are set to, the likeliest first; odd parity has not been met.
SERIAL_SETTINGS: tuple[tuple[int, Parity], ...] = (
    (2400, Parity.EVEN),
    (9600, Parity.EVEN),
    (9600, Parity.NONE),
    (4800, Parity.EVEN),
    (19200, Parity.NONE),
    (1200, Parity.EVEN),
    (2400, Parity.NONE),
    (115200, Parity.NONE),
)
_TRANSPORTS: dict[type, str] = {
    DialInLine: "dial-in",
    ModbusTcpLine: "modbus-tcp",
    TcpLine: "tcp",
    UdpLine: "udp",
}
# A meter answers within 500 ms (DL/T 645-2007 §5.2.7), most Modbus devices within a tenth of a second.
_METER_TIMEOUT_MS = 600
_UNIT_TIMEOUT_MS = 200
_ANY_PAIR = "aa"
_OLD_PROFILES = ("dlt645_1997_single_phase", "dlt645_1997_four_rate", "dlt645_1997_three_phase")
# What a real meter shows, in the quantity's unit: a wrong profile rarely hits all of them.
_PLAUSIBLE = {
    "frequency": (45, 65),
    "power_factor": (-1, 1),
    "voltage": (80, 500),
    "voltage_a": (80, 500),
    "voltage_b": (80, 500),
    "voltage_c": (80, 500),
}


@dataclass(frozen=True, slots=True)
class Found:
    """A device that answered on a line. `profiles` are those that fit it, the best first."""

    line: BusLine
    protocol: str
    address: str
    profiles: tuple[str, ...]


def variants(line: BusLine) -> Iterator[BusLine]:
    """Yield the line as configured, then, if it is a serial port, with the other usual settings."""
    yield line
    if not isinstance(line, SerialLine):
        return
    for baud, parity in SERIAL_SETTINGS:
        if (baud, parity) != (line.bus.baud, line.parity):
            bits = 9 + line.stop_bits + (parity is not Parity.NONE)
            bus = replace(line.bus, baud=baud, bits_per_character=bits, gap_ms=3500 * bits / baud)
            yield replace(line, bus=bus, parity=parity)


async def scan(
    line: BusLine, clock: Clock, units: Sequence[int], tell: Callable[[str], None]
) -> AsyncIterator[Found]:
    """Yield what answers on a line with these very settings; `tell` hears what is being tried."""
    with open_line(line, clock) as bus:
        scanner = _Scanner(line, bus, tell)
        if line.bus.baud:
            async for found in scanner.electricity():
                yield found
            async for found in scanner.water():
                yield found
            async for found in scanner.others():
                yield found
        async for found in scanner.units(units):
            yield found


class _Scanner:
    def __init__(self, config: BusLine, bus: Line, tell: Callable[[str], None]) -> None:
        self._config = config
        self._bus = bus
        self._tell = tell
        self._known: set[str] = set()  # DL/T 645 meters found so far

    async def electricity(self) -> AsyncIterator[Found]:
        """Find DL/T 645-2007 meters by their forward active energy, which every one has."""
        waiting = [_ANY_PAIR * 6]
        while waiting:
            pattern = waiting.pop()
            self._tell(f"DL/T 645 {pattern.upper()}")
            request = dlt645.read_request(pattern, "00010000")
            heard = await self._heard(dlt645.encode_frame(request))
            reader = dlt645.FrameReader()
            frames = [*reader.feed(heard), *reader.flush()]
            known = sum(len(dlt645.encode_frame(frame)) for frame in frames)
            addresses = {
                frame.meter_address
                for frame in frames
                if frame.is_reply and dlt645.is_addressed(pattern, frame.meter_address)
            }
            if len(addresses) == 1 and known == len(heard):
                (address,) = addresses
                self._known.add(address)
                yield Found(self._config, "dlt645-2007", address, await self._meter_profiles(address))
            elif heard and (addresses or known < len(heard)):
                waiting += _narrowed(pattern)

    async def others(self) -> AsyncIterator[Found]:
        """Find meters of the 1997 edition that are none of 2007, and M-Bus meters."""
        async for address in old_electricity(self._heard, self._known, self._tell):
            yield Found(self._config, "dlt645-1997", address, _OLD_PROFILES)
        async for identification, profile in mbus_meters(self._heard, self._tell):
            yield Found(self._config, "mbus", identification, (profile,) if profile else ())

    async def _meter_profiles(self, address: str) -> tuple[str, ...]:
        request = dlt645.read_request(address, "0001FF00")
        heard = await self._heard(dlt645.encode_frame(request))
        has_rates = any(
            frame.is_reply and not frame.is_abnormal and len(frame.data) >= 4 + 5 * 4
            for frame in dlt645.FrameReader().feed(heard)
        )
        names = ("dlt645_four_rate", "dlt645_single_phase")
        return names if has_rates else names[::-1]

    async def water(self) -> AsyncIterator[Found]:
        """Find CJ/T 188 meters; some hear only the one order of the identifier's bytes, some the other."""
        for is_low_first in (False, True):
            waiting = [_ANY_PAIR * 7]
            while waiting:
                pattern = waiting.pop()
                self._tell(f"CJ/T 188 {pattern.upper()}{' low byte first' * is_low_first}")
                request = cjt188.read_request(cjt188.ANY_METER_TYPE, pattern, di_low_first=is_low_first)
                heard = await self._heard(cjt188.encode_frame(request))
                reader = cjt188.FrameReader()
                frames = [*reader.feed(heard), *reader.flush()]
                known = sum(len(cjt188.encode_frame(frame)) for frame in frames)
                answers = {
                    (frame.address, frame.meter_type)
                    for frame in frames
                    if frame.is_reply and cjt188.is_addressed(pattern, frame.address)
                }
                if len(answers) == 1 and known == len(heard):
                    ((address, meter_type),) = answers
                    fitting = tuple(
                        name
                        for name in profile_names()
                        if load_profile(name).meter_type == f"{meter_type:02X}"
                    )
                    yield Found(self._config, "cjt188", address, fitting)
                elif heard and (answers or known < len(heard)):
                    waiting += _narrowed(pattern)

    async def _heard(self, wire: bytes) -> bytes:
        # A late answer names its meter, so it cannot be taken for another's.
        return (await send_raw(self._bus, wire, _METER_TIMEOUT_MS, is_guarded=False)).reply

    async def units(self, units: Sequence[int]) -> AsyncIterator[Found]:
        """Find Modbus units; a refusal is an answer."""
        for unit_id in units:
            self._tell(f"Modbus unit {unit_id}")
            if await self._is_unit(unit_id):
                yield Found(self._config, "modbus", str(unit_id), await self._fitting(unit_id))

    async def _is_unit(self, unit_id: int) -> bool:
        try:
            await self._ask(unit_id, FunctionCode.READ_HOLDING_REGISTERS, 0, 1)
        except (NoReply, BadFrame):
            return False
        except Refused:
            return True
        return True

    async def _fitting(self, unit_id: int) -> tuple[str, ...]:
        """Return the profiles of which everything reads and looks as it should, the fullest first."""
        scores: list[tuple[int, int, str]] = []
        for name in profile_names():
            profile = load_profile(name)
            if profile.protocol != "modbus":
                continue
            self._tell(f"Modbus unit {unit_id} as {name}")
            try:
                hits = await self._hits(unit_id, profile)
            except (NoReply, BadFrame, Refused):
                continue
            if hits is not None:
                scores.append((hits, len(profile.points), name))
        # A profile whose values could be anything fits everything: of use only where nothing else does.
        best = max((hits for hits, _, _ in scores), default=0)
        return tuple(name for hits, _, name in sorted(scores, reverse=True) if hits or not best)

    async def _hits(self, unit_id: int, profile: Profile) -> int | None:
        """Return how many values look like a meter's; None if one is no value, or looks like none."""
        plans = plan_blocks(
            {"all": profile.points},
            self._config.bus,
            registers_max=profile.registers_per_read_max,
            bits_max=profile.bits_per_read_max,
        )
        hits = 0
        for block in plans["all"]:
            words = await self._ask(unit_id, FUNCTION_CODES[block.table], block.start, block.quantity)
            for point in block.points:
                try:
                    value_micro = converter(point, block.start)(words)
                except (FrameError, Doubtful):
                    return None
                low, high = _PLAUSIBLE.get(point.quantity.name, (None, None))
                if low is None or high is None:
                    continue
                if value_micro is None or not low * MICRO <= value_micro <= high * MICRO:
                    return None
                hits += 1
        return hits

    async def _ask(self, unit_id: int, code: FunctionCode, start: int, quantity: int) -> tuple[int, ...]:
        framing = Framing.RTU if self._config.bus.baud else Framing.TCP
        number = self._bus.next_number()
        request = modbus.Request(unit_id, code, start, quantity, transaction_id=number)
        wire, length = modbus.encode_request(request, framing), modbus.reply_length(request, framing)
        receiver = ModbusReceiver(request, framing)
        address = f"unit {unit_id}"
        identity = (unit_id, code, quantity)
        ask = Ask(address, wire, length, receiver, identity, start, timeout_ms=_UNIT_TIMEOUT_MS)
        try:
            await self._bus.exchange(ask, Priority.COMMAND)
        finally:
            self._bus.forget(address)  # its breaker is of no interest here
        return receiver.values


def _narrowed(pattern: str) -> list[str]:
    """Return the pattern with its lowest open pair of digits fixed in every way, the lowest last."""
    at = pattern.rfind(_ANY_PAIR)
    return [] if at < 0 else [f"{pattern[:at]}{pair:02d}{pattern[at + 2 :]}" for pair in range(99, -1, -1)]


def proposal(found: Sequence[Found], line_id: str) -> Iterator[str]:
    """Yield a configuration for what was found, to be looked over and completed."""
    lines = list(dict.fromkeys(one.line for one in found))
    for number, line in enumerate(lines, start=1):
        name = line_id if len(lines) == 1 else f"{line_id}-{number}"
        yield "[[lines]]"
        yield f'id = "{name}"'
        if isinstance(line, SerialLine):
            yield f'transport = "serial"\npath = "{line.path}"'
            yield f'baud = {line.bus.baud}\nparity = "{line.parity.value}"\nstop_bits = {line.stop_bits}'
        else:
            yield f'transport = "{_TRANSPORTS[type(line)]}"'
            yield f'host = "{line.host}"\nport = {line.port}'
        if isinstance(line, DialInLine):
            yield f'registration = "hex:{line.registration.hex()}"'
        yield ""
        for one in found:
            if one.line != line:
                continue
            address = one.address if one.protocol == "modbus" else f'"{one.address}"'
            others = f"  # or {', '.join(one.profiles[1:])}" if len(one.profiles) > 1 else ""
            profile = one.profiles[0] if one.profiles else "?"
            yield "[[devices]]"
            yield f'id = "{one.protocol.partition("-")[0]}-{one.address[-3:]}"'
            yield f'line = "{name}"\nprofile = "{profile}"{others}\naddress = {address}'
            yield ""
