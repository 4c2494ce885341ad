"""The doors of the demonstration: its entrances, who may pass it, and badges of some who live there.

Set up through the API, as the office does. The invariant: nothing is set up twice; a property that has
an entrance is left as it is.
"""

import msgspec

from gatehouse.demo.cloud_api import CloudApi

_ENTRANCES = (("1 号楼单元门", "lock-1"), ("车库门禁", "door-1"))
_EVERY_DAY, _FROM_MIN, _UNTIL_MIN = 0b1111111, 7 * 60, 19 * 60
_HOMES = (("A-00101", "王建国的卡", "4711101"), ("A-00102", "陈静的卡", "4711102"))


class _Entrance(msgspec.Struct):
    entrance_id: str


class _Group(msgspec.Struct):
    group_id: str


class _Badge(msgspec.Struct):
    badge_id: str


class _Account(msgspec.Struct):
    account_id: str
    number: str


def set_up_doors(api: CloudApi, site_id: str, gateway_id: str) -> int:
    """Make lock and reader entrances and give out badges; return how many."""
    site = f"/api/v1/sites/{site_id}"
    if next(api.pages(f"{site}/entrances", _Entrance), None) is not None:
        return 0
    made = [
        api.post(
            f"{site}/entrances", {"gateway_id": gateway_id, "name": name, "device_code": code}, _Entrance
        )
        for name, code in _ENTRANCES
    ]
    doors = {"entrance_ids": [entrance.entrance_id for entrance in made]}
    api.post(f"{site}/access_groups", {"name": "住户", "covers": "residents", **doors}, _Group)
    hours = [{"days": _EVERY_DAY, "from_min": _FROM_MIN, "until_min": _UNTIL_MIN}]
    cleaners = {"name": "保洁", "covers": "chosen", "hours": hours, **doors}
    group = api.post(f"{site}/access_groups", cleaners, _Group)
    accounts = {one.number: one.account_id for one in api.pages(f"{site}/accounts", _Account)}
    for number, label, card in _HOMES:
        badge = {"kind": "card", "label": label, "secret": card, "account_id": accounts[number]}
        api.post(f"{site}/badges", badge, _Badge)
    api.post(f"{site}/badges", {"kind": "code", "label": "保洁", "group_ids": [group.group_id]}, _Badge)
    return len(_HOMES) + 1
