"""A real disk that the kernel makes read-only: ext4 on a loop device, given up as after a card's error."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SIZE_BYTES = 32 * 1024 * 1024


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An empty ext4 file system in a file, where this machine lets us mount one."""
    path = tmp_path / "card.img"
    with path.open("wb") as file:
        file.truncate(_SIZE_BYTES)
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("mkfs.ext4 is not here")
    subprocess.run(["mkfs.ext4", "-q", str(path)], check=True)
    (tmp_path / "card").mkdir()
    tried = _mounted(path, tmp_path / "card", "true")
    if tried.returncode:
        pytest.skip(f"this machine lets nobody mount a loop device: {tried.stderr.strip()[-100:]}")
    return path


def _mounted(image: Path, folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a mount namespace of its own in which the image lies in the folder."""
    script = f"mount -o loop {image} {folder}\n{command}"
    return subprocess.run(
        ["unshare", "-m", "sh", "-ec", script],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_on_a_disk_that_turns_read_only_rows_wait_and_what_was_accepted_is_there_after_its_repair(
    image: Path,
) -> None:
    card = image.with_name("card")
    module = f"{sys.executable} -m tests.edge.read_only_disk"

    met = _mounted(image, card, f"{module} run {card}")
    repaired = subprocess.run(["e2fsck", "-fy", str(image)], capture_output=True, check=False)
    found = _mounted(image, card, f"{module} check {card}")

    assert met.stdout == "ok\n", met.stderr
    assert repaired.returncode in (0, 1), repaired.stdout
    assert found.stdout == "ok\n", found.stderr
