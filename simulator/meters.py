"""Electricity and water meters: every value one shows at an instant, in millionths, by point name.

A pure function of (seed, device, instant) and the fault book. The invariant: the four rates of a
time-of-use meter sum to its total exactly, and power is what the running hour consumes, wavering.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2b

from protocol.quantity import MICRO
from simulator.curves import HOUR_MS, RatedTotals, RunningTotal
from simulator.faults import FaultBook, FaultKind
from simulator.registers import VOLUME_CJT188, Register, Resolution
from simulator.switch import Switch

ValuesMicro = Mapping[str, int]

RATE_POINTS = (
    "active_energy_import_sharp",
    "active_energy_import_peak",
    "active_energy_import_flat",
    "active_energy_import_valley",
)
SHARP, PEAK, FLAT, VALLEY = range(4)

POWER_FACTOR_PERCENT = 96

_MINUTE_MS = 60_000

# A burst flexible hose behind a half-closed stop valve.
LEAK_LITRES_PER_HOUR = 420


def beijing_rate(month: int, hour: int) -> int:
    """Return the tariff period of an hour by the periods Beijing set for time-of-use customers in 2023.

    Peak 10-13 and 17-22, valley 23-7, flat between; sharp instead of peak 11-13 and 16-17 in July and
    August, 18-21 in December and January.
    """
    if month in (7, 8) and hour in (11, 12, 16):
        return SHARP
    if month in (12, 1) and hour in (18, 19, 20):
        return SHARP
    if 10 <= hour < 13 or 17 <= hour < 22:
        return PEAK
    if hour >= 23 or hour < 7:
        return VALLEY
    return FLAT


class Wobble:
    """Small changes that look like chance and are not: one number a device and span of time."""

    def __init__(self, seed: int, name: str) -> None:
        self._key = f"{seed}/{name}/wobble".encode()

    def at(self, at_ms: int, span_ms: int, amplitude: int) -> int:
        """Return a whole number from -amplitude to amplitude, the same throughout a span."""
        digest = blake2b((at_ms // span_ms).to_bytes(8, "big"), digest_size=4, key=self._key).digest()
        return int.from_bytes(digest, "big") % (2 * amplitude + 1) - amplitude


class Electricity:
    """What every electricity meter measures besides energy: voltage, current and power."""

    def __init__(self, total: RunningTotal, wobble: Wobble, phases: int) -> None:
        self._total = total
        self._wobble = wobble
        self._phases = phases

    def values_micro(self, at_ms: int) -> ValuesMicro:
        """Return V, A, kW, power factor and Hz; where there are three phases, theirs by suffix too."""
        watts = self._total.per_hour(at_ms) * (1000 + self._wobble.at(at_ms, 5 * _MINUTE_MS, 180)) // 1000
        sag = min(watts // (40 * self._phases), 600)
        centivolts = 23_050 + self._wobble.at(at_ms, _MINUTE_MS, 260) - sag
        milliamperes = watts * 10_000_000 // (centivolts * POWER_FACTOR_PERCENT * self._phases)
        values = {
            "active_power": watts * 1_000,
            "power_factor": POWER_FACTOR_PERCENT * 10_000,
            "frequency": 50_000_000 + self._wobble.at(at_ms, 10_000, 1) * 100_000,
        }
        if self._phases == 1:
            return values | {"voltage": centivolts * 10_000, "current": milliamperes * 1_000}
        for number, phase in enumerate("abc"):  # the risers are loaded a little unevenly
            values[f"voltage_{phase}"] = (centivolts + 15 * number) * 10_000
            values[f"current_{phase}"] = milliamperes * (97 + 3 * number) // 100 * 1_000
            values[f"active_power_{phase}"] = watts * (32 + number) // 99 * 1_000
        return values


class SingleRateMeter:
    """An electricity meter with one running total."""

    def __init__(self, electricity: Electricity, register: Register, resolution: Resolution) -> None:
        self._electricity = electricity
        self._register = register
        self._step_micro = resolution.step_micro

    def values_micro(self, at_ms: int) -> ValuesMicro:
        """Return energy in kWh and what flows at that instant."""
        energy_micro = self._register.steps_at(at_ms) * self._step_micro
        return {"active_energy_import": energy_micro, **self._electricity.values_micro(at_ms)}


class RelayMeter:
    """A single-rate meter with a relay: behind an open one nothing flows."""

    def __init__(
        self, device_id: str, total: RunningTotal, wobble: Wobble, resolution: Resolution, faults: FaultBook
    ) -> None:
        self._total = total
        self._relay = Switch()
        self._electricity = Electricity(total, wobble, phases=1)
        register = Register(device_id, resolution, self._watt_hours_at, faults)
        self._meter = SingleRateMeter(self._electricity, register, resolution)

    def turn(self, at_ms: int, *, is_off: bool) -> None:
        """Open the relay or close it."""
        self._relay.turn(at_ms, is_off=is_off)

    def values_micro(self, at_ms: int) -> ValuesMicro:
        """Return what every meter shows, how the relay stands and that the clock's battery is well."""
        values = {**self._meter.values_micro(at_ms), "battery_low": 0}
        if self._relay.is_off:
            values |= {"active_power": 0, "current": 0}
        return values | {"relay_state": (not self._relay.is_off) * MICRO}

    def _watt_hours_at(self, at_ms: int) -> int:
        return self._relay.passed(self._total.at, at_ms)


class FourRateMeter:
    """An electricity meter with a running total for each tariff period; its total is their sum."""

    def __init__(
        self,
        device_id: str,
        electricity: Electricity,
        rated: RatedTotals,
        resolution: Resolution,
        faults: FaultBook,
    ) -> None:
        self._electricity = electricity
        self._resolution = resolution
        self._registers = [
            Register(device_id, resolution, _rate_of(rated, rate), faults) for rate in range(len(RATE_POINTS))
        ]

    def values_micro(self, at_ms: int) -> ValuesMicro:
        """Return energy in kWh in all and by tariff period, and what flows at that instant."""
        steps = [register.steps_at(at_ms) for register in self._registers]
        step_micro = self._resolution.step_micro
        energy = {point: shown * step_micro for point, shown in zip(RATE_POINTS, steps, strict=True)}
        energy["active_energy_import"] = sum(steps) % self._resolution.modulus_steps * step_micro
        return {**energy, **self._electricity.values_micro(at_ms)}


class WaterMeter:
    """A water meter, and the water that runs away behind it while something leaks."""

    def __init__(
        self, device_id: str, total: RunningTotal, faults: FaultBook, leaking: tuple[str, ...]
    ) -> None:
        """Take in `leaking` the devices whose leaks this meter counts."""
        self._total = total
        self._register = Register(device_id, VOLUME_CJT188, self._litres_at, faults)
        self._faults = faults
        self._leaking = leaking
        self._valve = Switch()

    def turn(self, at_ms: int, *, is_off: bool) -> None:
        """Close the valve or open it; no water passes a closed one."""
        self._valve.turn(at_ms, is_off=is_off)

    def values_micro(self, at_ms: int) -> ValuesMicro:
        """Return the volume in m3, the flow in m3/h, valve and battery."""
        leaks = sum(
            fault.lasts_at(at_ms)
            for device_id in self._leaking
            for fault in self._faults.of(device_id, FaultKind.LEAK)
        )
        flowing = self._total.per_hour(at_ms) + leaks * LEAK_LITRES_PER_HOUR
        litres_per_hour = 0 if self._valve.is_off else flowing
        return {
            "water_volume": self._register.steps_at(at_ms) * VOLUME_CJT188.step_micro,
            "volume_flow": litres_per_hour * 1_000,
            "valve_state": self._valve.is_off * MICRO,
            "battery_low": 0,
        }

    def _litres_at(self, at_ms: int) -> int:
        return self._valve.passed(self._wanted_at, at_ms)

    def _wanted_at(self, at_ms: int) -> int:
        """Return the litres that would have passed had the valve always been open."""
        leaked_ms = sum(
            fault.overlap_ms(at_ms)
            for device_id in self._leaking
            for fault in self._faults.of(device_id, FaultKind.LEAK)
        )
        return self._total.at(at_ms) + leaked_ms * LEAK_LITRES_PER_HOUR // HOUR_MS


def _rate_of(rated: RatedTotals, rate: int) -> Callable[[int], int]:
    return lambda at_ms: rated.at(at_ms)[rate]
