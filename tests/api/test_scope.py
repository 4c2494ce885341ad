"""Whoever is bound to a site finds that nothing of another one exists, whatever they ask."""

from dataclasses import replace

from cloud.api.route import Open
from cloud.api.routes import ROUTES
from cloud.config import DEFAULT_TENANT
from cloud.domain.access import OF_THE_COMPANY
from cloud.store import premises
from tests.api.conftest import Cloud
from tests.api.homes import Homes
from tests.api.samples import sample_body, sample_headers, sample_query
from tests.api.test_isolation import _NOBODYS, _company, _everything, _filled, _ids, _parameters

# What is the whole company's, so that it is there for whoever works anywhere in it.
_OF_THE_COMPANY = {"checklist_code", "kind_code", "session_id", "tariff_code", "user_id", "version"}


async def _bound(cloud: Cloud, homes: Homes, login: str, site_id: str) -> Homes:
    """Return the homes as a manager sees them who is bound to a site."""
    user = await cloud.add_user(login)
    path = f"/api/v1/users/{user.user_id}/scope"
    reply = await cloud.call("PUT", path, token=homes.token, json={"site_ids": [site_id]})
    assert (reply.status, reply.json["site_ids"]) == (200, [site_id])
    return replace(homes, token=await cloud.token_of(user))


async def test_another_site_s_things_do_not_exist_for_whoever_is_bound_to_one(any_cloud: Cloud) -> None:
    homes = await _company(any_cloud, DEFAULT_TENANT)
    ids = await _ids(homes, DEFAULT_TENANT)
    elsewhere = await any_cloud.database.write(
        DEFAULT_TENANT, premises.insert_site, "EW", "别处", "Asia/Shanghai", ""
    )
    bound = await _bound(any_cloud, homes, "bound", elsewhere)
    before = await _everything(homes, ids)

    for route in ROUTES:
        if not (_parameters(route) - _OF_THE_COMPANY) or route.path.startswith(_NOBODYS):
            continue
        reply = await any_cloud.call(
            route.method,
            _filled(route, ids),
            token=bound.token,
            json=sample_body(route),
            params=sample_query(route),
            headers=sample_headers(route),
        )
        expected = 403 if route.policy in OF_THE_COMPANY else 404
        assert reply.status == expected, f"{route.method} {route.path} → {reply.status} {reply.body!r}"

    foreign = {value for name, value in ids.items() if name not in _OF_THE_COMPANY and len(str(value)) == 36}
    for route in ROUTES:
        if route.method != "GET" or _parameters(route) or route.path == "/api/v1/live":
            continue
        reply = await any_cloud.call("GET", route.path, token=bound.token, params=sample_query(route))
        told = [value for value in foreign if str(value).encode() in reply.body]
        assert told == [], f"{route.path} tells of {told}"

    assert await _everything(homes, ids) == before


async def test_one_s_own_site_looks_as_it_does_to_whoever_works_everywhere(any_cloud: Cloud) -> None:
    homes = await _company(any_cloud, DEFAULT_TENANT)
    ids = await _ids(homes, DEFAULT_TENANT)
    bound = await _bound(any_cloud, homes, "bound", homes.site_id)
    of_the_company = {route.path for route in ROUTES if route.policy in OF_THE_COMPANY}

    everything = await _everything(homes, ids)
    seen = await _everything(bound, ids)

    differing = [path for path, body in everything.items() if seen.get(path) != body]
    assert [path for path in differing if path not in of_the_company and "print_runs" not in path] == []


async def test_whoever_is_bound_changes_nothing_of_the_whole_company(cloud: Cloud) -> None:
    homes = await _company(cloud, DEFAULT_TENANT)
    bound = await _bound(cloud, homes, "bound", homes.site_id)

    for route in ROUTES:
        if isinstance(route.policy, Open) or route.policy not in OF_THE_COMPANY:
            continue
        reply = await cloud.call(
            route.method,
            _filled(route, dict.fromkeys(_parameters(route), "x")),
            token=bound.token,
            json=sample_body(route),
            params=sample_query(route),
            headers=sample_headers(route),
        )
        assert reply.status == 403, f"{route.method} {route.path} → {reply.status}"


async def test_a_scope_holds_from_the_next_request_and_goes_as_it_came(cloud: Cloud) -> None:
    homes = await _company(cloud, DEFAULT_TENANT)
    elsewhere = await cloud.database.write(
        DEFAULT_TENANT, premises.insert_site, "EW", "别处", "Asia/Shanghai", ""
    )
    bound = await _bound(cloud, homes, "bound", elsewhere)
    me = await bound.get("/api/v1/me")

    assert [site["code"] for site in (await bound.get("/api/v1/sites"))["items"]] == ["EW"]

    path = f"/api/v1/users/{me['user_id']}/scope"
    freed = await cloud.call("PUT", path, token=homes.token, json={})

    assert freed.status == 200
    assert [site["code"] for site in (await bound.get("/api/v1/sites"))["items"]] == ["DG", "EW"]
    own = (await homes.get("/api/v1/me"))["user_id"]
    refused = await cloud.call("PUT", f"/api/v1/users/{own}/scope", token=homes.token, json={})
    assert (refused.status, refused.json["type"]) == (409, "/problems/conflict")
