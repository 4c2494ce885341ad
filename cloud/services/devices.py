"""One device behind a gateway: what it says, what can be asked of it, and what was asked."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud.domain.access import Action, require
from cloud.domain.command_offer import Offer, offers_of
from cloud.domain.errors import NotFound
from cloud.domain.gateway import Gateway
from cloud.domain.ids import GatewayId, SiteId
from cloud.domain.series import PointValue
from cloud.domain.user import User
from cloud.services import configurations
from cloud.store import gateways, points
from cloud.store.db import Tx
from cloud.store.points import Device
from protocol.command import Action as Asked


@dataclass(frozen=True, slots=True)
class DeviceDetail:
    """A device with its points; `is_told` is False while its gateway has not told what runs there."""

    gateway: Gateway
    device: Device
    values: tuple[PointValue, ...]
    offers: tuple[Offer, ...]
    is_told: bool


@dataclass(frozen=True, slots=True)
class Door:
    """A door that can be opened from here."""

    gateway_id: GatewayId
    gateway_code: str
    device: Device


def get_device(tx: Tx, actor: User, site_id: SiteId, gateway_code: str, code: str) -> DeviceDetail:
    """Return a device of a site by its gateway's code and its own."""
    require(actor, Action.READ_COMMANDS)
    gateway = gateways.find_by_code(tx, site_id, gateway_code)
    if gateway is None:
        raise NotFound(f"the site has no gateway {gateway_code!r}")
    device = next((one for one in points.list_devices(tx, gateway.gateway_id) if one.code == code), None)
    if device is None:
        raise NotFound(f"gateway {gateway_code} has no device {code!r}")
    config = configurations.config_of(tx, gateway.gateway_id)
    values = [one for one in points.values_of_gateway(tx, gateway.gateway_id) if one.device_code == code]
    offers = () if config is None else offers_of(config, code)
    return DeviceDetail(gateway, device, tuple(values), offers, config is not None)


def doors(tx: Tx, actor: User, site_id: SiteId) -> Sequence[Door]:
    """Return the doors of a site that may be opened from here, by code."""
    require(actor, Action.READ_COMMANDS)
    found: list[Door] = []
    for gateway in gateways.list_gateways(tx, site_id):
        found += [
            Door(gateway.gateway_id, gateway.code, device) for device in _with_doors(tx, gateway.gateway_id)
        ]
    return found


def _with_doors(tx: Tx, gateway_id: GatewayId) -> list[Device]:
    config = configurations.config_of(tx, gateway_id)
    if config is None:
        return []
    return [
        device
        for device in points.list_devices(tx, gateway_id)
        if any(one.action is Asked.DOOR_UNLOCK and one.is_allowed for one in offers_of(config, device.code))
    ]
