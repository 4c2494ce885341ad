"""The folder of this cloud's certificate authority, and what is certified from it.

    root.pem      key and certificate that sign the issuing authority and their successor; belongs in a safe
    issuing.pem   key and certificate that work day by day
    issuers.pem   every issuing certificate that gateways may still come from
    trusted.pem   every root they may still come from: one, or two during a change
    bridge.pem    during a change: the new root as signed by the old one

The invariant: a key is readable by its owner alone, encrypted where a password is configured, and the
folder is not the database's, so that whoever copies the one cannot make gateways for the other.
"""

import datetime
import ipaddress
import os
import ssl
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from cloud.config import ConfigError
from provisioning.authority import (
    AuthorityError,
    GatewayName,
    Issuer,
    certificate_pem,
    certificates_from_pem,
    fingerprint,
    gateway_certificate,
    gateway_named,
    key_from_pem,
    key_pem,
    new_intermediate,
    new_key,
    new_root,
    roots_digest,
    server_certificate,
)

ROOT, ISSUING = "root.pem", "issuing.pem"
ISSUERS, TRUSTED, BRIDGE = "issuers.pem", "trusted.pem", "bridge.pem"


@dataclass(frozen=True, slots=True)
class Authority:
    """What signs for gateways, and who is believed."""

    issuer: Issuer
    roots: tuple[x509.Certificate, ...]  # the present one first
    issuers: tuple[x509.Certificate, ...]
    bridge: tuple[x509.Certificate, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Return what an enrolment token carries: SHA-256 of the present root, 64 hex digits."""
        return fingerprint(self.roots[0])

    @property
    def roots_pem(self) -> str:
        """Return every root a gateway may come from."""
        return certificate_pem(*self.roots).decode()

    @property
    def digest(self) -> str:
        """Return SHA-256 of the roots, in 64 hex digits: gateways fetch them anew when it changes."""
        return roots_digest(self.roots)

    def certify(
        self,
        name: GatewayName,
        public_key: ec.EllipticCurvePublicKey,
        now: datetime.datetime,
        not_before: datetime.datetime | None = None,
    ) -> x509.Certificate:
        """Return a gateway's certificate for its key."""
        return gateway_certificate(self.issuer, name, public_key, now, not_before)

    def tls_context(self, names: Sequence[str], now: datetime.datetime) -> ssl.SSLContext:
        """Return how the gateways' port is served: certified by us, asking for a certificate of ours."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        # A box that enrols has none yet; whoever shows one must show a good one.
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=self.roots_pem)
        self.show(context, names, now)
        return context

    def show(self, context: ssl.SSLContext, names: Sequence[str], now: datetime.datetime) -> None:
        """Give the context a fresh certificate; connections that are open keep theirs."""
        key = new_key()
        with os.fdopen(os.memfd_create("gatehouse-server"), "wb") as file:
            file.write(key_pem(key) + self.server_chain(key.public_key(), names, now))
            file.flush()
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")

    def server_chain(
        self, public_key: ec.EllipticCurvePublicKey, names: Sequence[str], now: datetime.datetime
    ) -> bytes:
        """Return a server's certificate and what leads up from it to any root a box may know; PEM."""
        leaf = server_certificate(self.issuer, [_general_name(name) for name in names], public_key, now)
        return certificate_pem(leaf, *self.issuer.chain, *self.bridge)

    def chain_pem(self, leaf: x509.Certificate) -> str:
        """Return a gateway's certificate and the issuing one above it, as they were given; PEM."""
        above = [one for one in self.issuers if one.subject == leaf.issuer]
        return certificate_pem(leaf, *above).decode()

    def verified(self, der: bytes, now: datetime.datetime) -> x509.Certificate:
        """Return a gateway's certificate that a proxy has been shown; AuthorityError if it is not ours.

        The proxy has seen the proof of the key; the chain is checked here again.
        """
        try:
            leaf = x509.load_der_x509_certificate(der)
            verifier = PolicyBuilder().store(Store(list(self.roots))).time(now).build_client_verifier()
            verifier.verify(leaf, list(self.issuers))
        except (ValueError, VerificationError, x509.InvalidVersion) as error:
            raise AuthorityError(f"the certificate is not one of ours: {error}") from error
        gateway_named(leaf)
        return leaf


def load_or_make(folder: Path, password: bytes | None, now: datetime.datetime) -> Authority:
    """Return the authority in `folder`, made now if there is none; ConfigError names what is wrong."""
    try:
        if not (folder / ISSUING).exists():
            make(folder, password, now)
        return load(folder, password)
    except AuthorityError as error:
        raise ConfigError(f"authority {folder}: {error}") from error
    except OSError as error:
        raise ConfigError(f"authority {error.filename or folder}: {error.strerror}") from error


def make(folder: Path, password: bytes | None, now: datetime.datetime) -> None:
    """Make a root and an issuing authority in `folder`; the latter comes last and makes it whole."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    root = new_root(f"Gatehouse root {now:%Y-%m-%d} {os.urandom(4).hex()}", now)
    issuer = new_issuer(root, now)
    write_issuer(folder / ROOT, root, password)
    write_whole(folder / TRUSTED, certificate_pem(root.certificate))
    write_whole(folder / ISSUERS, certificate_pem(issuer.certificate))
    write_issuer(folder / ISSUING, issuer, password)


def load(folder: Path, password: bytes | None) -> Authority:
    """Return the authority in `folder`; the root's own file need not be there."""
    bridge = folder / BRIDGE
    return Authority(
        read_issuer(folder / ISSUING, password),
        certificates_from_pem((folder / TRUSTED).read_bytes()),
        certificates_from_pem((folder / ISSUERS).read_bytes()),
        certificates_from_pem(bridge.read_bytes()) if bridge.exists() else (),
    )


def new_issuer(root: Issuer, now: datetime.datetime) -> Issuer:
    """Make an issuing authority below a root; two of one day have different names."""
    return new_intermediate(root, f"Gatehouse gateways {now:%Y-%m-%d} {os.urandom(4).hex()}", now)


def write_issuer(path: Path, issuer: Issuer, password: bytes | None) -> None:
    """Put key and certificate of an authority in place, both at once."""
    write_whole(path, key_pem(issuer.key, password) + certificate_pem(issuer.certificate))


def read_issuer(path: Path, password: bytes | None) -> Issuer:
    """Return the authority in `path`; AuthorityError if others may read it or the password is wrong."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise AuthorityError(f"{path.name} has mode {mode:04o}: others may read it; run: chmod 600 {path}")
    content = path.read_bytes()
    certificate, *_ = certificates_from_pem(content)
    key = key_from_pem(content, password)
    if certificate.public_key() != key.public_key():
        raise AuthorityError(f"{path.name} holds a certificate and the key of another")
    return Issuer(certificate, key, (certificate,))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a power cut leaves the old one or the new one, for its owner alone."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
