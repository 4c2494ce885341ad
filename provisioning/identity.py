"""Who a box is: its key, the certificate for it, whom it trusts, and the one file that holds all of it.

The invariant: the key is made on the box and leaves it never; the file is readable by its owner alone
and replaced whole, so at any moment of a power cut it holds a pair that works. While a new pair has not
yet been used, the one before is kept beside it (`previous`).
"""

import json
import os
import re
import ssl
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.authority import (
    AuthorityError,
    GatewayName,
    certificates_from_pem,
    gateway_named,
    key_fingerprint,
    key_from_pem,
)

_CREDENTIAL_VERSION = 2
_COMMAND_KEY = re.compile(r"[0-9a-f]{64}")  # a raw Ed25519 public key
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_OPENSSL_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, x509_vfy.h


class IdentityError(Exception):
    """An identity or a file of one that cannot be used; the message never contains the key."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A private key and the certificate for it, with the authorities between it and a root; PEM."""

    key_pem: str = field(repr=False)
    certificate_pem: str = field(repr=False)

    def __post_init__(self) -> None:
        try:
            key, leaf = key_from_pem(self.key_pem.encode()), self.certificate
            if key_fingerprint(key.public_key()) != _key_of(leaf):
                raise IdentityError(f"certificate {leaf.serial_number:x} is for another key")
            gateway_named(leaf)
        except AuthorityError as error:
            raise IdentityError(str(error)) from error

    @property
    def certificate(self) -> x509.Certificate:
        """Return the box's own certificate."""
        return certificates_from_pem(self.certificate_pem.encode())[0]

    @property
    def not_before_ms(self) -> int:
        """Return since when it is valid: no clock that is right shows an earlier time."""
        return int(self.certificate.not_valid_before_utc.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a box needs to speak to its cloud: where it is, who we are there, and the proof."""

    cloud_url: str  # scheme://host[:port], no path
    gateway_code: str  # the code people use, e.g. "gw-1"; for messages only, the certificate decides
    gateway: GatewayName
    command_key: str = ""  # the cloud's public key for commands, 64 hex digits; empty: none are taken
    authority_pem: str = ""  # the roots that alone may certify the cloud
    pair: Pair | None = None  # None only where the cloud is plain HTTP on this machine: in tests
    previous: Pair | None = None  # until `pair` has worked
    next_key_pem: str = field(default="", repr=False)  # while a certificate for it is asked for
    lease: str = ""  # what the cloud gave us last; who shows an older one runs on a copy of this file

    def __post_init__(self) -> None:
        checked_cloud_url(self.cloud_url)
        if not _UUID.fullmatch(self.gateway.gateway_id):
            raise IdentityError(f"gateway id {self.gateway.gateway_id!r} is not a UUID in lower case")
        if self.command_key and not _COMMAND_KEY.fullmatch(self.command_key):
            raise IdentityError(f"command key {self.command_key!r} is not 64 hexadecimal digits")
        if self.cloud_url.startswith("https:") and (self.pair is None or not self.authority_pem):
            raise IdentityError(f"there is no certificate to show to {self.cloud_url}: enrol the box")
        for pair in (self.pair, self.previous):
            if pair is not None and gateway_named(pair.certificate) != self.gateway:
                raise IdentityError(f"the certificate is not gateway {self.gateway}'s")

    def tls_context(self, now_ms: int) -> ssl.SSLContext:
        """Return how the cloud is verified and what is shown to it.

        Where the clock stands before our own certificate was made it is surely wrong (a board without a
        battery starts in 1970): then chain and name are checked and dates are not.
        """
        context = tls_context(self.authority_pem)
        if self.pair is not None:
            _show(context, self.pair)
            if now_ms < self.pair.not_before_ms:
                context.verify_flags |= ssl.VerifyFlags(_OPENSSL_NO_CHECK_TIME)
        return context

    def renewed(self, pair: Pair) -> "Credential":
        """Return the credential with a new pair, and the one before kept until the new one has worked."""
        return replace(self, pair=pair, previous=self.pair, next_key_pem="")


def tls_context(authority_pem: str = "") -> ssl.SSLContext:
    """Return how a cloud is verified: TLS 1.3, its host name, and only these authorities if any are given.

    IdentityError if the authority is no certificate.
    """
    try:
        context = ssl.create_default_context(cadata=authority_pem or None)
    except (ssl.SSLError, ValueError) as error:
        raise IdentityError(f"the cloud's authority is not a PEM certificate: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def checked_cloud_url(url: str) -> str:
    """Return `url` if it is http(s)://host[:port] and nothing more; IdentityError says what is wrong."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is not a number
    except ValueError as error:
        raise IdentityError(f"cloud URL {url!r}: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise IdentityError(f"cloud URL {url!r}: expected https://host[:port] or http://host[:port]")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise IdentityError(f"cloud URL {url!r}: expected only scheme, host and port")
    return url


def read_credential(path: Path) -> Credential:
    """Return the credential in `path`; IdentityError if others may read it or it is malformed."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise IdentityError(
            f"no credential file {path}: create it with `gatehouse provision enrol --credential {path} TOKEN`"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise IdentityError(f"credential file {path}: {error}") from error
    if mode & 0o077:
        raise IdentityError(
            f"credential file {path} has mode {mode:04o}: others may read it; run: chmod 600 {path}"
        )
    try:
        document = json.loads(text)
    except ValueError as error:
        raise IdentityError(f"credential file {path} is not JSON: {error}") from error
    return _credential_from_json(path, document)


def write_credential(path: Path, credential: Credential) -> None:
    """Write the file so that a power cut leaves the old one or the new one, readable by its owner alone."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)  # left by a cut, when a process had this number before
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(_credential_to_json(credential), file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        if path.parent.is_dir():
            fresh.unlink(missing_ok=True)
        raise IdentityError(f"credential file {path}: {error}") from error


def _show(context: ssl.SSLContext, pair: Pair) -> None:
    # The library takes a path only; this one is in memory, so the key is on disk in one place.
    with os.fdopen(os.memfd_create("gatehouse-pair"), "wb") as file:
        file.write(pair.key_pem.encode() + pair.certificate_pem.encode())
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")


def _key_of(certificate: x509.Certificate) -> str:
    public_key = certificate.public_key()
    if not isinstance(public_key, ec.EllipticCurvePublicKey):
        raise IdentityError("the certificate is not for an elliptic-curve key")
    return key_fingerprint(public_key)


def _credential_to_json(credential: Credential) -> dict[str, object]:
    def pair(one: Pair | None) -> dict[str, str] | None:
        return None if one is None else {"key": one.key_pem, "certificate": one.certificate_pem}

    return {
        "version": _CREDENTIAL_VERSION,
        "cloud_url": credential.cloud_url,
        "gateway_code": credential.gateway_code,
        "tenant_id": credential.gateway.tenant_id,
        "gateway_id": credential.gateway.gateway_id,
        "command_key": credential.command_key,
        "authority": credential.authority_pem,
        "pair": pair(credential.pair),
        "previous": pair(credential.previous),
        "next_key": credential.next_key_pem,
        "lease": credential.lease,
    }


_TEXTS = ("cloud_url", "gateway_code", "gateway_id", "command_key", "authority", "next_key", "lease")
_KEYS = frozenset(("version", "tenant_id", "pair", "previous", *_TEXTS))


def _credential_from_json(path: Path, document: object) -> Credential:
    if not isinstance(document, dict):
        raise IdentityError(f"credential file {path}: expected an object")
    if document.get("version") != _CREDENTIAL_VERSION:
        raise IdentityError(
            f"credential file {path}: version {document.get('version')!r}, expected {_CREDENTIAL_VERSION}; "
            "ask a manager for an enrolment token and run `gatehouse provision enrol` (nothing else changes)"
        )
    if set(document) != _KEYS:
        odd = ", ".join(sorted(set(document) ^ _KEYS))
        raise IdentityError(f"credential file {path}: missing or unknown keys: {odd}")
    for key in _TEXTS:
        if not isinstance(document[key], str):
            raise IdentityError(f"credential file {path}: {key} is not a string")
    if not isinstance(document["tenant_id"], int):
        raise IdentityError(f"credential file {path}: tenant_id is not a number")
    try:
        return Credential(
            document["cloud_url"],
            document["gateway_code"],
            GatewayName(document["tenant_id"], document["gateway_id"]),
            document["command_key"],
            document["authority"],
            _pair_from_json(document["pair"]),
            _pair_from_json(document["previous"]),
            document["next_key"],
            document["lease"],
        )
    except IdentityError as error:
        raise IdentityError(f"credential file {path}: {error}") from error


def _pair_from_json(value: object) -> Pair | None:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != {"key", "certificate"}:
        raise IdentityError("a pair has a key and a certificate, nothing else")
    if not isinstance(value["key"], str) or not isinstance(value["certificate"], str):
        raise IdentityError("a pair's key and certificate are PEM strings")
    return Pair(value["key"], value["certificate"])
