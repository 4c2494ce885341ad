"""A reading somebody took off the dial, or an estimate, for a day whose reading never came by wire.

The invariant: what was typed is never lost, and the page says before anything is recorded what an
estimate was worked out from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.meters import find_meter
from cloud.console.typed import BadField, day_of, day_or, number_of
from cloud.domain.errors import Conflict, Invalid
from cloud.domain.ids import SiteId
from cloud.domain.meter import MeterDetail
from cloud.domain.usage import DialReading
from cloud.domain.user import User
from cloud.services import manual_readings
from cloud.services.manual_readings import ProposedEstimate
from cloud.store.db import Tx

_FIELDS = ("on", "value", "reason", "way")
_FIELD_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class HandReadingView:
    """The form: its meter, what was typed, what is wrong, and what an estimate for the day would be."""

    meter: MeterDetail
    on: date
    proposed: ProposedEstimate | None
    no_estimate: str
    typed: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)
    wired: DialReading | None = None  # what came by wire for the day: then nothing needs estimating


async def show(desk: Desk) -> web.StreamResponse:
    """Show the form for a day; without one for the month's beginning, where bills begin and end."""
    on = day_or(desk.request.query.get("on", ""), desk.format.today.replace(day=1))
    on = min(on, desk.format.today)
    typed = {"on": on.isoformat(), "value": "", "reason": ""}
    view = await desk.read(_form, desk.site.site_id, desk.request.match_info["meter"], on, typed, {})
    return await desk.page("meters/hand_reading.html", view=view)


async def submit(desk: Desk) -> web.StreamResponse:
    """Record the reading or the estimate, or show the form again with what does not fit."""
    form = await desk.request.post()
    typed = {name: str(form.get(name, "")).strip()[:_FIELD_LENGTH_MAX] for name in _FIELDS}
    name = desk.request.match_info["meter"]
    try:
        value = await desk.write(_record, desk.site.site_id, name, typed, desk.format)
    except BadField as error:
        on = min(day_or(typed["on"], desk.format.today.replace(day=1)), desk.format.today)
        errors = {error.name: str(error)}
        view = await desk.read(_form, desk.site.site_id, name, on, typed, errors)
        return await desk.page("meters/hand_reading.html", status=422, view=view)
    word = "reading-estimated" if typed["way"] == "estimate" else "reading-recorded"
    return desk.go(f"/meters/{name}", word, day=typed["on"], value=value)


def _form(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    name: str,
    on: date,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
) -> HandReadingView:
    meter = find_meter(tx, actor, site_id, name)
    wired = manual_readings.nearest_reading(tx, actor, meter.row.installation_id, on)
    if isinstance(wired, DialReading):
        return HandReadingView(meter, on, None, "", typed, errors, wired)
    try:
        proposed = manual_readings.propose_estimate(tx, actor, meter.row.installation_id, on)
    except (Conflict, Invalid) as error:
        return HandReadingView(meter, on, None, str(error), typed, errors)
    return HandReadingView(meter, on, proposed, "", typed, errors)


def _record(tx: Tx, actor: User, site_id: SiteId, name: str, typed: Mapping[str, str], fmt: Format) -> str:
    gettext = fmt.language.gettext
    meter = find_meter(tx, actor, site_id, name).row
    on = day_of(typed["on"], fmt, "on")
    if on >= fmt.today + timedelta(days=1):
        raise BadField("on", gettext("That day has not begun yet."))
    is_estimate = typed["way"] == "estimate"
    if not typed["reason"]:
        name_of = "estimate-reason" if is_estimate else "reason"
        raise BadField(name_of, gettext("Say in one sentence why; it stands on the bill's trace."))
    value = Decimal(0) if is_estimate else number_of(typed["value"], fmt, "value")
    try:
        if is_estimate:
            made = manual_readings.record_estimate(tx, actor, meter.installation_id, on, typed["reason"])
            return str(made.value)
        manual_readings.record_reading(tx, actor, meter.installation_id, on, value, typed["reason"])
    except (Conflict, Invalid) as error:
        raise BadField("", str(error)) from error
    return str(value)
