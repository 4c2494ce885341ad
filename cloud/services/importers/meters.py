"""A table of meters: each with the place it hangs at, its first register, who pays and by which tariff.

A meter that hangs already is only compared: exchanging one takes two readings and a reason, and has a
page of its own.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from cloud.domain.access import Action
from cloud.domain.ids import MeterId, ServicePointId
from cloud.domain.imports.fault import Fault
from cloud.domain.imports.kind import Key, Values
from cloud.domain.imports.kinds.meters import METERS
from cloud.domain.imports.plan import PlannedRow
from cloud.domain.periods import local_date, midnight_ms, time_zone
from cloud.domain.premises import Commodity, ServicePoint, ServicePointKind, Site
from cloud.domain.user import User
from cloud.services.importers.importer import Importer, Look, Made
from cloud.store import bulk, hanging, people, premises, tariffs
from cloud.store.bulk import NewInstallation
from cloud.store.db import Tx
from cloud.store.tariffs import TariffState
from protocol.quantity import MICRO, decimal_from_micro, micro_from_decimal

# What a flat cannot use in a day: 63 A at 230 V round the clock, and a tap left open. A rise beyond it
# is held for a person; behind transformers nobody knows, so nothing is judged.
_MOST_PER_DAY = {Commodity.ELECTRICITY: 350 * MICRO, Commodity.WATER: 30 * MICRO}
_LETTERS = {Commodity.ELECTRICITY: "E", Commodity.WATER: "W"}
_PLACES_MAX = 4


def look(tx: Tx, site: Site) -> Look:
    """Return the site's meters as the table has them, and what a new one must fit to."""
    zone = time_zone(site.time_zone)
    hung = hanging.list_hanging(tx, site.site_id)
    present: dict[Key, Values] = {
        (one.serial,): {
            "serial": one.serial,
            "commodity": one.commodity,
            "model": one.model,
            "space": one.space_code or None,
            "installed_on": local_date(one.from_at_ms, zone),
            "opening": _plain(decimal_from_micro(one.opening_micro)),
            "multiplier": _plain(one.multiplier),
            "digits": None if one.modulus_micro is None else len(str(one.modulus_micro // MICRO - 1)),
            "account": one.account_number or None,
            "tariff": one.tariff_code or None,
        }
        for one in hung
    }
    # By place: the service point's code, the meter there, and who pays for it.
    taken = {
        (one.space_code, one.commodity): (one.service_point_code, one.serial, one.account_number)
        for one in hung
        if one.to_at_ms is None
    }
    spaces = {one.code for one in premises.list_spaces(tx, site.site_id)}
    accounts = people.accounts_by_number(tx, site.site_id)
    in_force = {one.code for one in tariffs.list_summaries(tx) if one.state is TariffState.ACTIVE}
    today = local_date(tx.now_ms, zone)

    def check(values: Values, there: Values | None) -> Sequence[Fault]:
        if there is not None:
            return ()
        space, account, tariff = values["space"], values["account"], values["tariff"]
        faults = []
        if space not in spaces:
            faults.append(Fault("no_space", (str(space),), "space"))
        place = (str(space), str(values["commodity"]))
        if place in taken:
            code, serial, payer = taken[place]
            faults.append(Fault("place_taken", (code, serial), "space"))
            if account is not None and payer not in ("", account):
                faults.append(Fault("supplied", (code, payer), "account"))
        if account is not None and account not in accounts:
            faults.append(Fault("no_account", (str(account),), "account"))
        if tariff is not None and tariff not in in_force:
            faults.append(Fault("no_tariff", (str(tariff),), "tariff"))
        if (account is None) is not (tariff is None):
            titles = (METERS.column("account").title_zh, METERS.column("tariff").title_zh)
            faults.append(Fault("wants", titles if tariff is None else titles[::-1]))
        installed_on = values["installed_on"]
        if isinstance(installed_on, date) and installed_on > today:
            faults.append(Fault("day_ahead", (installed_on.isoformat(),), "installed_on"))
        # Two rows may ask for the same place: the second one is refused.
        if not faults:
            taken[place] = (_point_code(place), str(values["serial"]), str(account or ""))
        return faults

    return Look(present, check)


def add(tx: Tx, actor: User, site: Site, rows: Sequence[PlannedRow]) -> Made:
    """Make meters and service points, hang them, and let accounts pay for them."""
    zone = time_zone(site.time_zone)
    accounts = people.accounts_by_number(tx, site.site_id)
    made_points, points = _points_of(tx, site, rows)
    meter_ids = bulk.insert_meters(tx, [_meter(row.values) for row in rows])
    hung, supplied = [], []
    for row, meter_id in zip(rows, meter_ids, strict=True):
        values, installed_on = row.values, row.values["installed_on"]
        assert isinstance(installed_on, date), "the column is needed"
        point_id = points[(str(values["space"]), str(values["commodity"]))]
        hung.append(
            NewInstallation(
                point_id,
                MeterId(meter_id),
                midnight_ms(installed_on, zone),
                _micro(values["opening"]),
                Decimal(str(values["multiplier"])),
            )
        )
        if values["account"] is not None:
            account = accounts[str(values["account"])]
            supplied.append((account.account_id, point_id, str(values["tariff"]), installed_on))
    installations = bulk.insert_installations(tx, hung, "import", actor.person_id)
    return {
        "installation": installations,
        "meter": meter_ids,
        "service_point": made_points,
        "supply": bulk.insert_supplies(tx, supplied),
    }


def _points_of(
    tx: Tx, site: Site, rows: Sequence[PlannedRow]
) -> tuple[list[str], dict[tuple[str, str], ServicePointId]]:
    """Return the service points that were made, and that of each place, by flat and commodity."""
    spaces = {one.code: one.space_id for one in premises.list_spaces(tx, site.site_id)}
    codes = {space_id: code for code, space_id in spaces.items()}
    there: list[ServicePoint] = premises.list_service_points(tx, site.site_id)
    points = {
        (codes[one.space_id], one.commodity.value): one.service_point_id
        for one in there
        if one.kind is ServicePointKind.FLAT and one.space_id is not None
    }
    names = {one.code for one in there}
    missing: dict[tuple[str, str], str] = {}
    for row in rows:
        place = (str(row.values["space"]), str(row.values["commodity"]))
        if place not in points and place not in missing:
            code = _point_code(place)
            missing[place] = code if code not in names else f"{code}-2"
    ids = bulk.insert_service_points(
        tx, site.site_id, [(spaces[place[0]], code, Commodity(place[1])) for place, code in missing.items()]
    )
    for place, point_id in zip(missing, ids, strict=True):
        points[place] = ServicePointId(point_id)
    return ids, points


def _meter(values: Values) -> tuple[str, Commodity, str, int, int | None]:
    commodity = Commodity(str(values["commodity"]))
    modulus_micro = 10 ** int(str(values["digits"])) * MICRO
    most = _MOST_PER_DAY[commodity] if Decimal(str(values["multiplier"])) == 1 else None
    return str(values["serial"]), commodity, str(values["model"] or ""), modulus_micro, most


def _point_code(place: tuple[str, str]) -> str:
    """Return what a flat's service point is called: E-1-101, W-1-101."""
    return f"{_LETTERS[Commodity(place[1])]}-{place[0]}"


def _micro(value: object) -> int:
    return micro_from_decimal(Decimal(str(value)))


def _plain(value: Decimal) -> Decimal:
    """Return a number as the table's cells are read: without zeros that say nothing."""
    return Decimal(f"{value.normalize():f}")


IMPORTER = Importer(METERS, Action.MANAGE_METERS, look, add)
