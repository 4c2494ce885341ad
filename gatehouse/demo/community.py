"""The community of the demonstration: what was announced, complained of and put to the vote lately.

Told through the API by the people whose acts they are, once, when the property is new.
"""

import msgspec

from gatehouse.demo.cloud_api import CloudApi
from simulator.__main__ import DEMO_PASSWORD

_DAY_MS = 24 * 3_600_000
_PAPER_VOTES = 9  # of 24: under way, and short of the quorum


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


def fill_community(office: CloudApi, port: int, site_id: str, now_ms: int) -> None:
    """Announce, complain and answer, and put two questions to the vote."""
    homes = {login: _signed_in(port, login) for login in ("101", "102", "103")}
    _announce(office, homes["102"], site_id)
    _complain(office, homes)
    _vote(office, homes, site_id, now_ms)


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


def _signed_in(port: int, login: str) -> CloudApi:
    api = CloudApi(port)
    api.sign_in(login, DEMO_PASSWORD)
    return api
