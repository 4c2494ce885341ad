"""What every answer of the API has: its headers, its problem documents, its limits."""

import asyncio
import gzip
import re
from typing import Any

import openapi_spec_validator
import pytest

from cloud.api.door import RouteError, check_routes
from cloud.api.endpoint import endpoint
from cloud.api.errors import KINDS
from cloud.api.openapi import openapi_document, operation_id_of
from cloud.api.route import JSON_BODY_BYTES_MAX, Open, Route
from cloud.api.routes import ROUTES
from cloud.app import DOORS
from cloud.domain.access import POLICY
from cloud.web.door import door_of
from tests.api.conftest import Cloud, StandingClock, running_cloud

HEADERS = {
    "Content-Security-Policy": re.compile(r"default-src 'self'; script-src 'self';.*frame-ancestors 'none'"),
    "Cross-Origin-Opener-Policy": re.compile("same-origin"),
    "Cross-Origin-Resource-Policy": re.compile("same-origin"),
    "Permissions-Policy": re.compile(r"camera=\(\)"),
    "Referrer-Policy": re.compile("same-origin"),
    "X-Content-Type-Options": re.compile("nosniff"),
    "X-Request-Id": re.compile(r"[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}"),
    "Cache-Control": re.compile("no-store|no-cache"),
}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("GET", "/openapi.json", id="the document"),
        pytest.param("GET", "/healthz", id="health"),
        pytest.param("GET", "/api/v1/me", id="401"),
        pytest.param("GET", "/api/v1/nothing", id="404"),
        pytest.param("PUT", "/api/v1/me", id="405"),
        pytest.param("POST", "/api/v1/sessions", id="415"),
    ],
)
async def test_every_answer_has_the_protecting_headers(cloud: Cloud, method: str, path: str) -> None:
    reply = await cloud.call(method, path)

    for name, pattern in HEADERS.items():
        assert pattern.search(reply.headers.get(name, "")), name
    assert "unsafe-inline" not in reply.headers["Content-Security-Policy"]
    assert "Server" not in reply.headers


@pytest.mark.parametrize(
    ("method", "path", "kwargs", "status", "name"),
    [
        pytest.param("GET", "/api/v1/nothing", {}, 404, "not-found", id="unknown path"),
        pytest.param("PUT", "/api/v1/me", {}, 405, "method-not-allowed", id="unknown method"),
        pytest.param(
            "POST", "/api/v1/sessions", {"data": b"{}"}, 415, "unsupported-media-type", id="not JSON"
        ),
        pytest.param("POST", "/api/v1/sessions", {"json": []}, 422, "invalid", id="wrong shape"),
        pytest.param(
            "POST",
            "/api/v1/sessions",
            {"data": b"{", "headers": {"Content-Type": "application/json"}},
            400,
            "malformed",
            id="broken JSON",
        ),
    ],
)
async def test_every_refusal_is_a_problem_document(
    cloud: Cloud, method: str, path: str, kwargs: dict[str, Any], status: int, name: str
) -> None:
    reply = await cloud.call(method, path, **kwargs)

    assert reply.status == status
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json["type"] == f"/problems/{name}"
    assert reply.json["status"] == status
    assert reply.json["request_id"] == reply.headers["X-Request-Id"]
    assert (await cloud.call("GET", reply.json["type"])).status == 200


async def test_a_wrong_field_is_pointed_at(cloud: Cloud) -> None:
    reply = await cloud.call("POST", "/api/v1/sessions", json={"login": "m", "password": 7})

    assert reply.json["errors"] == [{"detail": "Expected `str`, got `int`", "pointer": "#/password"}]


async def test_titles_follow_the_reader_s_language(cloud: Cloud) -> None:
    chinese = await cloud.call("GET", "/api/v1/me", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    english = await cloud.call("GET", "/api/v1/me", headers={"Accept-Language": "en"})

    assert (chinese.json["title"], english.json["title"]) == ("需要登录", "Not signed in")
    assert chinese.json["type"] == english.json["type"]


async def test_a_method_that_is_not_allowed_names_those_that_are(cloud: Cloud) -> None:
    reply = await cloud.call("PUT", "/api/v1/me")

    assert "GET" in reply.headers["Allow"]
    assert "PATCH" in reply.headers["Allow"]


async def test_a_body_at_the_limit_is_read_and_one_byte_more_is_refused(cloud: Cloud) -> None:
    head, tail = b'{"login":"m","password":"', b'"}'
    filled = head + b"x" * (JSON_BODY_BYTES_MAX - len(head) - len(tail)) + tail
    json = {"Content-Type": "application/json"}

    at_the_limit = await cloud.call("POST", "/api/v1/sessions", data=filled, headers=json)
    past_it = await cloud.call("POST", "/api/v1/sessions", data=filled + b" ", headers=json)

    assert at_the_limit.status == 422
    assert past_it.status == 413
    assert past_it.json["type"] == "/problems/too-large"


async def test_a_gzip_bomb_is_refused_while_it_unpacks(cloud: Cloud) -> None:
    bomb = gzip.compress(b"[" + b" " * 64 * 1024 * 1024 + b"]")
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    reply = await cloud.call("POST", "/api/v1/sessions", data=bomb, headers=headers)

    assert len(bomb) < 100_000
    assert reply.status == 413


async def test_a_body_that_is_not_what_its_encoding_says_is_malformed(cloud: Cloud) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    reply = await cloud.call("POST", "/api/v1/sessions", data=b"not gzip", headers=headers)

    assert reply.status == 400


async def test_an_unexpected_error_tells_only_its_number(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    token = await cloud.token_of(await cloud.add_user("manager"))
    cloud.database.close()  # as if the disk had gone

    reply = await cloud.call("GET", "/api/v1/me", token=token)

    assert reply.status == 500
    assert reply.json["detail"] == KINDS["internal"].advice
    assert "closed" not in reply.body.decode()
    logged = [record for record in caplog.records if record.message == "unhandled error"]
    assert [record.request_id for record in logged] == [reply.headers["X-Request-Id"]]  # type: ignore[attr-defined]
    assert (await cloud.call("GET", "/healthz")).status == 503


async def test_health_tells_nothing_but_that_it_is(cloud: Cloud) -> None:
    reply = await cloud.call("GET", "/healthz")

    assert (reply.status, reply.body) == (204, b"")


async def test_the_log_has_a_line_a_request_and_no_secret(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    user = await cloud.add_user("manager")
    token = await cloud.token_of(user)

    await cloud.call("POST", "/api/v1/sessions", json={"login": "manager", "password": "hunter2-hunter2"})
    await cloud.call("GET", "/api/v1/me?token=hunter2-hunter2", token=token)

    lines = [record for record in caplog.records if record.message == "request"]
    assert [line.route for line in lines] == ["/api/v1/sessions", "/api/v1/me"]  # type: ignore[attr-defined]
    assert lines[-1].user_id == user.user_id  # type: ignore[attr-defined]
    written = "\n".join(str(record.__dict__) for record in caplog.records)
    assert "hunter2" not in written
    assert token not in written


def test_the_document_is_valid_openapi_3_1() -> None:
    document = openapi_document(ROUTES, version="0")

    openapi_spec_validator.validate(document)
    assert document["openapi"].startswith("3.1")


def test_the_document_describes_every_route() -> None:
    document = openapi_document(ROUTES, version="0")

    for route in ROUTES:
        operation = document["paths"][route.path][route.method.lower()]
        assert operation["operationId"] == operation_id_of(route)
        assert operation["summary"] == route.summary
        if route.policy is not Open.EVERYBODY:
            assert "401" in operation["responses"]


async def test_nothing_under_the_api_is_served_that_is_not_in_the_table(cloud: Cloud) -> None:
    listed = {(route.method, route.path) for route in ROUTES}

    served = {
        (resource.method, resource.resource.canonical)
        for resource in cloud.app.router.routes()
        if resource.resource is not None
        and resource.resource.canonical.startswith("/api/")
        and resource.method != "HEAD"
    }

    assert served == listed


def test_every_route_has_a_policy_the_table_knows() -> None:
    for route in ROUTES:
        assert isinstance(route.policy, Open) or route.policy in POLICY, route.path
        assert callable(endpoint(route))


async def _handle(call: object) -> None:
    del call


def _route(method: str = "GET", path: str = "/api/v1/x", policy: Any = Open.SIGNED_IN) -> Route:
    return Route(method, path, "", policy, _handle, None)


@pytest.mark.parametrize(
    ("routes", "words"),
    [
        pytest.param([_route(), _route()], "listed twice: GET /api/v1/x", id="an address twice"),
        pytest.param([_route(), _route("PUT")], "listed twice: _handle", id="an operation twice"),
        pytest.param([_route(policy="read_everything")], "not in the policy table", id="no policy"),
        pytest.param([_route(path="/api/v1/x/{thing}")], "what is 'thing'", id="a parameter nobody knows"),
    ],
)
def test_a_table_that_cannot_be_served_fails_at_the_start(routes: list[Route], words: str) -> None:
    with pytest.raises(RouteError, match=words):
        check_routes(routes)


def test_every_path_belongs_to_one_door() -> None:
    for route in ROUTES:
        door = door_of(list(DOORS.values()), route.path)
        assert door is not None
        assert door.name == "api"


async def test_a_stopping_cloud_ends_its_streams(sqlite_url: str) -> None:
    loop = asyncio.get_running_loop()
    async with running_cloud(sqlite_url, StandingClock()) as cloud:
        token = await cloud.token_of(await cloud.add_user("manager"))
        stream = await cloud.http.get(
            cloud.url + "/api/v1/live", headers={"Authorization": f"Bearer {token}"}
        )
        await stream.content.readuntil(b"\r\n\r\n")
        asked_s = loop.time()
    assert loop.time() - asked_s < 1.5
