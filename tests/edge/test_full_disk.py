"""A real disk that is really full: a tmpfs in a mount namespace of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


def test_alarms_are_stored_on_a_full_disk_and_what_waits_is_stored_when_there_is_room(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("this machine lets nobody have a mount namespace")
    mount = f"mount -t tmpfs -o size=64m tmpfs {tmp_path}"
    run = f"{sys.executable} -m tests.edge.full_disk {tmp_path}"

    done = subprocess.run(
        ["unshare", "-rm", "sh", "-ec", f"{mount}\n{run}"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert done.stdout == "ok\n", done.stderr
