"""A table of readings taken by hand: another value for the same day holds from then on, the old one stays."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from cloud.domain import money
from cloud.domain.access import Action
from cloud.domain.imports.fault import Fault
from cloud.domain.imports.kind import Key, Values
from cloud.domain.imports.kinds.readings import READINGS
from cloud.domain.imports.plan import PlannedRow
from cloud.domain.periods import local_date, midnight_ms, time_zone
from cloud.domain.premises import Site
from cloud.domain.user import User
from cloud.services.importers.importer import Importer, Look, Made
from cloud.store import bulk, hanging
from cloud.store.bulk import NewReading
from cloud.store.db import Tx
from cloud.store.hanging import Hanging
from protocol.quantity import decimal_from_micro, micro_from_decimal


def look(tx: Tx, site: Site) -> Look:
    """Return what people read here as the table has it, and what a meter can show."""
    zone = time_zone(site.time_zone)
    hung = hanging.list_hanging(tx, site.site_id)
    serials = {one.installation_id: one.serial for one in hung}
    present: dict[Key, Values] = {}
    for (installation_id, at_ms), (value_micro, reason) in hanging.readings_by_hand(tx, site.site_id).items():
        on = local_date(at_ms, zone)
        if at_ms != midnight_ms(on, zone):
            continue
        serial = serials[installation_id]
        value = Decimal(money.plain(decimal_from_micro(value_micro).normalize()))
        present[(serial, on)] = {"serial": serial, "on": on, "value": value, "reason": reason}
    by_serial: dict[str, list[Hanging]] = {}
    for one in hung:
        by_serial.setdefault(one.serial, []).append(one)
    today = local_date(tx.now_ms, zone)

    def check(values: Values, _there: Values | None) -> Sequence[Fault]:
        serial, on = str(values["serial"]), values["on"]
        assert isinstance(on, date), "the column is needed"
        if serial not in by_serial:
            return (Fault("no_meter", (serial,), "serial"),)
        if on > today:
            return (Fault("day_ahead", (on.isoformat(),), "on"),)
        found = _hanging_at(by_serial[serial], midnight_ms(on, zone))
        if found is None:
            return (Fault("no_meter_then", (serial, on.isoformat()), "on"),)
        value_micro = micro_from_decimal(Decimal(str(values["value"])))
        if found.modulus_micro is not None and value_micro >= found.modulus_micro:
            most = money.plain(decimal_from_micro(found.modulus_micro).normalize())
            return (Fault("dial", (serial, str(values["value"]), most), "value"),)
        return ()

    return Look(present, check)


def add(tx: Tx, actor: User, site: Site, rows: Sequence[PlannedRow]) -> Made:
    """Record readings; for a day that had one already, this is what holds from now on."""
    zone = time_zone(site.time_zone)
    by_serial: dict[str, list[Hanging]] = {}
    for one in hanging.list_hanging(tx, site.site_id):
        by_serial.setdefault(one.serial, []).append(one)
    added = []
    for row in rows:
        values, on = row.values, row.values["on"]
        assert isinstance(on, date), "the column is needed"
        at_ms = midnight_ms(on, zone)
        found = _hanging_at(by_serial[str(values["serial"])], at_ms)
        assert found is not None, "the row was checked"
        value_micro = micro_from_decimal(Decimal(str(values["value"])))
        reason = str(values["reason"] or READINGS.column("reason").default)
        added.append(NewReading(found.installation_id, at_ms, value_micro, reason))
    return {"manual_reading": bulk.insert_readings(tx, added, actor.person_id)}


def take_back(tx: Tx, actor: User, site: Site, made: Mapping[str, Sequence[str]], reason: str) -> None:
    """Let the readings hold no more."""
    del site
    bulk.withdraw_readings(tx, made.get("manual_reading", ()), reason, actor.person_id)


def _hanging_at(hung: Sequence[Hanging], at_ms: int) -> Hanging | None:
    """Return where a meter hung at a moment; the one that was taken down then still counts."""
    held = [
        one for one in hung if one.from_at_ms <= at_ms and (one.to_at_ms is None or at_ms <= one.to_at_ms)
    ]
    return held[-1] if held else None


IMPORTER = Importer(READINGS, Action.ENTER_READINGS, look, add, take_back=take_back)
