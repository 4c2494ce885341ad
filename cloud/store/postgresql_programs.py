"""PostgreSQL's own programs (`pg_dump`, `pg_restore`), told a database without a secret among arguments."""

import os
import subprocess

import sqlalchemy as sa

from cloud.domain.errors import GatehouseError

# A large property's years are some ten gigabytes: an hour on a slow disk, six to be sure.
_TIMEOUT_S = 6 * 3600


class BackupFailed(GatehouseError):
    """The copy could not be made, read or put in place, or is not whole; nothing half done was left."""


def run_program(program: str, database: sa.URL, *arguments: str) -> None:
    """Run one of them on a database; BackupFailed says what it said."""
    address = database.set(drivername="postgresql", password=None).render_as_string()
    # Everybody on the machine can read an argument list.
    secret = {} if database.password is None else {"PGPASSWORD": str(database.password)}
    try:
        subprocess.run(
            [program, f"--dbname={address}", *arguments],
            check=True, capture_output=True, text=True, timeout=_TIMEOUT_S, env={**os.environ, **secret},
        )  # fmt: skip
    except FileNotFoundError as error:
        raise BackupFailed(f"{program} is not installed: install PostgreSQL's client programs") from error
    except subprocess.CalledProcessError as error:
        raise BackupFailed(f"{program}: {error.stderr.strip()}") from error
    except subprocess.TimeoutExpired as error:
        raise BackupFailed(f"{program} was not done after {_TIMEOUT_S} s") from error
