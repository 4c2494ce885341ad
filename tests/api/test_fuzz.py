"""The whole API under requests made from its own document: whatever comes, no error of ours.

Bounded in the suite: a few requests an operation, always the same ones. `make fuzz-api` sets
GATEHOUSE_REQUESTS: as many requests an operation, the bounds of every parameter first.
"""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.api.conftest import Cloud
from tests.api.homes import build_homes, october_readings

MANY = int(os.environ.get("GATEHOUSE_REQUESTS", "0"))
# What the document makes of itself is the same on both engines, so only one is asked all of it.
REQUESTS = {"sqlite": MANY or 3, "postgresql": MANY or 1}
PHASES = "examples,coverage,fuzzing" if MANY else "examples,fuzzing"
TIME_LIMIT_S = 3_600 if MANY else 300

# Streams without an end; ends the session that asks; answers 401 where a password is compared.
LEFT_OUT = ("/api/v1/live", "/api/v1/sessions/current", "/api/v1/me/password", "/api/v1/sessions")


async def test_requests_made_from_the_document_find_no_error_of_ours(
    any_cloud: Cloud, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    cloud = any_cloud
    requests_an_operation = REQUESTS[request.node.callspec.params["any_cloud"]]
    token = await cloud.token_of(await cloud.add_user("manager"))
    homes = await build_homes(cloud, token)
    await homes.send_readings(october_readings())
    excluded = [word for path in LEFT_OUT for word in ("--exclude-path", path)]

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{cloud.url}/openapi.json"),
        *("--header", f"Authorization: Bearer {token}"),
        *("--checks", "not_a_server_error,content_type_conformance,response_schema_conformance"),
        *("--phases", PHASES),
        # One worker: hypothesis parses source, and the parser of CPython 3.11 is not safe in two threads.
        *("--max-examples", str(requests_an_operation), "--seed", "1", "--no-color", "--workers", "1"),
        *excluded,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,  # it keeps notes beside itself
    )
    async with asyncio.timeout(TIME_LIMIT_S):
        output, _ = await process.communicate()

    assert process.returncode == 0, output.decode()[-8_000:]
