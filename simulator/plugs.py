"""Two plugs that can be switched, at an instant: the pump room's siren and the hall's water dispenser.

The invariant: a plug that is off draws nothing, and what it has counted stays.
"""

from protocol.quantity import MICRO
from simulator.curves import RunningTotal
from simulator.meters import Electricity, ValuesMicro

SIREN_WATTS = 18
_SIREN_COUNTED_WH = 86  # at its yearly tests


class Plug:
    """A plug with whatever hangs on it; without a total it is a siren, which counts next to nothing."""

    def __init__(self, electricity: Electricity, total: RunningTotal | None, *, is_on: bool) -> None:
        self._electricity = electricity
        self._total = total
        self._is_on = is_on

    def switch(self, *, is_on: bool) -> None:
        """Switch it."""
        self._is_on = is_on

    def values_micro(self, at_ms: int) -> ValuesMicro:
        """Return energy, what flows now, the relay, and that it is there."""
        values = dict(self._electricity.values_micro(at_ms))
        counted_wh = _SIREN_COUNTED_WH if self._total is None else self._total.at(at_ms)
        if self._total is None:
            values |= {"active_power": SIREN_WATTS * 1_000, "current": 79_000, "power_factor": 990_000}
        if not self._is_on:
            values |= {"active_power": 0, "current": 0, "power_factor": 0}
        return values | {
            "active_energy_import": counted_wh * 1_000,
            "relay_state": self._is_on * MICRO,
            "availability": MICRO,
        }
