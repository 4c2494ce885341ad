"""Recording that a meter was exchanged: the old one's last register, the new one's first, and why.

The invariant: what was typed is never lost; a form that does not fit comes back with it and says which
field and what was expected.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.meters import find_meter
from cloud.console.typed import BadField, instant_of, number_of
from cloud.domain.errors import Invalid
from cloud.domain.ids import SiteId
from cloud.domain.meter import MeterDetail
from cloud.domain.user import User
from cloud.services import meters
from cloud.services.meters import NewMeter
from cloud.store.db import Tx
from protocol.quantity import micro_from_decimal
from protocol.reading import Quality

_FIELDS = ("at", "closing", "serial", "model", "opening", "reason")
_FIELD_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class ExchangeView:
    """The form: what it is about, what was typed, and what is wrong with it, by field."""

    meter: MeterDetail
    typed: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)


async def show(desk: Desk) -> web.StreamResponse:
    """Show the form, filled with what the held reading suggests."""
    meter = await desk.read(find_meter, desk.site.site_id, desk.request.match_info["meter"])
    return await desk.page("meters/exchange.html", view=ExchangeView(meter, _suggested(meter, desk.format)))


async def submit(desk: Desk) -> web.StreamResponse:
    """Record the exchange, or show the form again with what does not fit."""
    form = await desk.request.post()
    typed = {name: str(form.get(name, "")).strip()[:_FIELD_LENGTH_MAX] for name in _FIELDS}
    name = desk.request.match_info["meter"]
    try:
        serial = await desk.write(_exchange, desk.site.site_id, name, typed, desk.format)
    except BadField as error:
        errors = {error.name: str(error)}
    except Invalid as error:
        errors = {"": str(error)}
    else:
        return desk.go(f"/meters/{serial}", "meter-exchanged", serial=serial)
    meter = await desk.read(find_meter, desk.site.site_id, name)
    return await desk.page("meters/exchange.html", status=422, view=ExchangeView(meter, typed, errors))


def _suggested(meter: MeterDetail, fmt: Format) -> Mapping[str, str]:
    row = meter.row
    is_held = row.quality is Quality.HELD and row.measured_at_ms is not None
    at_ms = row.measured_at_ms if is_held and row.measured_at_ms is not None else fmt.now_ms
    value = fmt.measured(row.last_value_micro, row.unit).replace(",", "")
    known = "" if row.last_value_micro is None else value
    return {
        "at": f"{fmt.local(at_ms):%Y-%m-%dT%H:%M}",
        "closing": "" if is_held else known,
        "serial": "",
        "model": row.model,
        "opening": known if is_held else "0",
        "reason": "",
    }


def _exchange(tx: Tx, actor: User, site_id: SiteId, name: str, typed: Mapping[str, str], fmt: Format) -> str:
    meter = find_meter(tx, actor, site_id, name)
    if not typed["serial"]:
        raise BadField("serial", fmt.language.gettext("The number on the new meter's plate is needed."))
    if not typed["reason"]:
        raise BadField("reason", fmt.language.gettext("Give the form's number, or one sentence why."))
    article = meter.installations[-1].meter
    own = next((one.meter for one in meter.installations if one.meter.serial == meter.row.serial), article)
    new = NewMeter(
        typed["serial"],
        typed["model"],
        micro_from_decimal(number_of(typed["opening"], fmt, "opening")),
        meter.row.series_id,
        meter.row.multiplier,
        own.register_modulus_micro,
        own.max_per_day_micro,
    )
    meters.exchange(
        tx,
        actor,
        meter.row.installation_id,
        instant_of(typed["at"], fmt, "at"),
        micro_from_decimal(number_of(typed["closing"], fmt, "closing")),
        new,
        typed["reason"],
    )
    return new.serial
