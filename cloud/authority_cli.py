"""`gatehouse cloud authority`: look at it, certify a proxy, and change its root without losing a box.

A root is changed in three steps, each of which every box may miss: `succeed` makes the next root, signed by
the present one, and lets the cloud work under it at once; boxes learn of it with their next Welcome, and
those that were away verify it by the old one's signature. `retire` forgets the old root once every box has
renewed. The invariant: between the two, whoever knows either root gets on.
"""

import contextlib
import datetime
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import click
from cryptography import x509

from cloud.authority import (
    BRIDGE,
    ISSUERS,
    ISSUING,
    ROOT,
    TRUSTED,
    load_or_make,
    new_issuer,
    read_issuer,
    write_issuer,
    write_whole,
)
from cloud.config import Config, authority_folder, authority_password, read_config
from cloud.domain.errors import GatehouseError
from provisioning.authority import (
    AuthorityError,
    certificate_pem,
    certificates_from_pem,
    cross_signed,
    fingerprint,
    key_pem,
    new_key,
    new_root,
)

_config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The cloud's TOML file.",
)
_root_option = click.option(
    "--root",
    "root_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Where the root's file is kept, if not in the authority's folder.",
)


@click.group()
def authority() -> None:
    """The authority that certifies gateways, and the cloud to them."""


@authority.command()
@_config_option
def show(config_path: Path) -> None:
    """Say which roots and issuing authorities there are, and until when."""
    _, folder, _ = _opened(config_path)
    for name, label in ((TRUSTED, "root"), (ISSUERS, "issuing")):
        for certificate in certificates_from_pem((folder / name).read_bytes()):
            until = f"until {certificate.not_valid_after_utc:%Y-%m-%d}"
            click.echo(f"{label:8} {fingerprint(certificate)}  {until}")
    is_here = (folder / ROOT).exists()
    where = "in this folder: take it to a safe" if is_here else "not in this folder, as it should be"
    click.echo(f"the root's key is {where}")


@authority.command()
@_config_option
@click.option("--name", "names", multiple=True, required=True, help="A host name or address; repeatable.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Writes OUT.pem and OUT.key.")
def certify(config_path: Path, names: tuple[str, ...], out: Path) -> None:
    """Certify a proxy that speaks to gateways for the cloud; thirty days, so run it by a timer."""
    config, folder, now = _opened(config_path)
    with _explained():
        known = load_or_make(folder, authority_password(config), now)
        key = new_key()
        write_whole(out.with_suffix(".key"), key_pem(key))
        write_whole(out.with_suffix(".pem"), known.server_chain(key.public_key(), names, now))
    click.echo(f"{out.with_suffix('.pem')}, {out.with_suffix('.key')}: {', '.join(names)}")


@authority.command()
@_config_option
@_root_option
def succeed(config_path: Path, root_path: Path | None) -> None:
    """Make the next root and work under it; boxes follow by themselves. Restart the cloud afterwards."""
    config, folder, now = _opened(config_path)
    password = authority_password(config)
    with _explained():
        trusted = certificates_from_pem((folder / TRUSTED).read_bytes())
        if len(trusted) > 1:
            raise AuthorityError("a change is under way already: `retire` the old root first")
        old = read_issuer(root_path or folder / ROOT, password)
        if old.certificate != trusted[0]:
            raise AuthorityError("that is not the root the gateways know")
        root = new_root(f"Gatehouse root {now:%Y-%m-%d} {secrets.token_hex(4)}", now)
        issuer = new_issuer(root, now)
        # In this order: at every moment what is believed covers what is shown.
        write_whole(folder / TRUSTED, certificate_pem(root.certificate, *trusted))
        write_whole(folder / BRIDGE, certificate_pem(cross_signed(old, root, now)))
        issuers = certificates_from_pem((folder / ISSUERS).read_bytes())
        write_whole(folder / ISSUERS, certificate_pem(issuer.certificate, *issuers))
        write_issuer(folder / "root-old.pem", old, password)
        write_issuer(folder / ROOT, root, password)
        write_issuer(folder / ISSUING, issuer, password)
    click.echo(f"root {fingerprint(root.certificate)} succeeds {fingerprint(old.certificate)}")
    click.echo("restart the cloud; after ninety days every box has renewed, then `retire`")


@authority.command()
@_config_option
def retire(config_path: Path) -> None:
    """Forget the old root: a box that has not been heard since `succeed` must be enrolled anew."""
    _, folder, _ = _opened(config_path)
    with _explained():
        trusted = certificates_from_pem((folder / TRUSTED).read_bytes())
        if len(trusted) < 2:
            raise AuthorityError("there is only one root")
        issuing = read_certificate(folder / ISSUING)
        write_whole(folder / ISSUERS, certificate_pem(issuing))
        write_whole(folder / TRUSTED, certificate_pem(trusted[0]))
        (folder / BRIDGE).unlink(missing_ok=True)
    click.echo(f"only {fingerprint(trusted[0])} is trusted now; restart the cloud")


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn what can go wrong into a sentence for the terminal."""
    try:
        yield
    except (AuthorityError, GatehouseError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error


def read_certificate(path: Path) -> x509.Certificate:
    """Return the certificate in an authority's file."""
    return certificates_from_pem(path.read_bytes())[0]


def _opened(config_path: Path) -> tuple[Config, Path, datetime.datetime]:
    with _explained():
        config = read_config(config_path)
        now = datetime.datetime.fromtimestamp(time.time(), datetime.UTC)
        folder = authority_folder(config)
        load_or_make(folder, authority_password(config), now)
    return config, folder, now
