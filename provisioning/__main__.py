"""`gatehouse provision`: give a gateway its identity, and look at the identity a box has."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from provisioning.enrolment import Cloud, EnrolmentError, Slot, cloud_at
from provisioning.identity import Credential, IdentityError, read_credential, write_credential

PASSWORD_ENV = "GATEHOUSE_PASSWORD"  # noqa: S105 - the variable's name

_cloud_options = [
    click.option(
        "--cloud", "cloud_url", required=True, metavar="URL", help="The cloud, e.g. https://host:8443."
    ),
    click.option("--login", required=True, metavar="NAME", help="A manager's login there."),
    click.option(
        "--password-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help=f"File holding the password; else ${PASSWORD_ENV}, else it is asked for.",
    ),
    click.option("--allow-plain-http", is_flag=True, help="Accept http:// to another machine."),
    click.option(
        "--authority",
        "authority_path",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="PEM file of the one authority that certifies the cloud; the box will trust no other.",
    ),
    click.option(
        "--credential",
        "credential_path",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write the credential file here (mode 0600); without it the token is printed once.",
    ),
]


def _with_cloud_options(command: click.decorators.FC) -> click.decorators.FC:
    for option in reversed(_cloud_options):
        command = option(command)
    return command


@click.group()
def provision() -> None:
    """Give a gateway its identity.

    A manager creates a gateway's place in the cloud and gets a token, once. The token goes into a
    credential file on the box that only its owner may read; the cloud keeps its hash.
    """


@provision.command()
@_with_cloud_options
@click.option("--site", "site_code", required=True, metavar="CODE", help="Code of the site it stands in.")
@click.option("--code", required=True, metavar="CODE", help='The gateway\'s own code, e.g. "gw-1".')
@click.option("--name", default="", help="What people call it; its code if left out.")
def gateway(
    cloud_url: str,
    login: str,
    password_file: Path | None,
    authority_path: Path | None,
    credential_path: Path | None,
    site_code: str,
    code: str,
    name: str,
    *,
    allow_plain_http: bool,
) -> None:
    """Create a new gateway in a site and write its credential file."""
    with _signed_in(
        cloud_url, login, password_file, authority_path, allow_plain_http=allow_plain_http
    ) as cloud:
        _hand_over(cloud, cloud.create_slot(site_code, code, name), credential_path)


@provision.command()
@_with_cloud_options
@click.option("--gateway", "code", required=True, metavar="CODE", help="Code of the existing gateway.")
def token(
    cloud_url: str,
    login: str,
    password_file: Path | None,
    authority_path: Path | None,
    credential_path: Path | None,
    code: str,
    *,
    allow_plain_http: bool,
) -> None:
    """Make a new token for an existing gateway; the old one stops working at once."""
    with _signed_in(
        cloud_url, login, password_file, authority_path, allow_plain_http=allow_plain_http
    ) as cloud:
        _hand_over(cloud, cloud.renew_token(code), credential_path)


@provision.command()
@click.argument("credential_path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
def show(credential_path: Path) -> None:
    """Say who a credential file makes its box, without its secret."""
    try:
        credential = read_credential(credential_path)
    except IdentityError as error:
        raise click.ClickException(str(error)) from error
    written_at = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(credential_path.stat().st_mtime))
    click.echo(f"gateway     {credential.gateway_code}")
    click.echo(f"gateway id  {credential.token.gateway_id}")
    click.echo(f"tenant      {credential.token.tenant_id}")
    click.echo(f"cloud       {credential.cloud_url}")
    click.echo(f"token hash  {credential.token.hash()}")
    click.echo(f"command key {credential.command_key or 'none: this box takes no commands'}")
    click.echo(f"written     {written_at}")


@contextmanager
def _signed_in(
    cloud_url: str,
    login: str,
    password_file: Path | None,
    authority_path: Path | None,
    *,
    allow_plain_http: bool,
) -> Iterator[Cloud]:
    try:
        authority_pem = "" if authority_path is None else authority_path.read_text(encoding="ascii")
        cloud = cloud_at(cloud_url, allow_plain_http=allow_plain_http, authority_pem=authority_pem)
        session = cloud.sign_in(login, _password(login, password_file))
        try:
            yield session
        finally:
            session.sign_out()
    except (EnrolmentError, IdentityError, UnicodeDecodeError) as error:
        raise click.ClickException(str(error)) from error


def _password(login: str, file: Path | None) -> str:
    if file is not None:
        return file.read_text(encoding="utf-8").rstrip("\n")
    return os.environ.get(PASSWORD_ENV) or click.prompt(f"Password of {login}", hide_input=True, err=True)


def _hand_over(cloud: Cloud, slot: Slot, path: Path | None) -> None:
    if path is None:
        click.echo(f"Token of {slot.gateway_code}; it is shown this once:", err=True)
        click.echo(str(slot.token))
        return
    try:
        credential = Credential(
            cloud.url, slot.gateway_code, slot.token, slot.command_key, cloud.authority_pem
        )
        write_credential(path, credential)
    except IdentityError as error:
        remedy = f"gatehouse provision token --gateway {slot.gateway_code} …"
        raise click.ClickException(f"{error}; the gateway exists, then run `{remedy}`") from error
    click.echo(f"{path}: this box is now gateway {slot.gateway_code} of {cloud.url}")


if __name__ == "__main__":
    provision()
