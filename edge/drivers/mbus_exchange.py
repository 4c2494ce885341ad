"""Talking to one M-Bus meter: reset or selection, then its telegrams one after the other.

    primary     SND_NKE to the address        E5      the meter starts with its first telegram
                REQ_UD2 with FCB 1, 0, 1 ...  telegrams, until one does not announce another
    secondary   selection at address 253      E5      from then on 253 is the chosen meter
                REQ_UD2 to 253 ...            telegrams, as above

The invariant: a telegram is believed only from the meter asked: its primary address, or the
identification it was selected by. An E5 names nobody, so the line keeps those of two meters apart.
"""

from collections.abc import Callable
from dataclasses import dataclass

from edge.driver import Ask, Bus, Heard, Priority
from edge.drivers.frame_receiver import FrameReceiver
from edge.errors import EXCHANGE_FAILURES, BadFrame, EdgeError, NoReply
from protocol.errors import FrameError
from protocol.fieldbus import mbus

# Bits 4 and 5 of a reply's control are the meter's wish for service, not its kind.
_REPLY_MASK = 0x0F
# Set in what a master sends.
_PRIMARY_BIT = 0x40
# EN 13757-3 has no limit; the largest heat meters need six.
_TELEGRAMS_MAX = 16
_SELECTION_MARK = "-"


@dataclass(frozen=True, slots=True)
class MeterAddress:
    """Whom to ask: a primary address, or a meter by what its header says."""

    primary: int
    selection: mbus.Frame | None = None
    identification: str = ""

    @property
    def opening(self) -> mbus.Frame:
        """Return the frame before the first question; answered by E5."""
        return self.selection or mbus.reset_request(self.primary)


def meter_address(text: str) -> MeterAddress:
    """Return the address written as `5`, `12345678`, `12345678-KAM` or `12345678-KAM-08-04`.

    Eight digits are the identification; maker, version and medium (both in hex) narrow the
    selection where two makers gave the same number.
    """
    if len(text) < 8:
        return MeterAddress(int(text))
    identification, *rest = text.split(_SELECTION_MARK)
    manufacturer = mbus.manufacturer_code(rest[0]) if rest else 0xFFFF
    version, medium = (int(part, 16) for part in rest[1:3]) if len(rest) == 3 else (0xFF, 0xFF)
    selection = mbus.select_request(identification, manufacturer, version, medium)
    return MeterAddress(mbus.SELECTED, selection, identification)


class AckReceiver:
    """Hears an E5, behind our own echo if the level converter sends one."""

    def __init__(self, wire: bytes) -> None:
        self._wire = wire
        self._heard = b""

    def feed(self, data: bytes) -> bytes | None:
        """Take what arrived; return the E5."""
        self._heard += data
        return mbus.ACK if self._rest()[:1] == mbus.ACK else None

    def failure(self) -> EdgeError:
        """Say what was heard instead."""
        rest = self._rest()
        if not rest:
            return NoReply("no reply")
        return BadFrame(f"{rest[:8].hex()} instead of E5: more than one meter may have answered")

    def _rest(self) -> bytes:
        return self._heard.removeprefix(self._wire)


@dataclass(frozen=True, slots=True)
class Readout:
    """All that a meter said: its telegrams in order, or its one old fixed-length telegram.

    `failure` is why telegrams that were announced are missing, None if none are.
    """

    telegrams: tuple[mbus.Telegram, ...]
    fixed: mbus.FixedTelegram | None
    exchanges: tuple[Heard, ...]
    failure: Exception | None = None


class MeterTalk:
    """One meter on a bus."""

    def __init__(self, breaker_address: str, address: MeterAddress, bus: Bus) -> None:
        self._breaker_address = breaker_address
        self._address = address
        self._bus = bus

    async def open(self, priority: Priority) -> None:
        """Reset or select the meter."""
        wire = mbus.encode_frame(self._address.opening)
        receiver = AckReceiver(wire)
        ask = Ask(self._breaker_address, wire, len(mbus.ACK), receiver, ("mbus", "E5"), self._breaker_address)
        await self._bus.exchange(ask, priority)

    async def read_out(self, priority: Priority, is_enough: Callable[[mbus.Telegram], bool]) -> Readout:
        """Return what the meter says, up to the telegram with which `is_enough` is content.

        A first telegram that fails raises; a later one that fails does not cost what was heard before.
        """
        await self.open(priority)
        telegrams: list[mbus.Telegram] = []
        exchanges: list[Heard] = []
        try:
            return await self._read_on(telegrams, exchanges, priority, is_enough)
        except EXCHANGE_FAILURES as failure:
            if not telegrams:
                raise
            return Readout(tuple(telegrams), None, tuple(exchanges), failure)

    async def _read_on(
        self,
        telegrams: list[mbus.Telegram],
        exchanges: list[Heard],
        priority: Priority,
        is_enough: Callable[[mbus.Telegram], bool],
    ) -> Readout:
        for number in range(_TELEGRAMS_MAX):
            frame, heard = await self._request(number, priority)
            if exchanges and heard.reply == exchanges[-1].reply:
                raise FrameError(f"telegram {number} comes twice: the meter does not go on to the next")
            exchanges.append(heard)
            if frame.control_information == mbus.CI_FIXED:
                return Readout((), self._checked_fixed(mbus.decode_fixed(frame)), tuple(exchanges))
            telegram = mbus.decode_telegram(frame)
            self._check_identification(telegram.header.identification)
            telegrams.append(telegram)
            if not telegram.has_more or is_enough(telegram):
                return Readout(tuple(telegrams), None, tuple(exchanges))
        raise FrameError(f"more than {_TELEGRAMS_MAX} telegrams")

    async def read_raw(self, request: mbus.Frame) -> Heard:
        """Open the conversation and send one request for data."""
        await self.open(Priority.COMMAND)
        _, heard = await self._ask(request, 0, Priority.COMMAND)
        return heard

    async def _request(self, number: int, priority: Priority) -> tuple[mbus.Frame, Heard]:
        request = mbus.data_request(self._address.primary, frame_count_bit=number % 2 == 0)
        return await self._ask(request, number, priority)

    async def _ask(self, request: mbus.Frame, number: int, priority: Priority) -> tuple[mbus.Frame, Heard]:
        receiver: FrameReceiver[mbus.Frame] = FrameReceiver(
            mbus.FrameReader(),
            self._check,
            mbus.encode_frame,
            lambda frame: bool(frame.control & _PRIMARY_BIT),
        )
        wire = mbus.encode_frame(request)
        # A reply shows its primary address and, behind a selection, not even that.
        identity, question = ("mbus", self._address.primary), (self._breaker_address, number)
        ask = Ask(self._breaker_address, wire, REPLY_LENGTH, receiver, identity, question)
        heard = await self._bus.exchange(ask, priority)
        assert receiver.frame is not None
        return receiver.frame, heard

    def _check(self, frame: mbus.Frame) -> bytes:
        if frame.control & _REPLY_MASK != mbus.RSP_UD:
            raise FrameError(f"control {frame.control:02x} is no reply with data")
        if self._address.selection is None and frame.address != self._address.primary:
            raise FrameError(f"address {frame.address} answered a request to {self._address.primary}")
        return frame.data

    def _check_identification(self, identification: str) -> None:
        asked = self._address.identification
        if asked and identification != asked:
            raise FrameError(f"meter {identification} answered a selection of {asked}")

    def _checked_fixed(self, fixed: mbus.FixedTelegram) -> mbus.FixedTelegram:
        self._check_identification(fixed.identification)
        return fixed


# For planning and deadlines: heat meters say about this much, and at most 261 bytes.
REPLY_LENGTH = 150
