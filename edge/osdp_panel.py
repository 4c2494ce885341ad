"""libosdp's control panel for the readers of one line, made safe to use from the event loop.

    event loop: `OsdpPanel` asks and is told      thread: libosdp polls every reader some times a second

Two habits of libosdp are mended here: a reader that says no to one command, or was without power,
is left alone by it for five minutes, so it is switched off and on again after seconds; and it is only
ever told what it has said it can do. libosdp is imported when a panel is made, since not every box
has it.
"""

import asyncio
import logging
import queue
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import serial

from edge.errors import LineDown, NoReply, Offline
from provisioning.config import DeviceConfig, DeviceId
from provisioning.lines import OsdpLine

log = logging.getLogger(__name__)

OsdpEvent: TypeAlias = Mapping[str, Any]

# A command waits for its turn behind a poll and one repetition; readers answer within 200 ms.
_ANSWER_MAX_S = 2.0
# Between switching a silent reader off and on: libosdp needs one round to notice.
_OFF_S = 0.1


class OsdpPanel:
    """The readers of one line while its port is open. `heard` gets their events on the event loop."""

    def __init__(
        self,
        line: OsdpLine,
        devices: Sequence[DeviceConfig],
        key: bytes | None,
        heard: Callable[[int, OsdpEvent], None],
    ) -> None:
        import osdp

        self._osdp = osdp
        self._channel = _Channel(line)
        self._loop = asyncio.get_running_loop()
        self._heard = heard
        self._numbers = {device.device_id: number for number, device in enumerate(devices)}
        self._addresses = [int(device.address) for device in devices]
        # One command at a time and reader, so that an answer can only be that command's.
        self._turns = [asyncio.Lock() for _ in devices]
        self._answers: dict[int, asyncio.Future[int]] = {}
        flags = [osdp.LibFlag.EnforceSecure] if key else []
        readers = [osdp.PDInfo(at, self._channel, scbk=key, flags=flags) for at in self._addresses]
        self._panel = osdp.ControlPanel(
            readers,
            log_level=osdp.LogLevel.Critical,
            event_handler=self._take_event,
            command_completion_handler=self._take_answer,
        )
        self._panel.start()

    @property
    def failure(self) -> str:
        """Return why the port cannot be used any more, "" while it can."""
        return self._channel.failure

    def close(self) -> None:
        """Stop the thread and let go of the port; call it off the event loop."""
        self._panel.teardown()
        self._channel.close()

    def is_online(self, number: int) -> bool:
        """Tell whether a reader answers."""
        return bool(self._panel.status() >> number & 1)

    def is_secure(self, number: int) -> bool:
        """Tell whether it does so over a secure channel."""
        return bool(self._panel.sc_status() >> number & 1)

    def can(self, device_id: DeviceId, capability: str) -> bool:
        """Tell whether a reader has said that it has at least one of something: an LED, an output."""
        number = self._numbers[device_id]
        _, items = self._panel.check_capability(self._addresses[number], self._capability(capability))
        return bool(items)

    def _capability(self, name: str) -> int:
        return int(getattr(self._osdp.Capability, name))

    async def wake(self, number: int) -> None:
        """Have a reader that does not answer asked again now rather than in minutes."""
        address = self._addresses[number]
        await asyncio.to_thread(self._panel.disable_pd, address)
        await asyncio.sleep(_OFF_S)
        await asyncio.to_thread(self._panel.enable_pd, address)

    async def command(self, device_id: DeviceId, command: Mapping[str, object]) -> None:
        """Tell a reader once; return when it has said yes.

        Offline where it does not answer at all and so surely has not heard; NoReply where it said no
        or nothing, which libosdp does not tell apart.
        """
        number = self._numbers[device_id]
        async with self._turns[number]:
            if not await asyncio.to_thread(self.is_online, number):
                raise Offline(f"{device_id}: the reader does not answer")
            answer: asyncio.Future[int] = self._loop.create_future()
            self._answers[number] = answer
            try:
                submit, address = self._panel.submit_command, self._addresses[number]
                if not await asyncio.to_thread(submit, address, dict(command)):
                    raise Offline(f"{device_id}: the reader takes no command now")
                async with asyncio.timeout(_ANSWER_MAX_S):
                    status = await answer
            except TimeoutError:
                raise NoReply(f"{device_id}: no answer within {_ANSWER_MAX_S:g} s") from None
            finally:
                del self._answers[number]
        if status != self._osdp.CompletionStatus.Ok:
            await self.wake(number)
            raise NoReply(f"{device_id}: the reader said no, or nothing")

    # Called on libosdp's thread

    def _take_event(self, number: int, event: dict[str, Any]) -> int:
        # libosdp keeps every event in a queue of its own as well, which would grow for ever.
        try:
            self._panel.event_queue[number].get_nowait()
        except queue.Empty:
            log.debug("libosdp's queue was empty already")
        self._loop.call_soon_threadsafe(self._heard, number, dict(event))
        return 0

    def _take_answer(self, address: int, command: object, status: int) -> None:
        del command
        self._loop.call_soon_threadsafe(self._settle, self._addresses.index(address), status)

    def _settle(self, number: int, status: int) -> None:
        answer = self._answers.get(number)
        if answer is not None and not answer.done():
            answer.set_result(status)


class _Channel:
    """The serial port as libosdp sees it; called on its thread. Errors are kept, not thrown into C."""

    def __init__(self, line: OsdpLine) -> None:
        self.id = 0  # libosdp tells channels apart by it
        self.failure = ""
        try:
            self._port = serial.Serial(line.path, line.baud, timeout=0, write_timeout=0.5, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            raise LineDown(f"{line.path}: {error}") from error

    def read(self, max_bytes: int) -> bytes:
        try:
            return bytes(self._port.read(max_bytes))
        except (serial.SerialException, OSError) as error:
            self.failure = self.failure or str(error)
            return b""

    def write(self, data: bytes) -> int:
        try:
            return int(self._port.write(data) or 0)
        except (serial.SerialException, OSError) as error:
            self.failure = self.failure or str(error)
            return 0

    def flush(self) -> None:
        try:
            self._port.reset_input_buffer()
        except (serial.SerialException, OSError) as error:
            self.failure = self.failure or str(error)

    def close(self) -> None:
        self._port.close()
