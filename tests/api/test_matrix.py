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


@pytest.mark.parametrize("route", [r for r in ROUTES if r.policy is not Open.EVERYBODY], ids=_name)
async def test_nobody_gets_in_without_signing_in(cloud: Cloud, route: Route) -> None:
    replies = [
        await _try(cloud, route, _filled(route.path)),
        await _try(cloud, route, _filled(route.path), "1." + "A" * 43),
        await _try(cloud, route, _filled(route.path), "nonsense"),
    ]

    assert [reply.status for reply in replies] == [401, 401, 401]


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


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if "{" in r.path and not isinstance(r.policy, Open)], ids=_name
)
async def test_an_id_that_does_not_exist_is_not_found(cloud: Cloud, route: Route) -> None:
    token = await cloud.token_of(await cloud.add_user("manager"))

    unknown = await _try(cloud, route, _filled(route.path), token)
    malformed = await _try(cloud, route, re.sub(r"\{\w+\}", "none", route.path), token)

    assert (unknown.status, malformed.status) == (404, 404)
    assert unknown.json["type"] == "/problems/not-found"
