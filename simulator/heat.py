"""The heat station's meter: what it hands over, and the water that carries it.

The invariant: energy, volume and hours are pure functions of the instant and never fall; the
temperatures are those that make power out of the flow.
"""

from protocol.quantity import MICRO
from simulator.curves import HANDED_OVER_AT_MS, HOUR_MS, RunningTotal
from simulator.faults import FaultBook, FaultKind
from simulator.meters import ValuesMicro, Wobble

# Water carries 1.163 kWh per cubic metre and kelvin; supply and return are twenty kelvin apart.
_LITRES_PER_KWH = 43
_SUPPLY_DECI, _SPREAD_DECI = 620, 200
_MINUTE_MS = 60_000


class HeatMeter:
    """A heat meter."""

    def __init__(self, device_id: str, watt_hours: RunningTotal, wobble: Wobble, faults: FaultBook) -> None:
        self._device_id = device_id
        self._total = watt_hours
        self._wobble = wobble
        self._faults = faults

    def values_micro(self, at_ms: int) -> ValuesMicro:
        """Return energy in kWh, volume in m3, flow, both temperatures, power, hours and the two flags."""
        watt_hours, watts = self._total.at(at_ms), self._total.per_hour(at_ms)
        supply = _SUPPLY_DECI + self._wobble.at(at_ms, 10 * _MINUTE_MS, 15)
        faults = self._faults.of(self._device_id, FaultKind.SYSTEM_FAULT)
        return {
            "heat_energy": watt_hours * 1_000,
            "water_volume": watt_hours * _LITRES_PER_KWH,
            "volume_flow": watts * _LITRES_PER_KWH,
            "flow_temperature": supply * 100_000,
            "return_temperature": (supply - _SPREAD_DECI) * 100_000,
            "heat_power": watts * 1_000,
            "run_time": max(0, at_ms - HANDED_OVER_AT_MS) // HOUR_MS * MICRO,
            "battery_low": 0,
            "system_fault": any(fault.lasts_at(at_ms) for fault in faults) * MICRO,
        }
