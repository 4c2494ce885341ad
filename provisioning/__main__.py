"""`gatehouse provision`: give a gateway its identity, and look at the identity a box has.

The invariant: nothing else in this room reads the machine's clock.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from provisioning.authority import AuthorityError, certificates_from_pem, fingerprint, renewal_due_at
from provisioning.enrol import enrol
from provisioning.enrolment import Cloud, cloud_at
from provisioning.enrolment_token import EnrolmentToken, parse_enrolment_token
from provisioning.http import EnrolmentError
from provisioning.identity import IdentityError, read_credential
from provisioning.image_cli import image, unit

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
        help="PEM file of the one authority that certifies the console's address, if it is your own.",
    ),
    click.option(
        "--credential",
        "credential_path",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Enrol this machine at once and write its credential file here; else the token is printed.",
    ),
]


def _with_cloud_options(command: click.decorators.FC) -> click.decorators.FC:
    for option in reversed(_cloud_options):
        command = option(command)
    return command


@click.group()
def provision() -> None:
    """Give a gateway its identity.

    A manager creates a gateway's place in the cloud, here or in the console, and gets a token that works
    once and for a day. `gatehouse provision enrol` on the box makes a key there, and gets a certificate
    for it from the cloud the token names, and from no other.
    """


@provision.command("enrol")
@click.argument("text", metavar="TOKEN")
@click.option(
    "--credential",
    "credential_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("credential.json"),
    show_default=True,
    help="Where the box keeps key and certificate (mode 0600).",
)
def enrol_command(text: str, credential_path: Path) -> None:
    """Make this box the gateway TOKEN is for ("-" reads it from standard input)."""
    try:
        _enrol(parse_enrolment_token(sys.stdin.readline() if text == "-" else text), credential_path)
    except (EnrolmentError, IdentityError) as error:
        raise click.ClickException(str(error)) from error


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
    """Create a new gateway in a site, and a token to enrol its box with."""
    with _signed_in(
        cloud_url, login, password_file, authority_path, allow_plain_http=allow_plain_http
    ) as cloud:
        _hand_over(cloud.create_slot(site_code, code, name), credential_path)


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
    """Make a token for an existing gateway; its present box goes on until another has enrolled."""
    with _signed_in(
        cloud_url, login, password_file, authority_path, allow_plain_http=allow_plain_http
    ) as cloud:
        _hand_over(cloud.offer_enrolment(code), credential_path)


@provision.command()
@_with_cloud_options
@click.option("--gateway", "code", required=True, metavar="CODE", help="Code of the gateway.")
@click.option(
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the signed configuration here, to be carried to the box.",
)
def bundle(
    cloud_url: str,
    login: str,
    password_file: Path | None,
    authority_path: Path | None,
    credential_path: Path | None,
    code: str,
    output: Path,
    *,
    allow_plain_http: bool,
) -> None:
    """Write the configuration sent to a gateway to a file, for a box without a way to the cloud.

    On the box: gatehouse edge configure CONFIG FILE.
    """
    del credential_path  # the box has one already
    with _signed_in(
        cloud_url, login, password_file, authority_path, allow_plain_http=allow_plain_http
    ) as cloud:
        number, content = cloud.carry_configuration(code)
    try:
        output.write_bytes(content)
    except OSError as error:
        raise click.ClickException(f"{output}: {error}") from error
    click.echo(f"{output}: configuration {number} for gateway {code}, {len(content)} bytes")


@provision.command()
@click.argument("credential_path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
def show(credential_path: Path) -> None:
    """Say who a credential file makes its box, without its secret."""
    try:
        credential = read_credential(credential_path)
        roots = certificates_from_pem(credential.authority_pem.encode())
    except (AuthorityError, IdentityError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"gateway     {credential.gateway_code}")
    click.echo(f"gateway id  {credential.gateway.gateway_id}")
    click.echo(f"tenant      {credential.gateway.tenant_id}")
    click.echo(f"cloud       {credential.cloud_url}")
    if credential.pair is not None:
        leaf = credential.pair.certificate
        click.echo(f"serial      {leaf.serial_number:x}")
        click.echo(f"valid       {leaf.not_valid_before_utc:%Y-%m-%d} to {leaf.not_valid_after_utc:%Y-%m-%d}")
        click.echo(f"renews      from {renewal_due_at(leaf):%Y-%m-%d} on, by itself")
    for root in roots:
        click.echo(f"trusts      {fingerprint(root)}")
    click.echo(f"command key {credential.command_key or 'none: this box takes no commands'}")


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


def _hand_over(token: EnrolmentToken, path: Path | None) -> None:
    if path is None:
        click.echo("Enrol the box with this token; it works once, for a day:", err=True)
        click.echo(str(token))
        return
    _enrol(token, path)


def _enrol(token: EnrolmentToken, path: Path) -> None:
    credential = enrol(token, path, time.time_ns() // 1_000_000)
    click.echo(f"{path}: this box is now gateway {credential.gateway_code} of {credential.cloud_url}")


provision.add_command(image)
provision.add_command(unit)


if __name__ == "__main__":
    provision()
