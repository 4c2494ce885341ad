"""Talking to one DL/T 645 meter: questions, answers longer than a frame, and commands.

The invariant: an answer is believed only from the meter asked, for the very identifier asked; a
command is asked once, and what names neither identifier nor command in its answer is kept apart in
time from the next such command (`Ask.identity`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from edge.driver import Ask, Bus, Heard, Priority
from edge.drivers.dlt645_edition import Edition
from edge.drivers.frame_receiver import FrameReceiver
from edge.drivers.joined import joined
from protocol.errors import FrameError, Refused
from protocol.fieldbus.dlt645 import EVERY_METER
from protocol.fieldbus.dlt645_format import DataIdentifier, Value, decode_items
from protocol.fieldbus.dlt645_frame import Frame, FrameReader, decode_frame, encode_frame

# Sequence numbers are one byte; no identifier needs as many frames (DL/T 645-2007 §7.2.2).
_FOLLOW_UPS_MAX = 32
# Preamble as usual, head, checksum and end: for deadlines, not for matching.
REPLY_OVERHEAD = 4 + 12
_PLAIN_REPLY_LENGTH = REPLY_OVERHEAD
_LONGEST_REPLY = REPLY_OVERHEAD + 200
_CLOCK_FORM, _MINUTE_FORM = "%y%m%d%H%M%S", "%y%m%d%H%M"


class TalksDlt645(Protocol):
    """A driver of such a meter; which edition the meter speaks may turn out otherwise later."""

    @property
    def talk(self) -> "MeterTalk":
        """Return how the meter is talked to, as presently known."""
        ...


@dataclass(frozen=True, slots=True)
class MeterTalk:
    """One meter on a bus, in one edition."""

    address: str
    bus: Bus
    edition: Edition
    preamble_count: int | None = None  # wake-up bytes; None: as the edition has it

    async def read(
        self, identifier: DataIdentifier, reply_length: int, priority: Priority
    ) -> tuple[tuple[Value, ...], Heard]:
        """Return the identifier's items and the exchange, fetched to the end."""
        di = identifier.di
        request = self.edition.read_request(self.address, di)
        heard, frame, payload = await self.ask(request, reply_length, priority)
        exchanges = [heard]
        while frame.has_follow_up:
            if len(exchanges) > _FOLLOW_UPS_MAX:
                raise FrameError(f"{di}: more than {_FOLLOW_UPS_MAX} follow-up frames")
            request = self.edition.follow_up_request(self.address, di, len(exchanges))
            more, frame, part = await self.ask(request, reply_length, priority, len(exchanges))
            exchanges.append(more)
            payload += part
        return decode_items(identifier, payload).values, joined(exchanges)

    async def ask(
        self, request: Frame, reply_length: int, priority: Priority, part: int = 0
    ) -> tuple[Heard, Frame, bytes]:
        """Return the answer to one request: the exchange, its frame, and the data behind an identifier."""
        receiver: FrameReceiver[Frame] = FrameReceiver(
            FrameReader(),
            lambda frame: self.edition.check_reply(request, frame),
            encode_frame,
            lambda frame: not frame.is_reply,
        )
        if request.function in self.edition.reads:
            identity, question = (request.meter_address, request.control_code, request.data), str(part)
        else:
            identity, question = (request.meter_address, request.control_code, b""), request.data.hex()
        ask = Ask(self.address, self._wire(request), reply_length, receiver, identity, question)
        heard = await self.bus.exchange(ask, priority)
        assert receiver.frame is not None
        return heard, receiver.frame, receiver.payload

    async def command(self, request: Frame) -> None:
        """Have the meter do something, once; Refused where it says no. Its yes is no proof."""
        await self.ask(request, _PLAIN_REPLY_LENGTH, Priority.COMMAND)

    async def read_raw(self, wire: bytes) -> Heard:
        """Send a person's own read; Refused, and nothing sent, for anything else."""
        try:
            request = decode_frame(wire)
        except FrameError as error:
            raise Refused(f"no frame of DL/T 645: {error}") from error
        if request.is_reply or request.function not in self.edition.reads:
            raise Refused(f"function {request.function:02x} does not read; nothing else is sent this way")
        if request.meter_address != self.address:
            raise Refused(f"the frame asks meter {request.meter_address}, this is {self.address}")
        heard, _, _ = await self.ask(request, _LONGEST_REPLY, Priority.COMMAND)
        return heard

    async def broadcast_time(self, at: datetime) -> None:
        """Tell every meter on the line the local time; nobody answers."""
        await self.bus.tell(self._wire(self.edition.broadcast_time_request(at)), Priority.COMMAND)

    async def broadcast_freeze(self) -> None:
        """Tell every meter on the line to freeze its totals now; nobody answers. Refused in 1997."""
        if self.edition.freeze_request is None:
            raise Refused("DL/T 645-1997 knows no freezing by command")
        await self.bus.tell(self._wire(self.edition.freeze_request(EVERY_METER)), Priority.COMMAND)

    async def frozen_at(self) -> datetime:
        """Return when the meter last froze its totals by command, by its own clock; Refused if never."""
        if not self.edition.frozen_at:
            raise Refused("DL/T 645-1997 knows no freezing by command")
        return _moment(await self._shown((self.edition.frozen_at,)), "last freeze", _MINUTE_FORM)

    def _wire(self, request: Frame) -> bytes:
        if self.preamble_count is not None:
            request = replace(request, preamble_count=self.preamble_count)
        return encode_frame(request)

    async def clock(self) -> datetime:
        """Return what the meter's own clock shows, local time; FrameError where that is no time."""
        return _moment(await self._shown(self.edition.clock), "clock", _CLOCK_FORM)

    async def _shown(self, identifiers: Sequence[str]) -> str:
        """Return the digits of items that tell a time, one after the other."""
        shown = ""
        for di in identifiers:
            identifier = self.edition.data_identifier(di)
            (text, *_), _ = await self.read(identifier, REPLY_OVERHEAD + 8, Priority.COMMAND)
            shown += "".join(c for c in str(text).split(" wd")[0] if c.isdigit())
        return shown.removeprefix("20")


def _moment(digits: str, what: str, form: str) -> datetime:
    try:
        return datetime.strptime(digits, form)  # noqa: DTZ007 - local, as shown
    except ValueError as error:
        raise FrameError(f"the meter's {what} shows {digits}, which is no time") from error
