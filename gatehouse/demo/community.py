"""The community of the demonstration: what is announced, complained of, voted on, booked and fetched.

Told through the API by the people whose acts they are, once, when the property is new.
"""

from datetime import UTC, datetime, timedelta

import msgspec

from gatehouse.demo.cloud_api import CloudApi
from simulator.__main__ import DEMO_PASSWORD

_DAY_MS = 24 * 3_600_000
_SHANGHAI = timedelta(hours=8)
_PAPER_VOTES = 9  # of 24: under way, and short of the quorum
_NEARBY = (
    ("花园社区卫生服务中心", "hospital", "0769-2212 3456", "花园路 3 号", "08:00–20:00", "夜间急诊走北门"),
    ("康民药房", "pharmacy", "0769-2288 6010", "东门外 50 米", "08:00–22:00", "可刷医保卡"),
    ("花园派出所", "police", "110", "花园路 18 号", "24 小时", ""),
    ("惠民超市", "supermarket", "138 0013 8006", "西门底商 2 号", "07:00–23:00", "满 50 元送货上楼"),
    ("老周开锁修锁", "repair", "139 0013 9021", "", "24 小时", "公安备案，开锁须出示房产证明"),
    ("快递驿站", "courier", "", "3 号楼架空层", "09:00–21:00", "超过 5 天退回"),
    ("花园实验幼儿园", "school", "0769-2233 7788", "花园路 9 号", "07:30–17:30", ""),
)


class _Building(msgspec.Struct):
    building_id: str
    code: str


class _Announcement(msgspec.Struct):
    announcement_id: str


class _Complaint(msgspec.Struct):
    complaint_id: str


class _Ballot(msgspec.Struct):
    ballot_id: str


class _Entitled(msgspec.Struct):
    space_id: str
    space_code: str


class _Me(msgspec.Struct):
    account_ids: list[str]


class _Receipt(msgspec.Struct):
    receipt: str


class _Venue(msgspec.Struct):
    venue_id: str


class _FreeSlots(msgspec.Struct):
    begins_at_ms: list[int]


class _Parcel(msgspec.Struct):
    code: str


def fill_community(office: CloudApi, port: int, site_id: str, now_ms: int) -> None:
    """Announce, complain and answer, vote, offer venues and hold parcels, and list what is near."""
    homes = {login: _signed_in(port, login) for login in ("101", "102", "103")}
    _announce(office, homes["102"], site_id)
    _complain(office, homes)
    _vote(office, homes, site_id, now_ms)
    _offer_venues(office, homes, site_id, now_ms)
    _hold_parcels(office, homes["101"], site_id)
    for name, category, phone, address, hours, note in _NEARBY:
        said = {
            "name": name,
            "category": category,
            "phone": phone,
            "address": address,
            "hours": hours,
            "note": note,
        }
        office.post(f"/api/v1/sites/{site_id}/nearby_services", said, msgspec.Raw)


def _announce(office: CloudApi, reader: CloudApi, site_id: str) -> None:
    path = f"/api/v1/sites/{site_id}/announcements"
    buildings = office.pages(f"/api/v1/sites/{site_id}/buildings", _Building)
    first = next(one for one in buildings if one.code == "1")
    meeting = {
        "title": "本周六 14:00 业主大会",
        "text": "一楼活动室，请各户派一人参加。\n议题：单元门禁更换、停车费调整。\n不能到场可在手机上投票。",
    }
    told = office.post(path, meeting, _Announcement)
    reader.post(f"/api/v1/announcements/{told.announcement_id}/opening", {}, msgspec.Raw)
    riser = {
        "title": "01 立管明早 9:00–11:00 停水",
        "text": "更换 3 层立管阀门，请提前接水。\n恢复供水后先打开离阀门最近的龙头放气。",
        "audience": {"building_ids": [first.building_id], "riser": "01"},
        "is_urgent": True,
    }
    office.post(path, riser, _Announcement)


def _complain(office: CloudApi, homes: dict[str, CloudApi]) -> None:
    words = (
        ("101", "complaint", "safety", "地下车库 B 区灯坏了三盏，晚上看不清路。", ""),
        ("102", "suggestion", "other", "楼下花园能不能加两张长椅？", "已列入本月采购，装好后发公告。"),
        ("103", "praise", "staff", "电梯困人那天维修师傅十分钟就到了，谢谢。", "已转告刘师傅，谢谢你。"),
    )
    for login, kind, subject, text, answer in words:
        [account_id, *_] = homes[login].get("/api/v1/me", _Me).account_ids
        body = {"kind": kind, "subject": subject, "text": text}
        told = homes[login].post(f"/api/v1/accounts/{account_id}/complaints", body, _Complaint)
        if answer:
            path = f"/api/v1/complaints/{told.complaint_id}/acts"
            office.post(path, {"act": "answered", "text": answer}, _Complaint)


def _vote(office: CloudApi, homes: dict[str, CloudApi], site_id: str, now_ms: int) -> None:
    path = f"/api/v1/sites/{site_id}/ballots"
    until_ms = now_ms + 5 * _DAY_MS
    decision = {
        "kind": "ordinary",
        "title": "是否更换单元门禁",
        "text": "更换两个单元的门禁，预算 18,000 元，从公共收益中支出。",
        "until_ms": until_ms,
    }
    opened = office.post(path, decision, _Ballot)
    survey = {
        "kind": "survey",
        "title": "花园浇水放在什么时候",
        "text": "浇水时花园小路会湿，选一个你方便的时间。",
        "until_ms": until_ms,
        "options": ["早上 6 点", "傍晚 7 点", "都可以"],
    }
    office.post(path, survey, _Ballot)
    votes = f"/api/v1/ballots/{opened.ballot_id}/votes"
    roll = list(office.pages(f"/api/v1/ballots/{opened.ballot_id}/roll", _Entitled))
    own = {one.space_code: one.space_id for one in roll}
    homes["102"].post(votes, {"space_id": own["1-102"], "choice": 0}, _Receipt)
    on_paper = [one for one in sorted(roll, key=lambda one: one.space_code) if one.space_code > "1-2"]
    for number, one in enumerate(on_paper[:_PAPER_VOTES]):
        choice = 1 if number % 4 == 3 else 0
        body = {"space_id": one.space_id, "choice": choice, "paper": f"书面票 {number + 1:03d}"}
        office.post(votes, body, _Receipt)


def _offer_venues(office: CloudApi, homes: dict[str, CloudApi], site_id: str, now_ms: int) -> None:
    """Offer three venues and have two homes book tomorrow's."""
    tomorrow = (datetime.fromtimestamp(now_ms / 1000, UTC) + _SHANGHAI + timedelta(days=1)).date()
    booked = iter((("101", 3), ("103", 5)))
    for name, opens, closes, slot, note in (
        ("羽毛球场", 8 * 60, 22 * 60, 60, "请穿运动鞋；灯到点自动关。"),
        ("多功能活动室", 9 * 60, 21 * 60, 120, "可坐 30 人，用后请把桌椅归位。"),
        ("乒乓球台", 8 * 60, 21 * 60, 30, ""),
    ):
        venue = {
            "name": name,
            "opens_minute": opens,
            "closes_minute": closes,
            "slot_minutes": slot,
            "note": note,
        }
        offered = office.post(f"/api/v1/sites/{site_id}/venues", venue, _Venue)
        login, place = next(booked, ("", 0))
        if login:
            path = f"/api/v1/venues/{offered.venue_id}/free_slots?on={tomorrow.isoformat()}"
            free = office.get(path, _FreeSlots).begins_at_ms
            [account_id, *_] = homes[login].get("/api/v1/me", _Me).account_ids
            wish = {"venue_id": offered.venue_id, "from_ms": free[place]}
            homes[login].post(f"/api/v1/accounts/{account_id}/bookings", wish, msgspec.Raw)


def _hold_parcels(office: CloudApi, home: CloudApi, site_id: str) -> None:
    """Take parcels in, and hand one out by the code its home shows."""
    path = f"/api/v1/sites/{site_id}/parcels"
    for space, carrier, shelf in (
        ("1-101", "京东快递", "A-03"),
        ("1-101", "顺丰速运", "B-01"),
        ("1-203", "中通快递", "A-07"),
        ("1-402", "邮政 EMS", "冷柜 2"),
    ):
        office.post(path, {"home": space, "carrier": carrier, "shelf": shelf}, msgspec.Raw)
    code = next(one.code for one in home.pages("/api/v1/own_parcels", _Parcel))
    office.post(f"{path}/handing_out", {"code": code}, msgspec.Raw)


def _signed_in(port: int, login: str) -> CloudApi:
    api = CloudApi(port)
    api.sign_in(login, DEMO_PASSWORD)
    return api
