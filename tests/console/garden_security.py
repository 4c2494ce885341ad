"""The guards' side of the demonstration building: who is on duty, who is barred, what is carried out."""

from datetime import date

from cloud.domain.camera import CameraSettings
from cloud.domain.dispatch import Shift
from cloud.domain.gateway import GatewayIdentity
from cloud.domain.goods import items_of
from cloud.domain.ids import SiteId, TenantId, UserId
from cloud.domain.user import Locale, Role
from cloud.services import barrings, cameras, duty, goods, patrols, photos
from cloud.store import points, premises, users
from cloud.store.db import Database, Tx
from protocol.picture import PICTURE_VERSION, Picture, PictureCause
from simulator.scenes import View, picture
from tests.console.garden_community import user_of

_TENANT = TenantId(1)
_EVERY_DAY = frozenset(range(7))
_MONDAY = date(2026, 11, 2)
_DAY_MS = 24 * 3_600_000


def keep_watch(database: Database, site_id: SiteId, now_ms: int) -> None:
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

        home = user_of(tx, "101")
        [account_id] = home.account_ids
        moving = items_of(["沙发", "餐椅 x 4", "冰箱"])
        goods.ask(tx, home, account_id, moving, now_ms, now_ms + 2 * _DAY_MS, "李师傅，京A66118 厢货")
        washer = goods.ask(tx, home, account_id, items_of(["旧洗衣机"]), now_ms, now_ms + _DAY_MS)
        goods.decide(tx, office, washer.slip_id, is_approved=True)
        places = [(name, None) for name in ("大门", "泵房", "地下车库", "1 号楼天台")]
        patrols.add_route(tx, office, site_id, "夜间巡更", _EVERY_DAY, [1320, 120], 60, places)
        barrings.bar(tx, office, site_id, "刘某", "京B88888", "冒充燃气检查入户推销")

    database.write_now(_TENANT, work)


def hang_cameras(database: Database, gateway: GatewayIdentity, now_ms: int) -> None:
    """Three cameras that have seen something, one of them the leak, and a fourth nobody has named yet."""
    codes = {"cam-1": "lobby", "cam-2": "pump_room", "cam-3": "garage", "cam-4": ""}

    def work(tx: Tx) -> None:
        keys = [f"{code}/{point}" for code in codes for point in ("availability", "picture_fault")]
        points.register_keys(tx, gateway.gateway_id, keys)
        office = user_of(tx, "manager")
        [building, *_] = premises.list_buildings(tx, gateway.site_id)
        for code, name, place, sees in (
            ("cam-1", "1 号楼大堂", "一层", ("lock-1",)),
            ("cam-2", "水泵房", "地下一层", ("leak-1", "pump-1")),
            ("cam-3", "地下车库 A 区", "地下二层", ()),
        ):
            own = building.building_id if code != "cam-3" else None
            said = CameraSettings(name, place, own, tuple(one for one in sees if one != "pump-1"))
            cameras.add_camera(tx, office, gateway.site_id, gateway.gateway_id, code, said)
            shown = picture(View(name, codes[code]), now_ms - 600_000)
            told = ("water_leak", "leak-1/water_leak") if code == "cam-2" else ("fire_alarm", "fire-1/zone_3")
            sent = Picture(
                PICTURE_VERSION,
                tx.new_id(),
                code,
                now_ms - 600_000,
                True,
                PictureCause.ALARM,
                "",
                *told,
                shown,
            )
            assert not cameras.accept(tx, gateway, sent, photos.clean(shown))

    database.write_now(_TENANT, work)


def _guard(tx: Tx, login: str, name: str) -> UserId:
    user_id = users.insert_user(tx, login, name, Role.GUARD, Locale.CHINESE, "!")
    assert user_id is not None
    return user_id
