"""Every route for everybody: who is let in, who is not, and that a foreign id does not exist.

Generated from the route table, so a route cannot be added without being tried.
"""

import re
import uuid

import pytest

from cloud.api.route import PATH_NUMBERS, Open, Route
from cloud.api.routes import ROUTES
from cloud.domain.access import POLICY
from cloud.domain.user import Role
from tests.api.conftest import Cloud, Reply
from tests.api.samples import sample_body, sample_headers, sample_query

LOGIN_ROLES = [role for role in Role if role is not Role.SYSTEM]


def _name(route: Route) -> str:
    return f"{route.method} {route.path}"


def _filled(path: str) -> str:
    def fill(found: re.Match[str]) -> str:
        return "987654321" if found[1] in PATH_NUMBERS else str(uuid.uuid4())

    return re.sub(r"\{(\w+)\}", fill, path)


async def _try(cloud: Cloud, route: Route, path: str, token: str = "") -> Reply:
    return await cloud.call(
        route.method,
        path,
        token=token,
        json=sample_body(route),
        params=sample_query(route),
        headers=sample_headers(route),
    )


async def test_nobody_gets_in_without_signing_in(cloud: Cloud) -> None:
    let_in = {}
    for route in ROUTES:
        if route.policy is Open.EVERYBODY:
            continue
        tokens = ("", "1." + "A" * 43, "nonsense")
        statuses = [(await _try(cloud, route, _filled(route.path), token)).status for token in tokens]
        if statuses != [401, 401, 401]:
            let_in[_name(route)] = statuses

    assert let_in == {}


@pytest.mark.parametrize("role", LOGIN_ROLES, ids=lambda role: role.value)
async def test_a_role_is_refused_what_the_policy_does_not_give_it(cloud: Cloud, role: Role) -> None:
    token = await cloud.token_of(await cloud.add_user("somebody", role))

    for route in ROUTES:
        if isinstance(route.policy, Open):
            continue
        reply = await _try(cloud, route, _filled(route.path), token)
        is_allowed = role in POLICY[route.policy]
        # Letting somebody into a role above one's own is refused by what is asked, not by who asks.
        is_refused = reply.status == 403 and "may not make somebody" not in reply.json["detail"]
        assert is_refused is not is_allowed, f"{role.value}: {_name(route)} → {reply.status}"
        assert reply.status < 500, f"{role.value}: {_name(route)} → {reply.status}"


async def test_an_id_that_does_not_exist_is_not_found(cloud: Cloud) -> None:
    token = await cloud.token_of(await cloud.add_user("manager"))
    others = {}
    for route in ROUTES:
        if "{" not in route.path or isinstance(route.policy, Open):
            continue
        unknown = await _try(cloud, route, _filled(route.path), token)
        malformed = await _try(cloud, route, re.sub(r"\{\w+\}", "none", route.path), token)
        told = (unknown.status, malformed.status, unknown.json["type"])
        if told != (404, 404, "/problems/not-found"):
            others[_name(route)] = told

    assert others == {}
