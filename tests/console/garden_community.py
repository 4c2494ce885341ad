"""The community of the demonstration building: announcements, complaints, votes."""

from datetime import date

from cloud.domain.announcement import Audience
from cloud.domain.ballot import AGREE, BallotKind
from cloud.domain.complaint import ComplaintKind, ComplaintSubject
from cloud.domain.ids import SiteId, TenantId
from cloud.domain.user import User, system_user
from cloud.services import announcements, ballots, complaints, premises
from cloud.store import users
from cloud.store.db import Database, Tx

_TENANT = TenantId(1)


def announce(database: Database, site_id: SiteId) -> None:
    """An announcement opened and an urgent one, two complaints, a decision under way and a survey."""

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

        _complain(tx, office, home)
        _vote(tx, office, home, site_id)

    database.write_now(_TENANT, work)


def _complain(tx: Tx, office: User, home: User) -> None:
    [account_id] = home.account_ids
    lamp = complaints.tell(
        tx,
        home,
        account_id,
        ComplaintKind.COMPLAINT,
        ComplaintSubject.SAFETY,
        "地下车库 B 区灯坏了三盏，晚上看不清路。",
    )
    complaints.note(tx, office, lamp.complaint_id, "已请电工周三更换。")
    bench = complaints.tell(
        tx, home, account_id, ComplaintKind.SUGGESTION, ComplaintSubject.OTHER, "楼下花园能不能加两张长椅？"
    )
    complaints.answer(tx, office, bench.complaint_id, "已列入 12 月的采购，装好后在公告里通知。")


def _vote(tx: Tx, office: User, home: User, site_id: SiteId) -> None:
    until_ms = tx.now_ms + 4 * 24 * 3_600_000
    opened = ballots.open_ballot(
        tx,
        office,
        site_id,
        BallotKind.ORDINARY,
        "是否更换单元门禁",
        "更换两个单元的门禁，预算 18,000 元，从公共收益中支出。",
        until_ms,
    )
    [account_id] = home.account_ids
    ballots.open_ballot(
        tx,
        office,
        site_id,
        BallotKind.SURVEY,
        "花园浇水放在什么时候",
        "选一个时间。",
        until_ms,
        ("早上", "傍晚"),
    )
    detail = ballots.get_ballot(tx, office, opened.ballot_id)
    for row in detail.roll[:9]:
        if row.account_id != account_id:
            number = f"P-{row.space_code}"
            ballots.cast_on_paper(tx, office, opened.ballot_id, row.space_id, AGREE, number)


def user_of(tx: Tx, login: str) -> User:
    """Return who signs in by this name."""
    record = users.find_by_login(tx, login)
    assert record is not None, login
    return record.user
