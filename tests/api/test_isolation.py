"""One company's things do not exist for another, and one home's do not exist for the next.

Every route of the table is tried with ids that are real, and somebody else's.
"""

import asyncio
import re
import uuid
from typing import Any

from cloud.api.route import PATH_NUMBERS, Open, Route
from cloud.api.routes import ROUTES
from cloud.config import DEFAULT_TENANT
from cloud.domain.access import POLICY
from cloud.domain.ids import CameraId, CameraPictureId, SiteId, TenantId
from cloud.domain.notice import NewNotice, Topic
from cloud.domain.user import Role
from cloud.services import notices, tenants
from cloud.store import cameras
from cloud.store.db import Tx
from protocol.event import EventState
from tests.api.conftest import PASSWORD, Cloud
from tests.api.homes import ELECTRICITY, Homes, build_homes, fire, october_readings, picture
from tests.api.samples import sample_body, sample_headers, sample_query

OTHER_COMPANY = TenantId(2)

# Of one's own, whoever one is: there is nothing in these that could be somebody else's.
_OWN = re.compile(r"^/api/v1/(me|sessions|live|setup)")


async def _company(cloud: Cloud, tenant_id: TenantId) -> Homes:
    """Set up two billed homes with an alarm and a work order."""
    await cloud.database.write(tenant_id, tenants.ensure_tenant, f"company-{tenant_id}")
    token = await cloud.token_of(await cloud.add_user("manager", tenant_id=tenant_id))
    homes = await build_homes(cloud, token)
    await homes.send_readings(october_readings())
    await homes.send_events([fire(EventState.RAISED, cloud.clock.now_ms)])
    period = await homes.post(f"/api/v1/sites/{homes.site_id}/periods", {"code": "2026-10"})
    checked = await homes.post(f"/api/v1/periods/{period['period_id']}/checks", {"wait_s": 30})
    await homes.post(f"/api/v1/bill_runs/{checked['run_id']}/approve", {})
    await homes.post(f"/api/v1/periods/{period['period_id']}/closing", {"wait_s": 30})
    await homes.post(f"/api/v1/sites/{homes.site_id}/work_orders/due")
    return homes


async def _picture_of(homes: Homes, camera_id: str, tenant_id: TenantId) -> str:
    picture_id = str(uuid.uuid4())

    def work(tx: Tx) -> None:
        about, now_ms = ("water_leak", "leak-1/water_leak"), homes.cloud.clock.now_ms
        ids = (CameraPictureId(picture_id), CameraId(camera_id))
        cameras.insert_taken(tx, *ids, about, now_ms, picture(), "", is_clock_set=True)

    await homes.cloud.database.write(tenant_id, work)
    return picture_id


async def _ids(homes: Homes, tenant_id: TenantId) -> dict[str, Any]:
    """Return one real value for every parameter a path of the API has."""
    site = f"/api/v1/sites/{homes.site_id}"
    [gateway] = (await homes.get("/api/v1/gateways"))["items"]
    [alarm] = (await homes.get("/api/v1/alarms"))["items"]
    [equipment] = (await homes.get(f"{site}/equipment"))["items"]
    [order] = (await homes.get(f"{site}/work_orders"))["items"]
    period = (await homes.get(f"{site}/periods"))["items"][0]
    [bill_run] = (await homes.get(f"/api/v1/periods/{period['period_id']}/checks"))["items"]
    account = (await homes.get(f"{site}/accounts"))["items"][1]
    [invoice] = (await homes.get(f"/api/v1/invoices?account_id={account['account_id']}"))["items"]
    payment = await homes.post(
        f"/api/v1/accounts/{account['account_id']}/payments",
        {"method": "cash", "amount_fen": 100, "received_on": "2026-11-20"},
        headers={"Idempotency-Key": "a payment of one yuan"},
    )
    webhook = await homes.post("/api/v1/webhooks", {"url": "https://erp.example/hook", "events": ["invoice"]})
    duty = {"name": "duty", "channel": "sms", "topics": ["alarm"], "address": "13800138000"}
    notifier = await homes.post("/api/v1/notifiers", duty)
    told = {"site": "示例花园", "message": "3 层烟感报警", "time": "15:00"}
    alarm_notice = NewNotice(Topic.ALARM, "told", told, site_id=SiteId(homes.site_id))
    await homes.cloud.database.write(tenant_id, notices.notify, alarm_notice)
    contact = await homes.post(
        f"/api/v1/accounts/{account['account_id']}/contacts", {"channel": "sms", "address": "13800138000"}
    )
    own = f"/api/v1/accounts/{account['account_id']}"
    await homes.post(
        f"{own}/deposits",
        {"label": "key", "method": "cash", "amount_fen": 100, "received_on": "2026-11-20"},
        headers={"Idempotency-Key": "a deposit of one yuan"},
    )
    refund = await homes.post(
        f"{own}/refunds",
        {"source": "deposit", "method": "cash", "amount_fen": 100, "reason": "moved out"},
        headers={"Idempotency-Key": "a refund of one yuan"},
    )
    ping = await homes.post(f"/api/v1/webhooks/{webhook['webhook_id']}/ping")
    meter = (await homes.get(f"/api/v1/accounts/{account['account_id']}/meters"))["items"][0]
    building = (await homes.get(f"{site}/buildings"))["items"][0]
    await homes.post(
        "/api/v1/checklists?reason=own",
        {
            "code": "of-this-company",
            "name_zh": "本公司",
            "items": [{"code": "1", "cycle": "year", "zh": "灯"}],
        },
    )
    repair = await homes.post(
        f"{site}/repairs",
        {"category": "plumbing", "description": "厨房漏水", "account_id": account["account_id"]},
        headers={"Idempotency-Key": "a leak in the kitchen"},
    )
    photographed = await homes.cloud.call(
        "POST", f"/api/v1/repairs/{repair['repair_id']}/photos", token=homes.token, data=picture()
    )
    draft = await homes.post(f"/api/v1/gateways/{gateway['gateway_id']}/configurations", {"text": "# draft"})
    person = await homes.post(f"{site}/people", {"name": "赵晓梅", "phone": "13812345678"})
    space_id = repair["space_id"]
    deed = await homes.cloud.call(
        "POST",
        f"/api/v1/spaces/{space_id}/attachments",
        token=homes.token,
        params={"title": "产权证"},
        data=b"%PDF-1.7 a title deed",
    )
    path = f"/api/v1/people/{person['person_id']}"
    for part, body in (
        ("homes", {"space_id": space_id, "relation": "owner", "from_on": "2026-10-01"}),
        ("vehicles", {"plate": "京A12345"}),
    ):
        reply = await homes.cloud.call("POST", f"{path}/{part}", token=homes.token, json=body)
        assert reply.status == 204, reply.body
    known = await homes.get(path)
    now_ms = homes.cloud.clock.now_ms
    invited = await homes.post(
        f"/api/v1/accounts/{account['account_id']}/household/invitations",
        {"relation": "family", "role": "member"},
    )
    visit = await homes.post(
        f"/api/v1/accounts/{account['account_id']}/visits",
        {"name": "李阿姨", "from_ms": now_ms, "until_ms": now_ms + 3_600_000},
    )
    entrance = await homes.post(
        f"{site}/entrances",
        {
            "gateway_id": gateway["gateway_id"],
            "name": "1 号楼大门",
            "device_code": (await homes.get(f"/api/v1/gateways/{gateway['gateway_id']}/devices"))["items"][0][
                "code"
            ],
        },
    )
    group = await homes.post(
        f"{site}/access_groups",
        {"name": "住户", "covers": "residents", "entrance_ids": [entrance["entrance_id"]]},
    )
    badge = await homes.post(
        f"{site}/badges",
        {"kind": "card", "label": "王建国", "secret": "0012345678", "account_id": account["account_id"]},
    )
    table = await homes.cloud.call(
        "POST", f"{site}/imports/spaces", token=homes.token, params={"name": "房间.csv"}, data=_TABLE.encode()
    )
    assert table.status == 201, table.body
    begun = await homes.cloud.call(
        "POST", f"{site}/bill_prints", token=homes.token, json={"period_code": period["code"]}
    )
    run = begun.json
    while run["state"] == "printing":
        await asyncio.sleep(0.05)
        run = await homes.get(f"/api/v1/print_runs/{run['run_id']}")
    announcement = await homes.post(
        f"{site}/announcements", {"title": "停水", "text": "周四 9 点到 11 点停水。"}
    )
    complaint = await homes.post(f"{own}/complaints", {"kind": "complaint", "text": "车库的灯坏了"})
    ballot = await homes.post(
        f"{site}/ballots",
        {"kind": "ordinary", "title": "更换单元门", "text": "是否更换", "until_ms": now_ms + 7_200_000},
    )
    venue = await homes.post(f"{site}/venues", {"name": "活动室"})
    free = await homes.get(f"/api/v1/venues/{venue['venue_id']}/free_slots?on=2026-11-25")
    booking = await homes.post(
        f"{own}/bookings", {"venue_id": venue["venue_id"], "from_ms": free["begins_at_ms"][0]}
    )
    near = await homes.post(
        f"{site}/nearby_services", {"name": "药店", "category": "pharmacy", "phone": "110"}
    )
    guard = await homes.post(
        "/api/v1/users", {"login": "on-duty", "display_name": "张强", "role": "guard", "password": PASSWORD}
    )
    duty_post = await homes.post(
        f"{site}/duty_posts", {"name": "门岗", "starts_on": "2026-11-01", "rota": [guard["user_id"]]}
    )
    barring = await homes.post(f"{site}/barrings", {"name": "某人", "reason": "推销"})
    slip = await homes.post(
        f"{own}/goods_slips",
        {"items": [{"name": "沙发"}], "from_ms": now_ms, "until_ms": now_ms + 3_600_000},
    )
    patrol = await homes.post(
        f"{site}/patrol_routes",
        {"name": "夜巡", "starts": [60], "checkpoints": [{"name": "泵房"}]},
    )
    devices = (await homes.get(f"/api/v1/gateways/{gateway['gateway_id']}/devices"))["items"]
    camera = await homes.post(
        f"{site}/cameras",
        {"gateway_id": gateway["gateway_id"], "device_code": devices[0]["code"], "name": "大堂"},
    )
    return {
        "camera_id": camera["camera_id"],
        "camera_picture_id": await _picture_of(homes, camera["camera_id"], tenant_id),
        "account_id": account["account_id"],
        "badge_id": badge["badge_id"],
        "barring_id": barring["barring_id"],
        "entrance_id": entrance["entrance_id"],
        "group_id": group["group_id"],
        "alarm_id": alarm["alarm_id"],
        "booking_id": booking["booking_id"],
        "venue_id": venue["venue_id"],
        "ballot_id": ballot["ballot_id"],
        "complaint_id": complaint["complaint_id"],
        "announcement_id": announcement["announcement_id"],
        "attachment_id": deed.json["attachments"][0]["attachment_id"],
        "bill_run_id": bill_run["run_id"],
        "building_id": building["building_id"],
        "checklist_code": "of-this-company",
        "command_id": alarm["alarm_id"],
        "configuration_id": draft["configuration_id"],
        "contact_id": contact["contact_id"],
        "delivery_id": ping["delivery_id"],
        "duty_post_id": duty_post["post_id"],
        "device_id": equipment["device_id"],
        "equipment_id": equipment["equipment_id"],
        "gateway_id": gateway["gateway_id"],
        "goods_slip_id": slip["slip_id"],
        "import_id": table.json["summary"]["import_id"],
        "installation_id": meter["installation_id"],
        "invitation_id": invited["invitation"]["invitation_id"],
        "invoice_id": invoice["invoice_id"],
        "kind_code": "accounts",
        "line_no": 1,
        "nearby_service_id": near["nearby_service_id"],
        "notice_delivery_id": (await homes.get("/api/v1/notice_deliveries"))["items"][0]["delivery_id"],
        "notifier_id": notifier["notifier_id"],
        "occupancy_id": known["homes"][0]["occupancy_id"],
        "patrol_route_id": patrol["route_id"],
        "payment_id": payment["receipt"]["payment_id"],
        "period_id": period["period_id"],
        "person_id": person["person_id"],
        "refund_id": refund["refund_id"],
        "photo_id": photographed.json["photos"][0]["photo_id"],
        "plan_id": equipment["clocks"][0]["plan_id"],
        "print_run_id": run["run_id"],
        "problem_id": alarm["alarm_id"],
        "repair_id": repair["repair_id"],
        "series_id": meter["series_id"],
        "sheet_id": alarm["alarm_id"],
        "session_id": (await homes.get("/api/v1/sessions"))["items"][0]["session_id"],
        "site_id": homes.site_id,
        "space_id": space_id,
        "tariff_code": ELECTRICITY,
        "user_id": (await homes.get("/api/v1/users"))["items"][0]["user_id"],
        "vehicle_id": known["vehicles"][0]["vehicle_id"],
        "version": 1,
        "visit_id": visit["visit_id"],
        "webhook_id": webhook["webhook_id"],
        "work_order_id": order["work_order_id"],
    }


_TABLE = "楼栋,房号,楼层\n1,1-999,9\n"
_NOBODYS = ("/api/v1/documents/", "/api/v1/import_kinds/")
_OF_A_HOME = {
    "account_id",
    "badge_id",
    "booking_id",
    "complaint_id",
    "installation_id",
    "invitation_id",
    "invoice_id",
    "repair_id",
    "series_id",
}


def _of_companies() -> list[Route]:
    """Return the routes to a company's things: a paper is for whoever holds it, a template for anybody."""
    return [route for route in ROUTES if not route.path.startswith(_NOBODYS)]


def _filled(route: Route, ids: dict[str, Any]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: str(ids[found[1]]), route.path)


async def _everything(homes: Homes, ids: dict[str, Any]) -> dict[str, Any]:
    """Return what every reading route answers about these ids, without what moves by itself."""
    found: dict[str, Any] = {}
    for route in _of_companies():
        if route.method != "GET" or _OWN.match(route.path) or re.search("audit|deliveries", route.path):
            continue
        reply = await homes.cloud.call(
            "GET", _filled(route, ids), token=homes.token, params=sample_query(route)
        )
        if reply.status == 200:
            found[route.path] = reply.body
    assert len(found) > 30
    return found


async def test_another_company_s_things_do_not_exist(any_cloud: Cloud) -> None:
    theirs = await _company(any_cloud, OTHER_COMPANY)
    ids = await _ids(theirs, OTHER_COMPANY)
    before = await _everything(theirs, ids)
    # A company without anything of its own, so that nothing can be found by accident.
    token = await any_cloud.token_of(await any_cloud.add_user("intruder", tenant_id=DEFAULT_TENANT))

    for route in _of_companies():
        if "{" not in route.path:
            continue
        reply = await any_cloud.call(
            route.method,
            _filled(route, ids),
            token=token,
            json=sample_body(route),
            params=sample_query(route),
            headers=sample_headers(route),
        )
        assert reply.status == 404, f"{route.method} {route.path} → {reply.status} {reply.body!r}"

    assert await _everything(theirs, ids) == before


async def test_another_company_s_ids_are_unknown_in_bodies_and_filters(any_cloud: Cloud) -> None:
    theirs = await _company(any_cloud, OTHER_COMPANY)
    ids = await _ids(theirs, OTHER_COMPANY)
    token = await any_cloud.token_of(await any_cloud.add_user("intruder", tenant_id=DEFAULT_TENANT))
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/api/v1/gateways", {"site_id": ids["site_id"], "code": "gw-9"}),
        ("/api/v1/work_orders", {"equipment_id": ids["equipment_id"], "title": "x", "due_on": "2030-01-01"}),
        (
            "/api/v1/users",
            {
                "login": "spy",
                "display_name": "Spy",
                "role": "resident",
                "password": PASSWORD,
                "account_ids": [ids["account_id"]],
            },
        ),
    ]
    filters = [
        f"/api/v1/{noun}?site_id={ids['site_id']}" for noun in ("gateways", "alarms", "events", "invoices")
    ]

    refused = [await any_cloud.call("POST", path, token=token, json=body) for path, body in bodies]
    listed = [await any_cloud.call("GET", path, token=token) for path in filters]
    foreign_account = await any_cloud.call(
        "GET", f"/api/v1/invoices?account_id={ids['account_id']}", token=token
    )

    assert [reply.status for reply in refused] == [404, 404, 404]
    assert [reply.json["items"] for reply in [*listed, foreign_account]] == [[], [], [], [], []]


async def test_a_neighbour_s_home_does_not_exist(any_cloud: Cloud) -> None:
    homes = await _company(any_cloud, DEFAULT_TENANT)
    neighbour = await _ids(homes, DEFAULT_TENANT)
    signed_in = await any_cloud.call("POST", "/api/v1/sessions", json={"login": "101", "password": PASSWORD})
    token = signed_in.json["token"]

    for route in ROUTES:
        if not (_OF_A_HOME & _parameters(route)):
            continue
        reply = await any_cloud.call(
            route.method,
            _filled(route, neighbour),
            token=token,
            json=sample_body(route),
            params=sample_query(route),
            headers=sample_headers(route),
        )
        is_for_residents = isinstance(route.policy, Open) or Role.RESIDENT in POLICY[route.policy]
        expected = 404 if is_for_residents else 403
        assert reply.status == expected, f"{route.method} {route.path} → {reply.status} {reply.body!r}"


async def test_a_resident_sees_all_of_their_own_home(any_cloud: Cloud) -> None:
    homes = await _company(any_cloud, DEFAULT_TENANT)
    own = await _ids(homes, DEFAULT_TENANT)
    signed_in = await any_cloud.call("POST", "/api/v1/sessions", json={"login": "102", "password": PASSWORD})

    for route in ROUTES:
        is_theirs = {"account_id", "invoice_id"} & _parameters(route) and route.method == "GET"
        if not is_theirs or "running_charge" in route.path:
            continue
        if Role.RESIDENT not in POLICY[route.policy]:
            continue
        reply = await any_cloud.call(
            "GET", _filled(route, own), token=signed_in.json["token"], params=sample_query(route)
        )
        assert reply.status == 200, f"{route.path} → {reply.status} {reply.body!r}"


def _parameters(route: Route) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", route.path))


def test_every_parameter_is_tried() -> None:
    numbers = {name for route in ROUTES for name in _parameters(route)} & PATH_NUMBERS

    assert numbers == PATH_NUMBERS
