"""The part of a site document that is out in the building: gateways, devices, points, meters."""

from collections.abc import Sequence
from decimal import Decimal

from cloud.domain.ids import GatewayId
from cloud.domain.meter import Meter
from cloud.domain.site_document import DeviceEntry, GatewayEntry, InstallationEntry, MeterEntry
from cloud.services.setup_known import Known
from cloud.store import gateways, meters, points
from protocol.quantity import QUANTITIES, micro_from_decimal


def load_gateways(known: Known, entries: Sequence[GatewayEntry]) -> None:
    """Make slots without tokens, and say what hangs on them."""
    there = {gateway.code: gateway for gateway in gateways.list_gateways(known.tx, known.site_id)}
    known.gateways |= {code: gateway.gateway_id for code, gateway in there.items()}
    for number, entry in enumerate(entries):
        place = f"/gateways/{number}"
        if entry.code in there:
            known.compare(place, name=(there[entry.code].name, entry.name))
        else:
            added = gateways.insert_gateway(known.tx, known.site_id, entry.code, entry.name)
            assert added is not None, "the site has no gateway of that code"
            known.gateways[entry.code] = added
        _load_devices(known, place, known.gateways[entry.code], entry)


def load_meters(known: Known, entries: Sequence[MeterEntry]) -> None:
    """Add meters."""
    there = meters.meters_by_serial(known.tx, [entry.serial for entry in entries])
    for number, entry in enumerate(entries):
        modulus, most = _micro(entry.register_modulus), _micro(entry.max_per_day)
        if entry.serial in there:
            meter = there[entry.serial]
            known.compare(
                f"/meters/{number}",
                commodity=(meter.commodity, entry.commodity),
                model=(meter.model, entry.model),
                register_modulus=(meter.register_modulus_micro, modulus),
                max_per_day=(meter.max_per_day_micro, most),
            )
        else:
            meter_id = meters.insert_meter(
                known.tx, entry.serial, entry.commodity, entry.model, modulus, most
            )
            there[entry.serial] = Meter(meter_id, entry.serial, entry.commodity, entry.model, modulus, most)


def load_installations(known: Known, entries: Sequence[InstallationEntry]) -> None:
    """Hang meters in their places; what hangs there already stays."""
    by_serial = meters.meters_by_serial(known.tx, [entry.meter for entry in entries])
    for number, entry in enumerate(entries):
        place = f"/installations/{number}"
        point_id = known.find(
            known.service_points, entry.service_point, f"{place}/service_point", "service point"
        )
        meter = known.find(by_serial, entry.meter, f"{place}/meter", "meter")
        series_id = known.find(known.series, entry.point, f"{place}/point", "point")
        if point_id is None or meter is None:
            continue
        opening, multiplier = _micro(entry.opening_value) or 0, Decimal(entry.multiplier)
        same = next(
            (
                one
                for one in meters.installations_of(known.tx, point_id)
                if one.from_at_ms == entry.from_at_ms
            ),
            None,
        )
        if same is not None:
            known.compare(
                place,
                meter=(same.meter.serial, entry.meter),
                opening_value=(same.opening_value_micro, opening),
                multiplier=(same.multiplier, multiplier),
            )
        elif not meters.insert_installation(
            known.tx,
            point_id,
            meter.meter_id,
            series_id,
            entry.from_at_ms,
            opening,
            multiplier,
            "set up",
            known.actor.person_id,
        ):
            known.wrong(place, f"another meter hangs at {entry.service_point}, or {entry.meter} elsewhere")


def _load_devices(known: Known, place: str, gateway_id: GatewayId, entry: GatewayEntry) -> None:
    points.ensure_devices(known.tx, gateway_id, {device.code for device in entry.devices})
    there = {device.code: device for device in points.list_devices(known.tx, gateway_id)}
    known.devices |= {f"{entry.code}/{code}": device.device_id for code, device in there.items()}
    for number, device in enumerate(entry.devices):
        found = there[device.code]
        # A device that spoke before anybody described it has its code for a title and no profile.
        if not found.profile and found.title == found.code:
            points.describe_device(known.tx, found.device_id, device.profile, device.title or device.code)
        else:
            known.compare(
                f"{place}/devices/{number}",
                profile=(found.profile, device.profile),
                title=(found.title, device.title or device.code),
            )
        _load_points(known, f"{place}/devices/{number}", gateway_id, entry.code, device)


def _load_points(
    known: Known, place: str, gateway_id: GatewayId, gateway_code: str, device: DeviceEntry
) -> None:
    wanted = {f"{device.code}/{point.name}": point for point in device.points}
    there = points.series_of_keys(known.tx, gateway_id, wanted)
    missing = wanted.keys() - there.keys()
    if missing:
        there |= points.register_keys(known.tx, gateway_id, missing)
    known.series |= {f"{gateway_code}/{key}": series_id for key, series_id in there.items()}
    for number, (key, point) in enumerate(wanted.items()):
        quantity = point.name if point.quantity is None else point.quantity
        if quantity not in QUANTITIES:
            known.wrong(f"{place}/points/{number}", f"no quantity is called {quantity!r}")
        elif quantity != points.quantity_of(point.name):
            points.describe_point(known.tx, there[key], quantity)


def _micro(amount: str | None) -> int | None:
    """Return an amount in millionths of its unit; the document's format admits no more decimals."""
    return None if amount is None else micro_from_decimal(Decimal(amount))
