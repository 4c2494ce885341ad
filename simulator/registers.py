"""Running totals as a meter shows them: whole last digits that start again from zero when full.

The invariant: between two instants without a register fault a register never falls, and it is always
a whole number of its last digit, so what is read, billed and compared is exact.
"""

from collections.abc import Callable
from dataclasses import dataclass

from simulator.faults import FaultBook, FaultKind

# Below the modulus by this many of the last digit: hours, not weeks, until it rolls over.
ROLLOVER_MARGIN_STEPS = 40


@dataclass(frozen=True, slots=True)
class Resolution:
    """A running total's last digit, and where it starts again from zero.

    Base units are watt-hours and litres: a thousand make a kWh or a cubic metre.
    """

    base_units_per_step: int
    modulus_steps: int

    @property
    def step_micro(self) -> int:
        """Return the last digit in millionths of a kWh or cubic metre."""
        return self.base_units_per_step * 1_000


# DL/T 645-2007 energy is XXXXXX.XX kWh, CJ/T 188 volume XXXXXX.XX m3.
ENERGY_DLT645 = Resolution(10, 100_000_000)
VOLUME_CJT188 = Resolution(10, 100_000_000)
# Acrel DDSY1352: 0.01 kWh, six digits before the point.
ENERGY_CENTI_KWH = Resolution(10, 100_000_000)
# Carlo Gavazzi EM24: 0.1 kWh, seven digits before the point.
ENERGY_DECI_KWH = Resolution(100, 100_000_000)
# A quarter kWh is exact in float32, and in its shortest decimal text, up to a million kWh.
ENERGY_QUARTER_KWH = Resolution(250, 4_000_000)


class Register:
    """One running total, moved by the exchange or the rollover that the fault book tells of."""

    def __init__(
        self,
        device_id: str,
        resolution: Resolution,
        base_units_at: Callable[[int], int],
        faults: FaultBook,
    ) -> None:
        """Take `base_units_at(at_ms)`: what has been consumed since the hand-over."""
        self._device_id = device_id
        self._resolution = resolution
        self._base_units_at = base_units_at
        self._faults = faults

    def steps_at(self, at_ms: int) -> int:
        """Return the shown number of last digits at that instant."""
        step, modulus = self._resolution.base_units_per_step, self._resolution.modulus_steps
        consumed = self._base_units_at(at_ms) // step
        shown = consumed
        for fault in self._faults.of(self._device_id, FaultKind.METER_EXCHANGED, FaultKind.ROLLOVER):
            if fault.since_ms > at_ms:
                continue
            first = modulus - ROLLOVER_MARGIN_STEPS if fault.kind is FaultKind.ROLLOVER else fault.start_value
            shown = first + consumed - self._base_units_at(fault.since_ms) // step
        return shown % modulus
