"""What every command of the cloud shares: which database, what time, and how a refusal is told.

The invariant: nothing else in the cloud reads the machine's clock; `system_clock` is handed down.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from cloud.config import DEFAULT_TENANT, Config, ConfigError, DatabaseConfig, database_url, read_config
from cloud.domain.errors import GatehouseError, Invalid
from cloud.privacy_key import keyring_of, privacy_key_path
from cloud.services import tenants
from cloud.store import migrate
from cloud.store.db import Database, Keyring, is_embedded

_F = TypeVar("_F", bound=Callable[..., Any])

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The cloud's TOML file. Without it: one process on SQLite in var/gatehouse.db.",
)
_database_option = click.option(
    "--database",
    metavar="URL",
    help="sqlite:///path or postgresql://user@host/name, instead of the configuration's.",
)


def database_options(command: _F) -> _F:
    """Give a command the options that say which database it is about."""
    return config_option(_database_option(command))


def system_clock() -> int:
    """Return the machine's time, UTC epoch milliseconds."""
    return time.time_ns() // 1_000_000


@contextmanager
def explained() -> Iterator[None]:
    """Turn what we refuse into a message and exit code 1, with every problem on a line of its own."""
    try:
        yield
    except Invalid as error:
        lines = [str(error), *(f"  {problem.pointer or '/'}: {problem.detail}" for problem in error.problems)]
        raise click.ClickException("\n".join(lines)) from error
    except GatehouseError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or ''} {error.strerror or error}".strip()) from error


@contextmanager
def opened(config_path: Path | None, database: str | None) -> Iterator[Database]:
    """Open the database for as long as the block lasts."""
    config = configured(config_path, database)
    bring_up_to_date(config.database)
    keyring = _keyring(config)
    store = Database(database_url(config.database), clock=system_clock, keyring=keyring)
    try:
        store.write_now(DEFAULT_TENANT, tenants.ensure_tenant)
        yield store
    finally:
        store.close()


def _keyring(config: Config) -> Keyring | None:
    """Return what opens personal data; None where no key is named, for commands that need none."""
    try:
        return keyring_of(privacy_key_path(config))
    except ConfigError:
        if config.privacy.key_file or config.commands.key_file:
            raise
        return None


def configured(config_path: Path | None, database: str | None) -> Config:
    """Return the configuration, with another database if one is named."""
    config = Config() if config_path is None else read_config(config_path)
    if database is None:
        return config
    try:
        told = config.database
        replaced = DatabaseConfig(
            url=database, upgrade_on_start=told.upgrade_on_start, allow_superuser=told.allow_superuser
        )
    except ValueError as error:
        raise Invalid(f"--database: {error}") from error
    return msgspec.structs.replace(config, database=replaced)


def refuse_who_sees_past_policies(config: DatabaseConfig) -> None:
    """Refuse to serve as somebody to whom PostgreSQL shows every company's rows, unless that is meant."""
    if not config.allow_superuser and (who := migrate.sees_past_policies(database_url(config))):
        raise Invalid(
            f"PostgreSQL keeps companies apart by policies, and they do not hold for {who}: let the program "
            f"sign in as a role of its own (`gatehouse db upgrade --app-role ROLE`; [database] names it), "
            f"or say [database] allow_superuser = true if there is one company only"
        )


def bring_up_to_date(config: DatabaseConfig) -> None:
    """Upgrade what is ours alone; refuse to start on what somebody must upgrade deliberately."""
    url = database_url(config)
    if is_embedded(url) if config.upgrade_on_start is None else config.upgrade_on_start:
        migrate.upgrade(url)
        return
    state = migrate.check(url)
    if not state.is_current:
        raise Invalid(
            f"the database is at step {state.current or 'none'}, this program needs {state.needed}: "
            f"run `gatehouse db upgrade`"
        )
