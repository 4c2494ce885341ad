"""Where the programs are that tests run but Python cannot bring: PostgreSQL, mosquitto, Chromium.

Looked for in this order: environment variable, PATH and the usual places, `.tools/` (where
`scripts/test_services.py` puts what the machine lacks). None means a test skips, visibly, by
`require`. Standard library only: the installing script imports this too.
"""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"

POSTGRES_ENV = "GATEHOUSE_TEST_POSTGRES_BIN"  # a folder with initdb, pg_ctl and postgres
CHROMIUM_ENV = "GATEHOUSE_TEST_CHROMIUM"  # an executable
MOSQUITTO_ENV = "GATEHOUSE_TEST_MOSQUITTO"  # an executable

_START_TIMEOUT_S = 60
# Short and open to all: a socket's path may have 107 characters, and for root the server runs as `nobody`.
_FOLDER = Path("/tmp")  # noqa: S108 - what is made in it has a name nobody can guess
# The same in memory, if there is room: the databases of a run are copied and dropped a thousand times.
_MEMORY = Path("/dev/shm")  # noqa: S108
_MEMORY_BYTES_MIN = 1 << 30


def find_postgres_bin() -> Path | None:
    """Return a folder that holds initdb, pg_ctl and postgres, newest version first."""
    named = os.environ.get(POSTGRES_ENV)
    candidates = [Path(named)] if named else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version_of, reverse=True)
    on_path = shutil.which("postgres")
    candidates += [Path(on_path).resolve().parent] if on_path else []
    candidates += [TOOLS / "postgres" / "bin"]
    programs = ("initdb", "pg_ctl", "postgres")
    return next((bin_ for bin_ in candidates if all((bin_ / name).exists() for name in programs)), None)


def find_chromium() -> Path | None:
    """Return an executable Chromium or Chrome."""
    return _find(CHROMIUM_ENV, "chromium", "chromium-browser", "google-chrome")


def find_mosquitto() -> Path | None:
    """Return an executable mosquitto broker (Debian keeps it in /usr/sbin)."""
    return _find(MOSQUITTO_ENV, "mosquitto")


def _find(variable: str, *names: str) -> Path | None:
    if named := os.environ.get(variable):
        return Path(named)
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", str(TOOLS / "bin")])
    return next((Path(found) for name in names if (found := shutil.which(name, path=path))), None)


def _version_of(bin_: Path) -> int:
    return int(bin_.parent.name) if bin_.parent.name.isdigit() else 0


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A throw-away PostgreSQL server of ours, reached through a socket in its own folder."""

    bin: Path
    data: Path

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.data}"

    def new_database(self) -> str:
        """Create an empty database and return its SQLAlchemy URL."""
        name = f"t{uuid.uuid4().hex[:12]}"
        statement = f"CREATE DATABASE {name}"
        single = [self.bin / "psql", "-qXh", self.data, "-U", "postgres", "-d", "postgres", "-c", statement]
        if (self.bin / "psql").exists():
            subprocess.run(single, check=True, capture_output=True, timeout=_START_TIMEOUT_S)
        else:
            import psycopg

            with psycopg.connect(host=str(self.data), user="postgres", autocommit=True) as connection:
                connection.execute(statement.encode())
        return self.url(name)


# Nothing is safe and the log stays small: what the server keeps may be in memory.
_UNSAFE = (
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off "
    "-c wal_level=minimal -c max_wal_senders=0 -c max_wal_size=128MB"
)


def _fast_folder() -> Path:
    """Return where throw-away files cost least."""
    has_room = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _MEMORY_BYTES_MIN
    return _MEMORY if has_room and os.access(_MEMORY, os.W_OK) else _FOLDER


@contextmanager
def running_postgres(bin_: Path, *, durable: bool = False) -> Iterator[PostgresServer]:
    """Run a fresh server for as long as the block lasts; as root it runs as `nobody`.

    Without `durable` it does not wait for the disk: fine for tests of behaviour, not of crashes.
    """
    as_nobody = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
    data = Path(tempfile.mkdtemp(prefix="gh-pg-", dir=_FOLDER if durable else _fast_folder()))
    if as_nobody:
        shutil.chown(data, "nobody")
    durability = "" if durable else _UNSAFE
    place = f"-c listen_addresses='' -c unix_socket_directories={data}"
    options = f"{place} -c jit=off -c deadlock_timeout=50ms {durability}"
    server = PostgresServer(bin_, data)
    try:
        _run(
            *as_nobody, bin_ / "initdb", "-D", data / "db", "-U", "postgres", "-A", "trust", "-E", "UTF8",
            "--locale=C", "--no-sync",
        )  # fmt: skip
        control = [*as_nobody, bin_ / "pg_ctl", "-D", data / "db"]
        _run(*control, "-w", "-l", data / "log", "-o", options, "start")
        try:
            yield server
        finally:
            _run(*control, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _run(*command: str | Path) -> None:
    # Output goes to a file: the started server keeps the descriptors and would hold a pipe open.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=_START_TIMEOUT_S,
            cwd="/", check=False,
        )  # fmt: skip
        output.seek(0)
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{output.read()}")
