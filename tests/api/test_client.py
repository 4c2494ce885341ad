"""The Python client is written from the served document, and works against the cloud that serves it."""

import asyncio
import importlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from cloud.api.door import document_bytes
from cloud.domain.user import Role
from gatehouse.__main__ import main
from tests.api.conftest import PASSWORD, Cloud
from tests.api.homes import site_document

_SITE = {"site_id": "s", "code": "DG", "name": "示范小区", "time_zone": "Asia/Shanghai", "address": ""}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a client written from the document that every cloud of this version serves."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_bytes(document_bytes())
    written = generate("--document", str(folder / "openapi.json"), "--output", str(folder / "written_client"))
    assert written.exit_code == 0, written.output
    sys.path.insert(0, str(folder))
    yield folder / "written_client"
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "written_client"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def written(package: Path) -> ModuleType:
    """The client, imported."""
    return importlib.import_module(package.name)


def generate(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["client", "generate", *arguments])


async def test_a_program_signs_in_reads_pages_and_is_told_what_is_wrong(
    cloud: Cloud, written: ModuleType
) -> None:
    manager = await cloud.add_user("manager", Role.COMPANY_ADMIN)
    token = await cloud.token_of(manager)
    loaded = await cloud.call("POST", "/api/v1/setup", token=token, json=site_document())
    assert loaded.status == 200, loaded.body

    def program() -> None:
        ours = written.Client(cloud.url)
        with pytest.raises(written.Problem) as unknown:
            ours.sign_in("manager", "wrong")
        assert (unknown.value.status, unknown.value.type) == (401, "/problems/unauthenticated")

        ours.sign_in("manager", PASSWORD)
        [site] = ours.iterate_sites()
        assert site.name == "示范小区"
        page = ours.list_spaces(site.site_id, limit=1)
        assert page.next_cursor
        assert [space.code for space in ours.iterate_spaces(site.site_id, limit=1)] == ["1-101", "1-102"]

        body = written.schemas.NewSite(code="GZ", name="广州", time_zone="Nowhere/Land")
        with pytest.raises(written.Problem) as refused:
            ours.add_site(body)
        assert refused.value.type == "/problems/invalid"
        assert "Nowhere/Land" in refused.value.detail + str(refused.value.errors)
        assert refused.value.request_id == ours.last.request_id

        body = msgspec.structs.replace(body, time_zone="Asia/Shanghai")
        first = ours.add_site(body, idempotency_key="guangzhou-1")
        assert not ours.last.is_replayed
        assert ours.add_site(body, idempotency_key="guangzhou-1") == first
        assert ours.last.is_replayed

        ours.sign_out()
        with pytest.raises(written.Problem, match="401"):
            ours.list_sites()

    await asyncio.to_thread(program)


async def test_a_client_is_written_from_a_running_cloud(cloud: Cloud, package: Path, tmp_path: Path) -> None:
    output = tmp_path / "from_cloud"

    done = await asyncio.to_thread(generate, "--cloud", cloud.url, "--output", str(output))

    assert done.exit_code == 0, done.output
    assert (output / "operations.py").read_bytes() == (package / "operations.py").read_bytes()


def test_every_answer_can_be_read_and_the_types_are_whole(package: Path, written: ModuleType) -> None:
    structs = [kind for kind in vars(written.schemas).values() if isinstance(kind, msgspec.StructMeta)]
    for kind in structs:
        msgspec.json.Decoder(kind)
    assert len(structs) > 300

    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", "mypy", package.name],
        cwd=package.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout


class _Restarting(BaseHTTPRequestHandler):
    """Hangs up on the first request, is not there yet for the second, and does the third."""

    keys: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.keys.append(self.headers.get("Idempotency-Key", ""))
        if len(self.keys) == 1:
            return
        self.send_response(503 if len(self.keys) == 2 else 201)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"restarting" if len(self.keys) == 2 else msgspec.json.encode(_SITE))

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - theirs
        """Say nothing."""


@pytest.fixture
def restarting() -> Iterator[tuple[str, list[str]]]:
    """The address of a cloud that restarts, and the keys it was sent."""
    keys: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Restarting,), {"keys": keys}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    yield f"http://127.0.0.1:{server.server_port}", keys
    server.shutdown()
    server.server_close()


def test_a_request_with_a_key_is_sent_again_with_the_same_key(
    written: ModuleType, restarting: tuple[str, list[str]]
) -> None:
    url, keys = restarting
    waits: list[float] = []
    body = written.schemas.NewSite(code="DG", name="示范小区", time_zone="Asia/Shanghai")

    site = written.Client(url, wait=waits.append).add_site(body)

    assert site.name == "示范小区"
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert len(waits) == 2


def test_a_request_without_a_key_is_sent_once(written: ModuleType, restarting: tuple[str, list[str]]) -> None:
    url, keys = restarting

    with pytest.raises(written.NoAnswer, match=r"POST .*/api/v1/sessions"):
        written.Client(url).sign_in("manager", PASSWORD)

    assert keys == [""]


@pytest.mark.parametrize(
    ("document", "told"),
    [
        pytest.param(b"{}", "no document of a Gatehouse cloud", id="something-else"),
        pytest.param(
            b'{"openapi": "3.0.1", "info": {"title": "x", "version": "1"}, "paths": {}}',
            "openapi is '3.0.1', expected 3.1",
            id="older-format",
        ),
        pytest.param(
            b'{"openapi": "3.1.0", "info": {"title": "x", "version": "1"},'
            b' "paths": {"/": {"get": {"operationId": "x(self): import os"}}}}',
            "expected a name that Python can have",
            id="code-for-a-name",
        ),
    ],
)
def test_a_document_that_cannot_be_trusted_is_refused(tmp_path: Path, document: bytes, told: str) -> None:
    (tmp_path / "document.json").write_bytes(document)

    done = generate("--document", str(tmp_path / "document.json"), "--output", str(tmp_path / "refused"))

    assert done.exit_code == 1
    assert told in done.output
    assert not (tmp_path / "refused").exists()


def test_words_of_a_document_never_leave_their_docstring(tmp_path: Path) -> None:
    words = 'ends """ here\\\nraise SystemExit("run") #"'
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Gatehouse", "version": words},
        "paths": {"/'x": {"get": {"operationId": "ask", "summary": words, "responses": {"204": {}}}}},
    }
    (tmp_path / "document.json").write_bytes(msgspec.json.encode(document))

    done = generate("--document", str(tmp_path / "document.json"), "--output", str(tmp_path / "hostile"))

    assert done.exit_code == 0, done.output
    for module in ("__init__", "operations", "schemas"):
        source = (tmp_path / "hostile" / f"{module}.py").read_text()
        compile(source, module, "exec")
        assert "\nraise" not in source


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path, package: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "operations.py").write_text("mine = True\n")

    done = generate("--document", str(package.parent / "openapi.json"), "--output", str(tmp_path / "mine"))

    assert done.exit_code == 1
    assert "holds something else" in done.output
    assert (tmp_path / "mine" / "operations.py").read_text() == "mine = True\n"
