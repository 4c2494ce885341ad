"""The people at the building's door reader: somebody holds a card to it now and then, and is let in or not.

The invariant: nobody comes while the clock stands, or while no panel talks to the reader.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from simulator.building import DEMO_READER_KEY, DOORS, devices_on
from simulator.clock import Clock
from simulator.door_reader import DoorReader, reader_on_a_line
from simulator.models import Building

_log = logging.getLogger(__name__)

_LOOK_S = 0.5
_COMES_EVERY_S = 45.0
# Cards as they are printed: two residents, and somebody who took the wrong one along.
_CARDS = (4_711_101, 4_711_102, 8_150_815)
_CARD_BYTES = 4


class DoorCalls:
    """The reader and who comes to it."""

    def __init__(self, reader: DoorReader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock

    @property
    def path(self) -> Path:
        """Return the terminal at which the reader is found."""
        return self._reader.path

    def show(self, number: int) -> None:
        """Let somebody hold the card of that number to it; ValueError where no panel would hear of it."""
        if not 0 <= number < 1 << 8 * _CARD_BYTES:
            raise ValueError(f"card {number} has no {_CARD_BYTES} bytes")
        if not self._reader.is_heard:
            raise ValueError("no panel talks to the reader")
        self._reader.show_card(number.to_bytes(_CARD_BYTES))

    async def run(self) -> None:
        """Let people come until cancelled."""
        cards = cycle(_CARDS)
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._clock.is_standing or not self._reader.is_heard:
                continue
            self.show(next(cards))
            await asyncio.sleep(_COMES_EVERY_S)


@contextlib.contextmanager
def people_at_the_door(building: Building, clock: Clock) -> Iterator[DoorCalls | None]:
    """Put the reader on its line; None where this machine has no libosdp to play it."""

    def unlock(for_ms: int | None) -> None:
        building.door.unlock(None if for_ms is None else clock.now_ms() + for_ms)

    (device,) = devices_on(DOORS)
    with contextlib.ExitStack() as stack:
        reader = None
        try:
            key = bytes.fromhex(DEMO_READER_KEY)
            line = reader_on_a_line(None, int(device.address), key, _log.debug, unlock)
            reader = stack.enter_context(line)
        except ImportError:
            _log.warning("no door reader: libosdp is not on this machine")
        yield None if reader is None else DoorCalls(reader, clock)
