"""What is near a site: kept by the office, looked up by residents, dialled as it is written."""

import pytest

from cloud.domain.errors import Forbidden, Invalid, NotFound
from cloud.domain.nearby import NearbyCategory, NearbySaid
from cloud.services import nearby
from cloud.store import audit
from cloud.store.db import Database
from tests.cloud.house import House, add_resident
from tests.databases import TENANT

_CLINIC = NearbySaid("社区卫生服务中心", NearbyCategory.HOSPITAL, "(0769) 2212-3456", "花园路 3 号")


def test_the_directory_is_kept_by_the_office_and_read_by_homes(database: Database) -> None:
    house = House(database)
    home, work = add_resident(house, "home", "A-101"), house.database.write_now
    shop = NearbySaid("便民超市", NearbyCategory.SUPERMARKET, address="东门外", position=2)
    first = NearbySaid("惠民超市", NearbyCategory.SUPERMARKET, "13800138000", position=1)
    added = [work(TENANT, nearby.add_service, house.manager, house.site_id, one) for one in (shop, first)]
    clinic = work(TENANT, nearby.add_service, house.manager, house.site_id, _CLINIC)

    work(TENANT, nearby.change_service, house.manager, clinic.service_id, _CLINIC)
    work(TENANT, nearby.remove_service, house.manager, added[0].service_id)
    found = house.database.read_now(TENANT, nearby.list_services, home, house.site_id)

    assert [one.said for one in found] == [_CLINIC, first]
    assert found[0].dialled == "076922123456"
    with pytest.raises(Forbidden):
        work(TENANT, nearby.remove_service, home, clinic.service_id)
    with pytest.raises(NotFound):
        work(TENANT, nearby.change_service, house.manager, added[0].service_id, shop)
    kept = [
        house.database.read_now(TENANT, audit.entries_of, "nearby_service", one.service_id)
        for one in (clinic, added[0])
    ]
    assert [[entry.action for entry in entries] for entries in kept] == [
        ["add_nearby_service", "change_nearby_service"],
        ["add_nearby_service", "remove_nearby_service"],
    ]


@pytest.mark.parametrize(
    ("phone", "address", "refusal"),
    [
        ("call me", "", "no phone number"),
        ("110;ext=1", "", "no phone number"),
        ("", "", "nobody can reach it"),
    ],
)
def test_what_nobody_could_reach_is_refused(phone: str, address: str, refusal: str) -> None:
    with pytest.raises(Invalid, match=refusal):
        NearbySaid("派出所", NearbyCategory.POLICE, phone, address)
