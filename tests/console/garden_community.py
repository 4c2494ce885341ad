"""The community of the demonstration building: what was announced there."""

from datetime import date

from cloud.domain.announcement import Audience
from cloud.domain.ids import SiteId, TenantId
from cloud.domain.user import User, system_user
from cloud.services import announcements, premises
from cloud.store import users
from cloud.store.db import Database, Tx

_TENANT = TenantId(1)


def announce(database: Database, site_id: SiteId) -> None:
    """One for everybody that somebody has opened, and one for a riser that is urgent."""

    def work(tx: Tx) -> None:
        office, home = user_of(tx, "manager"), user_of(tx, "101")
        [building] = premises.list_buildings(tx, system_user(_TENANT), site_id)
        pool = announcements.publish(
            tx,
            office,
            site_id,
            "11 月 28 日业主大会",
            "周六 14:00 在一楼活动室，请各户派一人参加。\n议题：电梯大修、停车费调整。",
            Audience(),
            date(2026, 11, 28),
        )
        announcements.open_own(tx, home, pool.announcement_id)
        announcements.publish(
            tx,
            office,
            site_id,
            "01 立管今天 9:00–11:00 停水",
            "更换 3 层立管阀门。请提前接水，恢复后先开龙头放气。",
            Audience(building_ids=frozenset({building.building_id}), riser="01"),
            is_urgent=True,
        )

    database.write_now(_TENANT, work)


def user_of(tx: Tx, login: str) -> User:
    """Return who signs in by this name."""
    record = users.find_by_login(tx, login)
    assert record is not None, login
    return record.user
