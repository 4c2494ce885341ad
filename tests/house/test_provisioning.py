"""`gatehouse provision` against a real cloud: a slot, a token, a key and a certificate; what it refuses."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from bench.site import PASSWORD, site_document
from provisioning.__main__ import PASSWORD_ENV, provision
from provisioning.enrolment_token import parse_enrolment_token
from provisioning.identity import read_credential


@pytest.fixture(scope="module")
def cloud_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("cloud")
    database = f"sqlite:///{folder / 'cloud.db'}"
    document = folder / "site.json"
    document.write_text(_site())
    gatehouse = [sys.executable, "-m", "gatehouse"]
    load = [*gatehouse, "db", "load", "--database", database, str(document)]
    subprocess.run(load, check=True, capture_output=True)
    serve = [*gatehouse, "cloud", "serve", "--database", database, "--port", "0"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        told = re.search(r"http://\S+", process.stdout.readline())
        assert told
        yield told[0]
        process.terminate()


def _site() -> str:
    """Return the test site with a manager a test, since one login has five attempts a minute."""
    site = json.loads(site_document(gateways=1))
    (manager,) = site["users"]
    logins = ("new", "renews", "again", "once", "other", "twice", "site", "gateway", "login")
    site["users"] += [manager | {"login": login} for login in logins]
    return json.dumps(site)


def run(*arguments: str, password: str = PASSWORD) -> Result:
    return CliRunner().invoke(provision, arguments, env={PASSWORD_ENV: password})


def test_a_new_gateway_gets_a_slot_and_a_credential_file(cloud_url: str, tmp_path: Path) -> None:
    path = tmp_path / "credential.json"

    done = run(
        "gateway", "--cloud", cloud_url, "--login", "new", "--site", "TS", "--code", "gw-new",
        "--credential", str(path),
    )  # fmt: skip

    assert done.exit_code == 0, done.output
    credential = read_credential(path)
    assert credential.gateway_code == "gw-new"
    assert credential.cloud_url.startswith("https://127.0.0.1:")
    assert len(credential.command_key) == 64
    shown = run("show", str(path))
    assert f"gateway id  {credential.gateway.gateway_id}" in shown.output
    assert "renews      from" in shown.output
    assert "PRIVATE" not in done.output + shown.output


def test_a_new_token_is_another_one_for_the_same_gateway(cloud_url: str) -> None:
    first = run("token", "--cloud", cloud_url, "--login", "renews", "--gateway", "gw-0")
    second = run("token", "--cloud", cloud_url, "--login", "again", "--gateway", "gw-0")

    tokens = [parse_enrolment_token(done.stdout) for done in (first, second)]
    assert tokens[0].gateway == tokens[1].gateway
    assert tokens[0].secret != tokens[1].secret


def test_a_box_enrols_with_a_token_once_and_nobody_else_after_it(cloud_url: str, tmp_path: Path) -> None:
    offered = run("token", "--cloud", cloud_url, "--login", "once", "--gateway", "gw-0").stdout
    path = tmp_path / "credential.json"

    done = CliRunner().invoke(provision, ["enrol", "-", "--credential", str(path)], input=offered)
    again = run("enrol", offered, "--credential", str(tmp_path / "second.json"))

    assert done.exit_code == 0, done.output
    assert read_credential(path).gateway_code == "gw-0"
    assert again.exit_code == 1
    assert "this enrolment token is not valid (any more)" in again.output
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".second.json.enrolling", "credential.json"]


def test_a_token_is_not_shown_to_a_cloud_of_another_authority(cloud_url: str, tmp_path: Path) -> None:
    offered = parse_enrolment_token(
        run("token", "--cloud", cloud_url, "--login", "other", "--gateway", "gw-0").stdout
    )
    elsewhere = replace(offered, fingerprint="00" * 32)

    refused = run("enrol", str(elsewhere), "--credential", str(tmp_path / "credential.json"))
    still_good = run("enrol", str(offered), "--credential", str(tmp_path / "credential.json"))

    assert refused.exit_code == 1
    assert "is not the cloud this token is for" in refused.output
    assert "nothing was sent to it" in refused.output
    assert still_good.exit_code == 0, still_good.output


@pytest.mark.parametrize(
    ("login", "password", "arguments", "expected"),
    [
        ("twice", PASSWORD, "gateway --site TS --code gw-0", "has a gateway 'gw-0' already"),
        ("site", PASSWORD, "gateway --site XX --code gw-1", "no site 'XX'; it has: TS"),
        ("gateway", PASSWORD, "token --gateway gw-8", "no gateway 'gw-8'; it has: "),
        ("login", "not it", "token --gateway gw-0", "refused POST /api/v1/sessions: 401"),
    ],
)
def test_what_the_cloud_refuses_is_said(
    cloud_url: str, login: str, password: str, arguments: str, expected: str
) -> None:
    done = run(*arguments.split(), "--cloud", cloud_url, "--login", login, password=password)

    assert done.exit_code == 1
    assert expected in done.output


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("http://192.0.2.1:8080", "is plain HTTP", id="plain-http"),
        pytest.param("https://cloud.example/console", "only scheme, host and port", id="path"),
        pytest.param("cloud.example", "expected https://host", id="no-scheme"),
        pytest.param("http://127.0.0.1:1", "cannot reach http://127.0.0.1:1", id="nobody-there"),
    ],
)
def test_a_cloud_that_cannot_be_used_is_named(url: str, expected: str) -> None:
    done = run("token", "--cloud", url, "--login", "manager", "--gateway", "gw-0")

    assert done.exit_code == 1
    assert expected in done.output


class _Redirects(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(307)
        self.send_header("Location", "http://192.0.2.1/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


class _Portal(_Redirects):
    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>Welcome to the hotel</html>")


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        pytest.param(_Redirects, "redirects to http://192.0.2.1/elsewhere", id="redirect"),
        pytest.param(_Portal, "did not answer JSON; is it a Gatehouse cloud?", id="portal"),
    ],
)
def test_a_password_goes_no_further_than_to_the_named_cloud(
    behaviour: type[BaseHTTPRequestHandler], expected: str
) -> None:
    server = HTTPServer(("127.0.0.1", 0), behaviour)
    Thread(target=server.handle_request, daemon=True).start()

    done = run("token", "--cloud", f"http://127.0.0.1:{server.server_port}", "--login", "m", "--gateway", "g")

    server.server_close()
    assert done.exit_code == 1
    assert expected in done.output
