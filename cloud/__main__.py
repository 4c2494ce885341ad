"""The cloud's part of the `gatehouse` command: `cloud` serves, `db` keeps the database, `bill` checks rating.

The invariant: a command's help appears without loading what only serving needs.
"""

import asyncio
from pathlib import Path
from typing import Any

import click
import msgspec

from cloud.authority_cli import authority
from cloud.billing_cli import bill
from cloud.command_line import (
    bring_up_to_date,
    configured,
    database_options,
    explained,
    opened,
    refuse_who_sees_past_policies,
    system_clock,
)
from cloud.company_cli import company
from cloud.config import (
    DEFAULT_TENANT,
    Commands,
    Role,
    database_url,
)
from cloud.domain.ids import AccountId, TenantId, UserId
from cloud.domain.page import LIMIT_MAX
from cloud.domain.site_document import site_document_from_json
from cloud.domain.user import Locale, system_user
from cloud.domain.user import Role as UserRole
from cloud.logs import configure_logs
from cloud.privacy_key_cli import privacy_key
from cloud.services import audit, setup, users
from cloud.services.passwords import hash_password
from cloud.store import backup, migrate, restore

_LOGIN_ROLES = [role.value for role in UserRole if role is not UserRole.SYSTEM]


@click.group()
def cloud() -> None:
    """Serve the API, the console and the gateways' door."""


@cloud.command("serve")
@database_options
@click.option("--host", help="Where to listen.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), help="0 lets the system choose.  [default: 8080]")
@click.option(
    "--gateway-port",
    type=click.IntRange(0, 65_535),
    help="Where gateways come in, over TLS.  [default: 8443; chosen by the system with --port 0]",
)
@click.option(
    "--command-key",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What signs commands to devices; made if missing.  [default with SQLite: beside it]",
)
@click.option("--role", type=click.Choice([role.value for role in Role]), help="Which doors to open.")
def serve_command(
    config_path: Path | None,
    database: str | None,
    host: str | None,
    port: int | None,
    gateway_port: int | None,
    command_key: Path | None,
    role: str | None,
) -> None:
    """Serve until SIGINT or SIGTERM.

    With SQLite one process does everything and brings its database up to date itself. With PostgreSQL
    several processes may share the work by --role; run `gatehouse db upgrade` before they start.
    """
    # Imported here: the web server, every page and every route, which no other command needs.
    from cloud.serve import serve

    with explained():
        config = configured(config_path, database)
        http = config.http
        if host is not None:
            http = msgspec.structs.replace(http, host=host)
        if port is not None:
            http = msgspec.structs.replace(http, port=port)
        config = msgspec.structs.replace(config, http=http, role=Role(role) if role else config.role)
        if gateway_port is not None:
            gateways = msgspec.structs.replace(config.gateways, port=gateway_port)
            config = msgspec.structs.replace(config, gateways=gateways)
        if command_key is not None:
            config = msgspec.structs.replace(config, commands=Commands(key_file=str(command_key)))
        configure_logs(config.logs)
        refuse_who_sees_past_policies(config.database)
        bring_up_to_date(config.database)
        asyncio.run(serve(config, clock=system_clock, announce=_announce))


cloud.add_command(authority)
cloud.add_command(company)
cloud.add_command(privacy_key)


@cloud.group("user")
def user_group() -> None:
    """Let people sign in, or no longer."""


@user_group.command("add")
@database_options
@click.argument("login")
@click.option("--name", "display_name", help="How the pages call the person.  [default: the login]")
@click.option("--role", type=click.Choice(_LOGIN_ROLES), default=UserRole.MANAGER.value, show_default=True)
@click.option(
    "--locale", type=click.Choice([locale.value for locale in Locale]), default=Locale.CHINESE.value
)
@click.option(
    "--account", "accounts", multiple=True, metavar="ID", help="An account a resident may see; repeatable."
)
@click.option(
    "--password-file",
    type=click.File("r"),
    help='A file whose first line is the password ("-": standard input). Without it you are asked.',
)
def user_add_command(
    config_path: Path | None,
    database: str | None,
    login: str,
    display_name: str | None,
    role: str,
    locale: str,
    accounts: tuple[str, ...],
    password_file: Any,
) -> None:
    """Let a person sign in as LOGIN. A password is never an argument: everybody could read it."""
    with explained(), opened(config_path, database) as store:
        if password_file is None:
            password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        else:
            password = password_file.readline().rstrip("\r\n")
        user_id = store.write_now(
            DEFAULT_TENANT,
            users.create_user,
            system_user(DEFAULT_TENANT),
            login,
            display_name or login,
            UserRole(role),
            hash_password(password),
            Locale(locale),
            [AccountId(account) for account in accounts],
        )
        click.echo(f"{login} may sign in as {role}; user id {user_id}.")


@user_group.command("list")
@database_options
def user_list_command(config_path: Path | None, database: str | None) -> None:
    """List who may sign in."""
    with explained(), opened(config_path, database) as store:
        cursor: str | None = None
        while True:
            page = store.read_now(
                DEFAULT_TENANT, users.list_users, system_user(DEFAULT_TENANT), cursor, LIMIT_MAX
            )
            for record in page.items:
                state = "" if record.disabled_at_ms is None else "  disabled"
                click.echo(f"{record.user.user_id}  {record.user.role.value:<10} {record.login}{state}")
            if (cursor := page.next_cursor) is None:
                return


@user_group.command("disable")
@database_options
@click.argument("user_id")
def user_disable_command(config_path: Path | None, database: str | None, user_id: str) -> None:
    """Let the person with USER_ID sign in no more and end their sessions at once."""
    with explained(), opened(config_path, database) as store:
        store.write_now(DEFAULT_TENANT, users.disable_user, system_user(DEFAULT_TENANT), UserId(user_id))
        click.echo(f"{user_id} may sign in no more.")


@click.group()
def db() -> None:
    """Create, upgrade and inspect the cloud's database."""


@db.command("upgrade")
@database_options
@click.option("--app-role", default="", metavar="ROLE", help="PostgreSQL: who may read and write rows after.")
def upgrade_command(config_path: Path | None, database: str | None, app_role: str) -> None:
    """Create the database or bring it to this program's schema, whole or not at all."""
    with explained():
        state = migrate.upgrade(database_url(configured(config_path, database).database), app_role)
        click.echo(f"The database is at step {state.current}.")


@db.command("check")
@database_options
def check_command(config_path: Path | None, database: str | None) -> None:
    """Tell whether this program can run on the database; exit 1 if not."""
    with explained():
        state = migrate.check(database_url(configured(config_path, database).database))
        click.echo(f"The database is at step {state.current or 'none'}, this program needs {state.needed}.")
        if not state.is_current:
            raise click.ClickException("run `gatehouse db upgrade`, or the program that fits the database")


@db.command("load")
@database_options
@click.argument("document", type=click.File("rb"), metavar="FILE")
def load_command(config_path: Path | None, database: str | None, document: Any) -> None:
    """Set up a site from a JSON document ("-" reads standard input).

    What is there already stays as it is: loading the same document twice changes nothing. The format
    is shown in docs/howto/api.md.
    """
    with explained(), opened(config_path, database) as store:
        site = site_document_from_json(document.read())
        store.write_now(DEFAULT_TENANT, setup.load_building, system_user(DEFAULT_TENANT), site)
        click.echo(f"Site {site.site.code} is set up.")


@db.command("backup")
@database_options
@click.argument("target", type=click.Path(path_type=Path), metavar="FILE")
def backup_command(config_path: Path | None, database: str | None, target: Path) -> None:
    """Write a checked copy of the whole database to FILE while the cloud runs.

    SQLite: a database file like the original. PostgreSQL: what `pg_restore` reads.
    """
    with explained():
        size = backup.back_up(database_url(configured(config_path, database).database), target)
        click.echo(f"{target}: {size} bytes, checked.")


@db.command("restore")
@database_options
@click.argument("source", type=click.Path(path_type=Path), metavar="FILE")
def restore_command(config_path: Path | None, database: str | None, source: Path) -> None:
    """Make the database anew from the backup FILE; the cloud must be stopped.

    Gateways send again what came in after the backup, as far back as they keep it: some days.
    """
    with explained():
        restore.restore(database_url(configured(config_path, database).database), source)
        click.echo(f"{source} is restored. Start the cloud: the gateways fill in what is missing.")


@db.command("verify-audit")
@database_options
@click.option("--tenant", type=click.IntRange(1), default=int(DEFAULT_TENANT), help="The company.")
@click.option(
    "--since", metavar="POSITION:DIGEST", help="A head kept elsewhere, which must still be in the log."
)
def verify_audit_command(
    config_path: Path | None, database: str | None, tenant: int, since: str | None
) -> None:
    """Tell whether the audit log is what was written; name the first place where not, and exit 1.

    Keep the head it prints where nobody who could change the log can change it, and give it back with
    --since: a log whose end was cut off is whole in itself.
    """
    with explained(), opened(config_path, database) as store:
        tenant_id = TenantId(tenant)
        kept = None if since is None else audit.head_from_text(since)
        verdict = store.read_now(tenant_id, audit.verify_chain, system_user(tenant_id), kept)
        click.echo(f"{verdict.head.position} entries, head {verdict.head}")
        if verdict.fault is not None:
            fault = verdict.fault
            place = f"entry {fault.entry_id}" if fault.entry_id else "no entry"
            raise click.ClickException(f"position {fault.position}: {fault.kind.value} ({place})")


def _announce(url: str) -> None:
    click.echo(f"Gatehouse is at {url}")


__all__ = ["bill", "cloud", "db"]

if __name__ == "__main__":
    cloud()
