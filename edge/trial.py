"""The trial of a configuration: for a while it runs and is watched; then it stays, or it goes.

It fails if the cloud that sent it cannot be greeted any more, if a device it concerns answered before
and does not now, or if a part of the agent breaks under it. A device that it adds and that does not
answer is no failure, since people configure meters before they wire them; that is remarked upon. The
invariant: only monotonic time counts, and what the configuration left as it was is not held against it.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from edge.clock import Clock
from edge.field import Field
from edge.line import DeviceOnLine
from provisioning.config import DeviceConfig

# A device is given this long to answer in its new place: two polls a minute apart and a retry.
LOST_AFTER_S = 90
# The cloud is greeted every ten seconds; who has not been heard for a minute is cut off.
CUT_OFF_AFTER_S = 60


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a trial ended: failed if there are `failures`; `remarks` are for a person to know."""

    failures: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def answering_now(field: Field) -> frozenset[str]:
    """Return the polled devices that answer."""
    return frozenset(
        device.device_id
        for device in field.config.devices
        if (known := _on_line(field, device)) is not None and known.answered and not known.breaker.is_open
    )


class Trial:
    """One configuration under watch, from now on. `must_answer` are the devices that did before.

    `contact_at_ms` tells when the cloud was last heard; None where it need not be.
    """

    def __init__(
        self,
        number: int,
        watch_s: int,
        must_answer: Collection[str],
        contact_at_ms: Callable[[], int] | None,
        field: Field,
        clock: Clock,
    ) -> None:
        self.number = number
        self._watch_ms = watch_s * 1000
        self._must_answer = frozenset(must_answer)
        self._contact_at_ms = contact_at_ms
        self._breaks = field.breaks
        self._field = field
        self._clock = clock
        self._began_at_ms = clock.monotonic_ms()

    def verdict(self) -> Verdict | None:
        """Return how it ended; None while it has not."""
        passed_ms = self._clock.monotonic_ms() - self._began_at_ms
        if self._field.breaks > self._breaks:
            return Verdict((f"a part of the agent failed under it: {self._field.last_break}",))
        is_over = passed_ms >= self._watch_ms
        if not is_over and passed_ms < LOST_AFTER_S * 1000:
            return None
        if lost := self._lost(is_over=is_over):
            return Verdict(tuple(lost))
        if not is_over:
            return None
        if self._is_cut_off():
            return Verdict(("the cloud was not reached under it",))
        return Verdict((), tuple(self._silent()))

    def _is_cut_off(self) -> bool:
        if self._contact_at_ms is None:
            return False
        since_ms = max(self._began_at_ms, self._clock.monotonic_ms() - CUT_OFF_AFTER_S * 1000)
        return self._contact_at_ms() <= since_ms

    def _lost(self, *, is_over: bool) -> list[str]:
        """Return a sentence for each device that answered before and does not now.

        One that did answer may miss a poll or two on the way; at the end it has to be there.
        """
        lost: list[str] = []
        for device in self._field.config.devices:
            if device.device_id not in self._must_answer:
                continue
            known = _on_line(self._field, device)
            if known is not None and not known.answered:
                lost.append(f"{device.device_id} answered before and does not answer now{self._why(device)}")
            elif is_over and known is not None and known.breaker.is_open:
                lost.append(f"{device.device_id} answered before and has fallen silent{self._why(device)}")
        return lost

    def _silent(self) -> list[str]:
        """Return a sentence for each device that has not answered and did not before."""
        return [
            f"{device.device_id} has not answered yet{self._why(device)}"
            for device in self._field.config.devices
            if (known := _on_line(self._field, device)) is not None
            and not known.answered
            and device.device_id not in self._must_answer
        ]

    def _why(self, device: DeviceConfig) -> str:
        line = self._field.lines[device.line_id]
        return f": {line.down_reason}" if line.down_reason else ""


def _on_line(field: Field, device: DeviceConfig) -> DeviceOnLine | None:
    """Return what its bus knows of a device; None for one that speaks unasked."""
    line = field.lines.get(device.line_id)
    return None if line is None else line.device(device.address)
