"""The folder for a box: complete, installable, and a service with no rights but those it needs."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from provisioning.__main__ import provision
from provisioning.config_file import parse_config
from provisioning.image import Image, constraints, unit_text, write_image

LOCK = """\
# made by a tool
aiohttp==3.14.5 \\
    --hash=sha256:00
backports-zstd==1.8.0 ; python_full_version < '3.14' \\
    --hash=sha256:11
"""


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "gatehouse-0.1.0-py3-none-any.whl"
    path.write_bytes(b"PK")
    return path


def test_the_service_is_exposed_at_most_two(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here")
    path = tmp_path / "gatehouse-edge.service"
    path.write_text(unit_text())

    done = subprocess.run(
        [analyze, "security", "--offline=true", str(path)], capture_output=True, text=True, check=False
    )

    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert level, done.stdout + done.stderr
    assert float(level[1]) <= 2.0


def test_the_folder_holds_what_a_box_needs(tmp_path: Path, wheel: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(LOCK)
    folder = tmp_path / "box"

    names = write_image(folder, Image(wheel, lock, "gw-7", token="token"))

    assert names == [
        "README.md", "constraints.txt", "edge.toml", "gatehouse-0.1.0-py3-none-any.whl",
        "gatehouse-edge.service", "install.sh", "token",
    ]  # fmt: skip
    assert (folder / "token").stat().st_mode & 0o777 == 0o600
    assert os.access(folder / "install.sh", os.X_OK)
    subprocess.run(["sh", "-n", str(folder / "install.sh")], check=True)
    config = parse_config((folder / "edge.toml").read_text(), folder / "edge.toml")
    assert config.gateway_code == "gw-7"
    assert str(config.credential_file) == "/var/lib/gatehouse/credential.json"
    assert not re.search(r"\{\w+\}", "".join((folder / n).read_text() for n in names if n != wheel.name))


def test_versions_are_taken_from_the_lock_without_their_hashes() -> None:
    assert constraints(LOCK) == "aiohttp==3.14.5\nbackports-zstd==1.8.0\n"


def test_an_existing_folder_and_a_token_that_is_none_are_refused(tmp_path: Path, wheel: Path) -> None:
    token = tmp_path / "token"
    token.write_text("gh1.1.x.y")

    exists = CliRunner().invoke(provision, ["image", str(tmp_path), "--wheel", str(wheel)])
    spoilt = CliRunner().invoke(
        provision, ["image", str(tmp_path / "box"), "--wheel", str(wheel), "--token-file", str(token)]
    )

    assert "exists already" in exists.output
    assert "not an enrolment token" in spoilt.output
    assert not (tmp_path / "box").exists()
