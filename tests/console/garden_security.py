"""The guards' side of the demonstration building: who is on duty."""

from datetime import date

from cloud.domain.dispatch import Shift
from cloud.domain.ids import SiteId, TenantId, UserId
from cloud.domain.user import Locale, Role
from cloud.services import barrings, duty
from cloud.store import users
from cloud.store.db import Database, Tx
from tests.console.garden_community import user_of

_TENANT = TenantId(1)
_EVERY_DAY = frozenset(range(7))
_MONDAY = date(2026, 11, 2)


def keep_watch(database: Database, site_id: SiteId) -> None:
    """Two guards by day and by night, a manager on call, and one turn swapped."""

    def work(tx: Tx) -> None:
        office = user_of(tx, "manager")
        zhang, wu = _guard(tx, "zhang", "张强"), _guard(tx, "wu", "吴磊")
        for name, circle, hours, turn_days, rota in (
            ("门岗 · 白班", 1, (480, 1200), 7, (zhang, wu)),
            ("门岗 · 夜班", 1, (1200, 480), 7, (wu, zhang)),
            ("值班经理", 2, (0, 0), 1, (office.user_id, zhang)),
        ):
            shift = Shift(_EVERY_DAY, *hours)
            post = duty.add_post(tx, office, site_id, name, circle, shift, turn_days, _MONDAY, rota)
            if circle == 2:
                duty.swap(tx, office, post.post_id, date(2026, 11, 27), wu, "去市里开会")

        barrings.bar(tx, office, site_id, "刘某", "京B88888", "冒充燃气检查入户推销")

    database.write_now(_TENANT, work)


def _guard(tx: Tx, login: str, name: str) -> UserId:
    user_id = users.insert_user(tx, login, name, Role.GUARD, Locale.CHINESE, "!")
    assert user_id is not None
    return user_id
