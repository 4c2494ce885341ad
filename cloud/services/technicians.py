"""Technicians: what they can do, where and when, and who of them should go."""

from collections.abc import Collection
from dataclasses import replace

from cloud.domain.access import POLICY, Action, require
from cloud.domain.dispatch import Candidate, Shift, Technician, rank
from cloud.domain.errors import Invalid, NotFound
from cloud.domain.ids import UserId
from cloud.domain.periods import local_time, time_zone
from cloud.domain.repair import Repair, RepairCategory
from cloud.domain.user import User
from cloud.services.premises import site_of
from cloud.store import audit, premises, repairs, technicians, users
from cloud.store.db import Tx


def list_technicians(tx: Tx, actor: User) -> list[Technician]:
    """Return who repairs here, by name, each with how many repairs they have under way."""
    require(actor, Action.READ_REPAIRS)
    return _with_load(tx)


def set_technician(
    tx: Tx,
    actor: User,
    user_id: UserId,
    skills: Collection[RepairCategory],
    building_codes: Collection[str],
    shift: Shift,
    *,
    is_away: bool = False,
) -> Technician:
    """Say what somebody can do, where and when; Invalid unless their role may work on repairs."""
    require(actor, Action.MANAGE_REPAIRS)
    record = users.find_user(tx, user_id)
    if record is None:
        raise NotFound("there is no such user")
    if record.user.role not in POLICY[Action.WORK_REPAIRS]:
        raise Invalid(f"{record.user.display_name} is {record.user.role.value}, expected a technician")
    known = {
        building.code
        for site in premises.list_sites(tx)
        for building in premises.list_buildings(tx, site.site_id)
    }
    unknown = sorted(set(building_codes) - known)
    if unknown:
        raise Invalid(f"there is no building {unknown[0]!r}")
    one = Technician(
        user_id, record.user.display_name, frozenset(skills), frozenset(building_codes), shift, is_away
    )
    technicians.put_technician(tx, one)
    audit.record(tx, actor.user_id, "set_technician", "user", user_id, {"is_away": int(is_away)})
    return one


def candidates(tx: Tx, repair: Repair) -> list[Candidate]:
    """Return who could go to a repair now, who suits best first."""
    local = local_time(tx.now_ms, time_zone(site_of(tx, repair.site_id).time_zone))
    minute = local.hour * 60 + local.minute
    return rank(_with_load(tx), repair.category, repair.building_code, local.weekday(), minute)


def _with_load(tx: Tx) -> list[Technician]:
    busy = repairs.open_jobs(tx)
    return [replace(one, open_jobs=busy.get(one.user_id, 0)) for one in technicians.list_technicians(tx)]
