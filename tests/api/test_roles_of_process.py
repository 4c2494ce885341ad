"""Which doors a process opens, and that work nobody asks for is kept alive."""

import asyncio

import pytest

from cloud import supervisor
from cloud.config import Role
from cloud.keys import AUTHORITY
from cloud.supervisor import supervised
from provisioning.est import CACERTS_PATH
from provisioning.identity import tls_context
from tests.api.conftest import Cloud, StandingClock, running_cloud
from tests.boxes import NO_CHECK_TIME

_API, _PAGE, _GATEWAY = "/api/v1/me", "/login", "/gateway/v1/hello"


@pytest.mark.parametrize(
    ("role", "served"),
    [
        pytest.param(Role.ALL, {_API, _PAGE, _GATEWAY}, id="all"),
        pytest.param(Role.API, {_API, _PAGE}, id="api"),
        pytest.param(Role.INGEST, {_GATEWAY}, id="ingest"),
        pytest.param(Role.JOBS, set(), id="jobs"),
    ],
)
async def test_a_process_opens_the_doors_of_its_role(sqlite_url: str, role: Role, served: set[str]) -> None:
    async with running_cloud(sqlite_url, StandingClock(), role=role) as cloud:
        statuses = {
            _API: (await cloud.call("GET", _API)).status,
            _PAGE: (await cloud.call("GET", _PAGE)).status,
            _GATEWAY: await _asked_as_a_box(cloud),
        }
        health = await cloud.call("GET", "/healthz")

    assert {path for path, status in statuses.items() if status != 404} == served
    assert health.status == 204


async def _asked_as_a_box(cloud: Cloud) -> int:
    """Ask on the gateways' port without a certificate; a door that is there says 401."""
    tls = tls_context(cloud.app[AUTHORITY].roots_pem)
    tls.verify_flags |= NO_CHECK_TIME
    async with cloud.http.post(cloud.gateways_url + _GATEWAY, ssl=tls) as answer:
        return answer.status


async def test_each_port_has_its_own_doors(sqlite_url: str) -> None:
    async with running_cloud(sqlite_url, StandingClock()) as cloud:
        tls = tls_context(cloud.app[AUTHORITY].roots_pem)
        tls.verify_flags |= NO_CHECK_TIME
        on_people = [(await cloud.call("GET", path)).status for path in (_GATEWAY, CACERTS_PATH)]
        on_gateways = []
        for path in (_API, _PAGE, "/healthz", "/"):
            async with cloud.http.get(cloud.gateways_url + path, ssl=tls) as answer:
                on_gateways.append(answer.status)

    assert (on_people, on_gateways) == ([404] * 2, [404] * 4)


async def test_work_that_fails_is_begun_anew_with_growing_pauses(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervisor, "PAUSE_S_MIN", 0.001)
    monkeypatch.setattr(supervisor, "PAUSE_S_MAX", 0.004)
    attempts = 0

    async def work() -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 5:
            raise ValueError("not yet")

    await asyncio.wait_for(supervised("stubborn", work), 5)

    failures = [record for record in caplog.records if record.message == "background work failed"]
    assert attempts == 5
    assert [record.again_in_s for record in failures] == [0.001, 0.002, 0.004, 0.004]  # type: ignore[attr-defined]


async def test_cancelled_work_is_not_begun_anew() -> None:
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(supervised("endless", work))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert begun == 1
