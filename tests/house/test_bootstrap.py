"""What a fresh checkout promises before anything runs: the lock, the command overview, the Makefile."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from gatehouse.__main__ import COMMANDS, Mount, main

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_lock_names_no_host_and_no_index() -> None:
    named = re.findall(
        r"(?i)\b(?:https?|git|file)\b[:+]//\S+|--(?:extra-)?index-url\S*|--find-links\S*", LOCK
    )

    assert named == []


def test_every_locked_package_is_pinned_and_hashed() -> None:
    entries = re.split(r"\n(?=\S)", LOCK.strip())

    unhashed = [e for e in entries if "==" not in e or "--hash=sha256:" not in e]

    assert len(entries) > 50
    assert unhashed == []


def test_every_dependency_says_what_it_saves_and_costs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = [
        *project["project"]["dependencies"],
        *(name for extra in project["project"]["optional-dependencies"].values() for name in extra),
        *project["dependency-groups"]["dev"],
    ]
    names = {re.split(r"[\[<>=; ]", name, maxsplit=1)[0] for name in declared} - {"gatehouse"}
    decided = (ROOT / "docs" / "decisions" / "0003-dependencies.md").read_text(encoding="utf-8")
    first_cells = " ".join(line.split("|")[1] for line in decided.splitlines() if line.startswith("| "))

    undecided = {name for name in names if not name.startswith("types-") and name not in first_cells}

    assert undecided == set()


def test_npm_lock_names_no_host() -> None:
    locks = list(ROOT.glob("cloud/console/web/*lock*.json"))

    assert [p.name for p in locks] == ["package-lock.json"]
    assert '"resolved"' not in locks[0].read_text(encoding="utf-8")


def test_make_without_a_target_lists_every_target() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True).stdout

    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony
    assert re.findall(r"^  make ([a-z-]+) ", listed, re.MULTILINE) == phony[1].split()


def test_overview_lists_all_commands_and_imports_no_room() -> None:
    code = (
        "import sys\n"
        "from gatehouse.__main__ import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print('LOADED', sorted({m.partition('.')[0] for m in sys.modules}"
        " & {'edge', 'cloud', 'simulator', 'sqlalchemy', 'aiohttp', 'pymodbus'}))\n"
    )

    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert re.findall(r"^  ([a-z]+)  +\S", shown, re.MULTILINE) == sorted(COMMANDS)
    assert "LOADED []" in shown


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_a_help_of_its_own(name: str) -> None:
    shown = CliRunner().invoke(main, [name, "--help"])

    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith(f"Usage: main {name}")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("import a_library_of_the_cloud_extra\n", id="imported-at-once"),
        pytest.param(
            "import click\n"
            "@click.group()\n"
            "def cloud(): pass\n"
            "@cloud.command()\n"
            "def serve(): import a_library_of_the_cloud_extra\n",
            id="imported-late",
        ),
    ],
)
def test_a_command_whose_extra_is_missing_says_which(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str
) -> None:
    (tmp_path / "needs_absent_library.py").write_text(source)
    monkeypatch.delitem(sys.modules, "needs_absent_library", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(COMMANDS, "cloud", Mount("needs_absent_library", "cloud", "cloud", "…"))

    shown = CliRunner().invoke(main, ["cloud", "serve"])

    assert shown.exit_code == 1
    assert "this command needs gatehouse[cloud]" in shown.output
    assert "a_library_of_the_cloud_extra" in shown.output


def test_an_unknown_command_is_refused() -> None:
    shown = CliRunner().invoke(main, ["bills"])

    assert shown.exit_code == 2
    assert "No such command 'bills'" in shown.output
