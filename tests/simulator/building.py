"""What the simulator's tests share: an instant, devices by name, and what they show."""

from collections.abc import Mapping

from simulator.building import DEVICE_BY_ID, Device
from simulator.maps import shown_values
from simulator.models import Building

# 2026-09-14 20:17:00 in Asia/Shanghai, a Monday evening.
AT_MS = 1789388220000


def device_called(device_id: str) -> Device:
    """Return a device of the building."""
    return DEVICE_BY_ID[device_id]


def shown(building: Building, device_id: str, at_ms: int) -> Mapping[str, int]:
    """Return what a device tells at that instant, in millionths, as its wire has it."""
    device = DEVICE_BY_ID[device_id]
    return shown_values(device.profile, building.values_micro(device_id, at_ms))
