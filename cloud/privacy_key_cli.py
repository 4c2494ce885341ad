"""`gatehouse cloud privacy-key`: change the key over all personal data, while the cloud runs.

The invariant: a former key leaves the file only when no company's key is wrapped with it any more.
"""

from pathlib import Path

import click

from cloud.command_line import configured, database_options, explained, opened
from cloud.config import DEFAULT_TENANT
from cloud.domain.company import Company
from cloud.domain.errors import Conflict
from cloud.domain.user import system_user
from cloud.privacy_key import add_key, changing, drop_former_keys, privacy_key_path
from cloud.services import companies, wrapping
from cloud.store.db import Database
from cloud.store.sealing import Damaged


@click.group("privacy-key")
def privacy_key() -> None:
    """Change the key over all personal data."""


@privacy_key.command("rotate")
@database_options
def rotate_command(config_path: Path | None, database: str | None) -> None:
    """Make a new key and wrap every company's own with it; one cut off goes on where it was.

    The former key stays in the file, to open what is not wrapped anew yet, until `drop-former`.
    """
    with explained():
        path = privacy_key_path(configured(config_path, database))
        with opened(config_path, database) as store, changing(path):
            is_new = add_key(path)
            click.echo(f"A new key is in {path}." if is_new else f"Going on with the newest key in {path}.")
            listed = store.read_now(DEFAULT_TENANT, companies.list_companies)
            wrapped = sum(_wrap_anew(store, one, path) for one in listed)
            click.echo(f"{wrapped} of {len(listed)} companies' keys were wrapped anew.")
            click.echo("Put a copy of the file in the safe; then `gatehouse cloud privacy-key drop-former`.")


@privacy_key.command("drop-former")
@database_options
def drop_former_command(config_path: Path | None, database: str | None) -> None:
    """Take the former key out of the file, if no company needs it; older backups open with it alone."""
    with explained():
        path = privacy_key_path(configured(config_path, database))
        with opened(config_path, database) as store, changing(path):
            for one in store.read_now(DEFAULT_TENANT, companies.list_companies):
                if not store.read_now(one.tenant_id, wrapping.is_current, system_user(one.tenant_id)):
                    raise Conflict(
                        f"company {one.code} still needs a former key: run `privacy-key rotate` first"
                    )
            click.echo(f"{drop_former_keys(path)} former keys dropped from {path}.")


def _wrap_anew(store: Database, one: Company, path: Path) -> bool:
    try:
        return store.write_now(one.tenant_id, wrapping.wrap_anew, system_user(one.tenant_id))
    except Damaged as error:
        raise Conflict(
            f"the key of company {one.code} opens with no key in {path}: add the one it was wrapped with "
            f"as a further line"
        ) from error
