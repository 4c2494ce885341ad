"""The fire-alarm transmission device and the alarm panel of the building, calling the gateway by themselves.

A sign of life every half minute, and at once what the fault book says of them: a fire, a fault, and
their end. The invariant: what a panel has to say is said until it is confirmed, in its order; nothing
is said while the clock stands.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeAlias

from simulator.building import ALARM_CALLS, FIRE_CALLS, Device, devices_on
from simulator.clock import Clock
from simulator.faults import FaultBook, FaultKind
from simulator.panel_caller import (
    HEARTBEAT,
    PANEL_ZONE,
    Message,
    NotConfirmed,
    dc09_message,
    deliver,
    gb26875_message,
)
from simulator.panel_line import PanelLine

_log = logging.getLogger(__name__)

_LOOK_S = 0.5
_SIGN_OF_LIFE_S = 30.0
_SAYINGS = {FaultKind.FIRE_ALARM: "fire", FaultKind.SYSTEM_FAULT: "fault"}
_PLACE = 1  # of a fault that names none


# Says one message until it is confirmed; NotConfirmed if it never is.
Deliver: TypeAlias = Callable[[Message], Awaitable[int]]


class PanelCalls:
    """Both panels, each in a task of its own."""

    def __init__(self, host: str, ports: dict[str, int], clock: Clock, faults: FaultBook) -> None:
        self._host = host
        self._ports = ports
        self._clock = clock
        self._faults = faults

    async def run(self) -> None:
        """Call until cancelled."""
        async with asyncio.TaskGroup() as group:
            for line_id in (FIRE_CALLS, ALARM_CALLS):
                for device in devices_on(line_id):
                    say = self._dialler(line_id)
                    if line_id == FIRE_CALLS:
                        line = self._line_of(device)
                        group.create_task(line.run())
                        say = line.deliver
                    group.create_task(self._live(device, say))

    def _dialler(self, line_id: str) -> Deliver:
        """Return how a panel tells that calls anew for each message."""
        return lambda message: deliver(message, self._host, self._ports[line_id])

    def _line_of(self, device: Device) -> PanelLine:
        def stands() -> set[str]:
            return {saying for saying, _ in self._wanted(device).values()}

        def local() -> datetime:
            return datetime.fromtimestamp(self._clock.now_ms() / 1000, PANEL_ZONE).replace(tzinfo=None)

        return PanelLine(device.address, self._host, self._ports[device.line_id], local, stands)

    async def _live(self, device: Device, say: Deliver) -> None:
        said: dict[int, tuple[str, int]] = {}  # by fault: saying and place
        serial, called_at_s = 0, 0.0
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._clock.is_standing:
                continue
            wanted = self._wanted(device)
            news = [(s, place) for number, (s, place) in wanted.items() if number not in said]
            news += [("normal", place) for number, (_, place) in said.items() if number not in wanted]
            if not news and time.monotonic() - called_at_s < _SIGN_OF_LIFE_S:
                continue
            for saying, place in news or [(HEARTBEAT, _PLACE)]:
                serial += 1
                try:
                    await say(self._message(device, saying, place, serial))
                except NotConfirmed as error:
                    _log.info("a panel is not heard", extra={"device": device.device_id, "why": str(error)})
                    break
            else:
                said = wanted
            called_at_s = time.monotonic()

    def _wanted(self, device: Device) -> dict[int, tuple[str, int]]:
        at_ms = self._clock.now_ms()
        return {
            fault.fault_id: (_SAYINGS[fault.kind], fault.zone or _PLACE)
            for fault in self._faults.of(device.device_id, *_SAYINGS)
            if fault.lasts_at(at_ms)
        }

    def _message(self, device: Device, saying: str, place: int, serial: int) -> Message:
        make = gb26875_message if device.line_id == FIRE_CALLS else dc09_message
        return make(saying, device.address, place, serial, self._clock.now_ms())
