"""`gatehouse provision unit` and `image`: what a box runs as, and what is copied to it."""

from pathlib import Path

import click

from provisioning.enrolment_token import parse_enrolment_token
from provisioning.identity import IdentityError
from provisioning.image import HOME, Image, newest_wheel, own_lock, unit_text, write_image

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--user", default="gatehouse", show_default=True, help="Whom it runs as.")
@click.option("--home", default=HOME, show_default=True, help="Where it is installed.")
def unit(user: str, home: str) -> None:
    """Print the systemd unit a box runs the edge by."""
    click.echo(unit_text(user, home), nl=False)


@click.command()
@click.argument("folder", type=click.Path(exists=False, path_type=Path))
@click.option(
    "--code", default="gw-1", show_default=True, help="The gateway's code, for a new configuration."
)
@click.option("--config", "configuration", type=_FILE, help="Its edge.toml; without it one to be filled in.")
@click.option("--token-file", type=_FILE, help='File that holds an enrolment token; "install.sh" uses it up.')
@click.option("--wheel", type=_FILE, help="The package.  [default: the newest in dist/, from `make wheel`]")
@click.option("--lock", type=_FILE, help="Versions of what it stands on.  [default: requirements.lock]")
@click.option(
    "--wheels",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of packages for a box that reaches no package index (`pip download -d DIR …`).",
)
def image(
    folder: Path,
    code: str,
    configuration: Path | None,
    token_file: Path | None,
    wheel: Path | None,
    lock: Path | None,
    wheels: Path | None,
) -> None:
    """Write FOLDER with all a box needs: copy it there and run its install.sh."""
    package = wheel or newest_wheel()
    if package is None:
        raise click.ClickException("there is no package yet: run `make wheel`, or name one with --wheel")
    if folder.exists():
        raise click.ClickException(f"{folder} exists already: name a new folder")
    try:
        token = "" if token_file is None else str(parse_enrolment_token(token_file.read_text()))
    except IdentityError as error:
        raise click.ClickException(f"{token_file}: {error}") from error
    text = "" if configuration is None else configuration.read_text(encoding="utf-8")
    names = write_image(folder, Image(package, lock or own_lock(), code, text, token, wheels))
    click.echo(f"{folder}: {', '.join(names)}")
    click.echo(f"copy it to the box and run: sudo ./{folder.name}/install.sh")
