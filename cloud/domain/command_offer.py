"""What can be asked of a device: what it can do by its profile, and what its gateway's own file allows.

The invariant: an offer is a courtesy to whoever looks for a button. What is done is decided on the box,
by the same profile and the same file, whatever was offered here.
"""

import fnmatch
from dataclasses import dataclass

from protocol.command import ACTION_RULES, Action
from provisioning.config import Config, DeviceConfig

_FREEZE = frozenset({"dlt645", "dlt645-2007"})
_POLLED = frozenset({"cjt188", "dlt645", "dlt645-1997", "dlt645-2007", "mbus", "modbus"})


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that can be asked; `is_allowed` says whether the gateway's own file lets the cloud ask it."""

    action: Action
    parameters: tuple[str, ...]
    is_allowed: bool


def offers_of(config: Config, device_code: str) -> tuple[Offer, ...]:
    """Return what can be asked of a device of a configuration; nothing for one it does not have."""
    device = next((one for one in config.devices if one.device_id == device_code), None)
    if device is None:
        return ()
    return tuple(
        Offer(
            action, tuple(sorted(ACTION_RULES[action].parameters)), _is_allowed(config, device_code, action)
        )
        for action in Action
        if _can(device, action)
    )


def _can(device: DeviceConfig, action: Action) -> bool:
    profile = device.profile
    match action:
        case Action.BROADCAST_TIME:
            return profile.protocol.startswith("dlt645")
        case Action.DOOR_UNLOCK:
            return profile.point_named("lock_state") is not None
        case Action.FREEZE_TOTALS:
            return profile.protocol in _FREEZE
        case Action.RAW_READ:
            return profile.protocol in _POLLED
        case Action.RELAY_CLOSE | Action.RELAY_OPEN:
            return device.relay is not None
        case Action.SET_POINT:
            return any(point.write is not None for point in profile.points)
        case Action.SHOW_LIVE | Action.TAKE_PICTURE:
            return False  # pictures have a page of their own, where what is seen is kept or forgotten
        case Action.VALVE_CLOSE | Action.VALVE_OPEN:
            return profile.protocol == "cjt188" and profile.point_named("valve_state") is not None


def _is_allowed(config: Config, device_code: str, action: Action) -> bool:
    lines = () if config.commands is None else config.commands.allowances
    return any(action in line.actions and fnmatch.fnmatchcase(device_code, line.devices) for line in lines)
