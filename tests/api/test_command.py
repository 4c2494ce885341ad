"""The commands: what they say, with which exit code, and that a served process stops in order."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cloud.__main__ import cloud, db


def _run(group: object, *args: str, text: str = "") -> Result:
    return CliRunner().invoke(group, args, input=text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("group", "args"),
    [
        pytest.param(cloud, ("--help",), id="cloud"),
        pytest.param(cloud, ("serve", "--help"), id="serve"),
        pytest.param(cloud, ("user", "--help"), id="user"),
        pytest.param(cloud, ("user", "add", "--help"), id="user add"),
        pytest.param(db, ("--help",), id="db"),
        pytest.param(db, ("load", "--help"), id="load"),
        pytest.param(db, ("backup", "--help"), id="backup"),
        pytest.param(db, ("restore", "--help"), id="restore"),
    ],
)
def test_every_command_explains_itself(group: object, args: tuple[str, ...]) -> None:
    result = _run(group, *args)

    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_a_new_database_is_checked_upgraded_and_checked_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/gatehouse.db"

    before = _run(db, "check", "--database", url)
    upgraded = _run(db, "upgrade", "--database", url)
    after = _run(db, "check", "--database", url)

    assert before.exit_code == 1
    assert "gatehouse db upgrade" in before.output
    assert upgraded.exit_code == 0
    assert after.exit_code == 0


def test_a_user_is_added_listed_and_disabled(sqlite_url: str) -> None:
    added = _run(
        cloud,
        *("user", "add", "boss", "--database", sqlite_url, "--password-file", "-"),
        text="correct horse battery\n",
    )
    user_id = added.output.split()[-1].rstrip(".")
    listed = _run(cloud, "user", "list", "--database", sqlite_url)
    disabled = _run(cloud, "user", "disable", user_id, "--database", sqlite_url)
    listed_again = _run(cloud, "user", "list", "--database", sqlite_url)

    assert added.exit_code == 0, added.output
    assert "boss" in listed.output
    assert disabled.exit_code == 0, disabled.output
    assert "disabled" in listed_again.output


@pytest.mark.parametrize(
    ("args", "text", "words"),
    [
        pytest.param(("user", "add", "b"), "short\n", "expected 8 to 256", id="short password"),
        pytest.param(("user", "add", "a b"), "long enough\n", "without spaces", id="login with a space"),
    ],
)
def test_a_refusal_is_one_sentence_and_exit_code_1(
    sqlite_url: str, args: tuple[str, ...], text: str, words: str
) -> None:
    result = _run(cloud, *args, "--database", sqlite_url, "--password-file", "-", text=text)

    assert result.exit_code == 1
    assert words in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("mysql://h/d", "must be sqlite or postgresql", id="another engine"),
        pytest.param("sqlite://", "needs a file", id="in memory"),
        pytest.param("postgresql://u:pw@h/d", "url_file", id="password on the command line"),
    ],
)
def test_an_address_we_cannot_use_is_named(url: str, words: str) -> None:
    result = _run(db, "check", "--database", url)

    assert result.exit_code == 1
    assert words in result.output


def test_a_database_that_does_not_answer_is_named() -> None:
    result = _run(db, "check", "--database", "postgresql://127.0.0.1:1/nothing")

    assert result.exit_code == 1
    assert "postgresql://127.0.0.1:1/nothing cannot be used: connection failed" in result.output
    assert "Traceback" not in result.output


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "notes.txt"
    wrong.write_text("milk, bread, and a good deal of other things that are no database")

    result = _run(db, "check", "--database", f"sqlite:///{wrong}")

    assert result.exit_code == 1
    assert "file is not a database" in result.output


def test_an_address_nobody_can_listen_on_is_named(sqlite_url: str) -> None:
    # A process of its own: serving takes the log over.
    command = [sys.executable, "-m", "gatehouse", "cloud", "serve", "--host", "192.0.2.1", "--port", "0"]
    done = subprocess.run(
        [*command, "--database", sqlite_url], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 1
    assert "host '192.0.2.1', gateways.port 0: cannot listen there" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_backup_is_a_whole_database_and_never_overwrites(sqlite_url: str, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    _run(cloud, "user", "add", "boss", "--database", sqlite_url, "--password-file", "-", text="x" * 12)

    first = _run(db, "backup", str(target), "--database", sqlite_url)
    second = _run(db, "backup", str(target), "--database", sqlite_url)

    assert first.exit_code == 0, first.output
    assert second.exit_code == 1
    assert "never overwrites" in second.output
    with sqlite3.connect(target) as copy:
        assert copy.execute("SELECT login FROM app_user").fetchall() == [("boss",)]
    assert target.stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


def test_a_backup_is_restored_where_no_database_is(sqlite_url: str, tmp_path: Path) -> None:
    copy, place = tmp_path / "copy.db", tmp_path / "again.db"
    _run(cloud, "user", "add", "boss", "--database", sqlite_url, "--password-file", "-", text="x" * 12)
    _run(db, "backup", str(copy), "--database", sqlite_url)

    first = _run(db, "restore", str(copy), "--database", f"sqlite:///{place}")
    second = _run(db, "restore", str(copy), "--database", f"sqlite:///{place}")
    check = _run(db, "check", "--database", f"sqlite:///{place}")

    assert first.exit_code == 0, first.output
    assert second.exit_code == 1
    assert "move it away first" in second.output
    assert check.exit_code == 0, check.output
    with sqlite3.connect(place) as restored:
        assert restored.execute("SELECT login FROM app_user").fetchall() == [("boss",)]


def test_a_backup_of_nothing_is_refused(tmp_path: Path) -> None:
    result = _run(db, "backup", str(tmp_path / "x.db"), "--database", f"sqlite:///{tmp_path}/none.db")

    assert result.exit_code == 1
    assert "there is no database" in result.output
    assert not (tmp_path / "x.db").exists()


def test_a_site_document_that_does_not_fit_is_refused_with_its_place(sqlite_url: str) -> None:
    document = json.dumps({"format": 1, "site": {"code": "DG", "name": "x", "time_zone": 8}})

    result = _run(db, "load", "-", "--database", sqlite_url, text=document)

    assert result.exit_code == 1
    assert "/site/time_zone" in result.output


def test_a_served_cloud_answers_and_stops_in_order(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gatehouse", "cloud", "serve", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--database", f"sqlite:///{tmp_path}/g.db"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        with urllib.request.urlopen(url + "/healthz", timeout=5) as answer:
            status = answer.status
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=15)
    finally:
        process.kill()

    assert status == 204
    assert process.returncode == 0
    assert "stopping" in errors
    assert "Traceback" not in errors
