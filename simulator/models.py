"""The building as a whole: every device's model, wired to the consumers behind it.

The invariant: what a master meter counts in any span of time is at least what the meters behind it
count, and hardly more.
"""

from collections.abc import Mapping
from typing import Protocol

from simulator.building import (
    BASE_STATION_WATT_HOURS_PER_DAY,
    CHARGER_WATT_HOURS_PER_DAY,
    DEVICES,
    DISPENSER_WATT_HOURS_PER_DAY,
    ELECTRICITY_LOSS_PERMILLE,
    FLATS,
    GARAGE_WATT_HOURS_PER_DAY,
    HEAT_WATT_HOURS_PER_DAY,
    LIFT_TRIPS_PER_DAY,
    PUBLIC_WATT_HOURS_PER_DAY,
    PUMP_PERMILLE_WH_PER_LITRE,
    SHOP_WATT_HOURS_PER_DAY,
    WATER_LOSS_PERMILLE,
    Device,
    Role,
)
from simulator.curves import (
    COMMON_PARTS,
    HOUSEHOLD_ELECTRICITY,
    HOUSEHOLD_WATER,
    LIFT_TRIPS,
    Consumer,
    Following,
    RatedTotals,
    RunningTotal,
)
from simulator.faults import FaultBook
from simulator.heat import HeatMeter
from simulator.meters import (
    RATE_POINTS,
    Electricity,
    FourRateMeter,
    RelayMeter,
    SingleRateMeter,
    ValuesMicro,
    WaterMeter,
    Wobble,
    beijing_rate,
)
from simulator.plant import Door, FirePanel, LeakSensor, Lift, Lock, RelayBoard, Watching
from simulator.plugs import Plug
from simulator.registers import (
    ENERGY_CENTI_KWH,
    ENERGY_DECI_KWH,
    ENERGY_DLT645,
    ENERGY_QUARTER_KWH,
    Register,
    Resolution,
)


class Model(Protocol):
    """Something that shows values."""

    def values_micro(self, at_ms: int) -> ValuesMicro:
        """Return every point's value at that instant, in millionths of its unit."""


class Building:
    """All devices of one seed and one fault book; values of an instant are computed once."""

    def __init__(self, seed: int, faults: FaultBook) -> None:
        self._seed = seed
        self._faults = faults
        electricity = {
            f"em-{flat.number}": Consumer(
                seed, f"em-{flat.number}", flat.watt_hours_per_day, HOUSEHOLD_ELECTRICITY
            )
            for flat in FLATS
        }
        self._electricity: dict[str, Consumer | Following] = dict(electricity)
        self._own_electricity = electricity
        self._water: dict[str, Consumer | Following] = {
            f"wm-{flat.number}": Consumer(seed, f"wm-{flat.number}", flat.litres_per_day, HOUSEHOLD_WATER)
            for flat in FLATS
        }
        households = tuple(self._water.values())
        public = Consumer(seed, "em-public", PUBLIC_WATT_HOURS_PER_DAY, COMMON_PARTS)
        self._own_electricity["em-public"] = self._electricity["em-public"] = public
        self._electricity["em-pump"] = Following(households, PUMP_PERMILLE_WH_PER_LITRE)
        behind = tuple(self._electricity.values())
        self._electricity["em-main"] = Following(behind, ELECTRICITY_LOSS_PERMILLE)
        self._water["wm-main"] = Following(households, WATER_LOSS_PERMILLE)
        for device_id, mean_per_day, pattern in (
            ("em-charger", CHARGER_WATT_HOURS_PER_DAY, HOUSEHOLD_ELECTRICITY),
            ("em-garage", GARAGE_WATT_HOURS_PER_DAY, COMMON_PARTS),
            ("em-shop", SHOP_WATT_HOURS_PER_DAY, COMMON_PARTS),
        ):
            own = Consumer(seed, device_id, mean_per_day, pattern)
            self._own_electricity[device_id] = self._electricity[device_id] = own
        self.door = Door()
        self.lock = Lock(RunningTotal(Consumer(seed, "lock-1", LIFT_TRIPS_PER_DAY // 2, LIFT_TRIPS)))
        self._models: Mapping[str, Model] = {device.device_id: self._model(device) for device in DEVICES}
        self._shown: dict[str, tuple[int, ValuesMicro]] = {}

    def values_micro(self, device_id: str, at_ms: int) -> ValuesMicro:
        """Return every point's value of a device, in millionths, not yet cut to the wire's steps."""
        shown = self._shown.get(device_id)
        if shown is not None and shown[0] == at_ms:
            return shown[1]
        values = self._models[device_id].values_micro(at_ms)
        self._shown[device_id] = (at_ms, values)
        return values

    def turn(self, device_id: str, at_ms: int, *, is_off: bool) -> bool:
        """Turn a water meter's valve or an electricity meter's relay; False if the device has none."""
        model = self._models[device_id]
        if not isinstance(model, RelayMeter | WaterMeter):
            return False
        model.turn(at_ms, is_off=is_off)
        self._shown.pop(device_id, None)
        return True

    def switch(self, device_id: str, *, is_on: bool) -> None:
        """Switch a plug; anything else has nothing to switch."""
        model = self._models[device_id]
        if isinstance(model, Plug):
            model.switch(is_on=is_on)
            self._shown.pop(device_id, None)

    def switch_relay(self, device_id: str, point: str, *, is_on: bool) -> bool:
        """Switch one relay of a board; False if the device is none."""
        model = self._models[device_id]
        if not isinstance(model, RelayBoard):
            return False
        model.switch(point, is_on=is_on)
        self._shown.pop(device_id, None)
        return True

    def forget_shown(self) -> None:
        """Compute anew what is shown, since the fault book has changed."""
        self._shown.clear()

    def _model(self, device: Device) -> Model:
        device_id = device.device_id
        match device.role:
            case Role.FLAT_ELECTRICITY if device.flat is not None and not device.flat.has_four_rates:
                return self._single_rate(device_id, ENERGY_DLT645, phases=1)
            case Role.FLAT_ELECTRICITY:
                return self._four_rate(device_id, ENERGY_DLT645)
            case Role.PUBLIC_ELECTRICITY:
                return self._four_rate(device_id, ENERGY_CENTI_KWH)
            case Role.PUMP_ELECTRICITY:
                return self._single_rate(device_id, ENERGY_DECI_KWH, phases=3)
            case Role.MASTER_ELECTRICITY:
                return self._single_rate(device_id, ENERGY_QUARTER_KWH, phases=3)
            case Role.FLAT_WATER:
                return self._water_meter(device_id, (device_id,))
            case Role.MASTER_WATER:
                return self._water_meter(device_id, ("leak-1", *(f"wm-{flat.number}" for flat in FLATS)))
            case Role.CHARGER_ELECTRICITY:
                total = RunningTotal(self._electricity[device_id])
                return RelayMeter(
                    device_id, total, Wobble(self._seed, device_id), ENERGY_DLT645, self._faults
                )
            case Role.SHOP_ELECTRICITY:
                return self._single_rate(device_id, ENERGY_DLT645, phases=1)
            case Role.GARAGE_ELECTRICITY:
                return self._four_rate(device_id, ENERGY_CENTI_KWH)
            case Role.HEAT_STATION:
                heat = RunningTotal(Consumer(self._seed, device_id, HEAT_WATT_HOURS_PER_DAY, COMMON_PARTS))
                return HeatMeter(device_id, heat, Wobble(self._seed, device_id), self._faults)
            case Role.RELAY_BOARD:
                return RelayBoard()
            case Role.LIFT:
                trips = RunningTotal(Consumer(self._seed, device_id, LIFT_TRIPS_PER_DAY, LIFT_TRIPS))
                return Lift(self._seed, device_id, trips, self._faults)
            case Role.FIRE_PANEL | Role.FIRE_CALLER | Role.ALARM_CALLER:
                return FirePanel(device_id, self._faults)
            case Role.DOOR_READER:
                return self.door
            case Role.CAMERA:
                return Watching()
            case Role.LOCK:
                return self.lock
            case Role.LEAK_SENSOR:
                return LeakSensor(device_id, self._faults)
            case Role.SIREN | Role.PLUG:
                return self._plug(device_id, is_siren=device.role is Role.SIREN)
            case Role.WIRELESS_METER:
                total = RunningTotal(
                    Consumer(self._seed, device_id, BASE_STATION_WATT_HOURS_PER_DAY, COMMON_PARTS)
                )
                electricity = Electricity(total, Wobble(self._seed, device_id), phases=1)
                register = Register(device_id, ENERGY_DLT645, total.at, self._faults)
                return SingleRateMeter(electricity, register, ENERGY_DLT645)

    def _plug(self, device_id: str, *, is_siren: bool) -> Plug:
        total = RunningTotal(Consumer(self._seed, device_id, DISPENSER_WATT_HOURS_PER_DAY, COMMON_PARTS))
        electricity = Electricity(total, Wobble(self._seed, device_id), phases=1)
        return Plug(electricity, None if is_siren else total, is_on=not is_siren)

    def _single_rate(self, device_id: str, resolution: Resolution, *, phases: int) -> SingleRateMeter:
        total = RunningTotal(self._electricity[device_id])
        electricity = Electricity(total, Wobble(self._seed, device_id), phases)
        register = Register(device_id, resolution, total.at, self._faults)
        return SingleRateMeter(electricity, register, resolution)

    def _four_rate(self, device_id: str, resolution: Resolution) -> FourRateMeter:
        consumer = self._own_electricity[device_id]
        electricity = Electricity(RunningTotal(consumer), Wobble(self._seed, device_id), phases=1)
        rated = RatedTotals(consumer, beijing_rate, len(RATE_POINTS))
        return FourRateMeter(device_id, electricity, rated, resolution, self._faults)

    def _water_meter(self, device_id: str, leaking: tuple[str, ...]) -> WaterMeter:
        return WaterMeter(device_id, RunningTotal(self._water[device_id]), self._faults, leaking)
