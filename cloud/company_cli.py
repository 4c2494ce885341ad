"""`gatehouse cloud company`: for whoever runs the installation; a company runs itself."""

from pathlib import Path

import click

from cloud.command_line import database_options, explained, opened
from cloud.config import DEFAULT_TENANT
from cloud.domain.errors import Conflict
from cloud.domain.ids import TenantId
from cloud.domain.user import system_user
from cloud.services import companies


@click.group()
def company() -> None:
    """Add and list companies, whose data never meets."""


@company.command("add")
@database_options
@click.argument("code")
@click.option("--name", required=True, help="What the company is called.")
@click.option("--admin", "login", required=True, help="The login of its first person, who invites others.")
@click.option("--admin-name", help="How the pages call that person.  [default: the login]")
def add_command(
    config_path: Path | None, database: str | None, code: str, name: str, login: str, admin_name: str | None
) -> None:
    """Begin the company CODE and invite its first admin."""
    with explained(), opened(config_path, database) as store:
        listed = store.read_now(DEFAULT_TENANT, companies.list_companies)
        if any(one.code == code for one in listed):
            raise Conflict(f"there is a company {code!r} already")
        tenant_id = TenantId(max(one.tenant_id for one in listed) + 1)
        begun = store.write_now(
            tenant_id, companies.begin, system_user(tenant_id), code, name, login, admin_name or login
        )
        click.echo(f"Company {code} is number {tenant_id}. {login} chooses a password, within a week, at")
        click.echo(f"  /invitation/{begun.token}")


@company.command("list")
@database_options
def list_command(config_path: Path | None, database: str | None) -> None:
    """List the companies."""
    with explained(), opened(config_path, database) as store:
        for one in store.read_now(DEFAULT_TENANT, companies.list_companies):
            click.echo(f"{one.tenant_id:>4}  {one.code:<30} {one.name}")


@company.command("rename")
@database_options
@click.argument("code")
@click.argument("name")
def rename_command(config_path: Path | None, database: str | None, code: str, name: str) -> None:
    """Call the company CODE NAME from now on."""
    with explained(), opened(config_path, database) as store:
        found = [one for one in store.read_now(DEFAULT_TENANT, companies.list_companies) if one.code == code]
        if not found:
            raise Conflict(f"there is no company {code!r}")
        tenant_id = found[0].tenant_id
        store.write_now(tenant_id, companies.rename, system_user(tenant_id), name)
