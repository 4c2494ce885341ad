"""Who a gateway is: the token it presents, what the cloud keeps of it, the file on the box.

A token reads `gh1.<tenant id>.<gateway id>.<secret>`: it names its tenant and gateway so that the
cloud finds them by key, and carries 256 bits of secret. The invariant: the secret exists only on
the box (`Credential`, a file readable by its owner alone); the cloud stores `token_hash` and
nothing it could be recovered from. When certificates take the token's place, this module changes
and its callers do not: they ask `parse_token` who is speaking and `read_credential` who we are.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import ssl
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

TOKEN_PREFIX = "gh1"  # noqa: S105 - the format's name, so that a leaked token is recognised by scanners
SECRET_BYTES = 32  # 256 bits: not guessable, so the stored hash needs no salt and no slow function

_CREDENTIAL_VERSION = 1
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # base64url of 32 bytes without padding
_COMMAND_KEY = re.compile(r"[0-9a-f]{64}")  # a raw Ed25519 public key
_TENANT = re.compile(r"[1-9][0-9]{0,9}")
_TOKEN_LENGTH_MAX = 128  # the longest well-formed token has 95 characters; refuse novels before parsing


class IdentityError(Exception):
    """A token or credential file that cannot be used; the message never contains the secret."""


@dataclass(frozen=True, slots=True)
class GatewayToken:
    """A well-formed token; whether it is the right one only the cloud's stored hash can say."""

    tenant_id: int
    gateway_id: str  # UUID, lower case with hyphens
    secret: str = field(repr=False)

    def __str__(self) -> str:
        return f"{TOKEN_PREFIX}.{self.tenant_id}.{self.gateway_id}.{self.secret}"

    def hash(self) -> str:
        """Return what the cloud stores: SHA-256 of the whole token, 64 hex digits."""
        return hashlib.sha256(str(self).encode("ascii")).hexdigest()

    def matches(self, stored_hash: str) -> bool:
        """Tell whether this token is the one whose hash was stored, in constant time."""
        return hmac.compare_digest(self.hash().encode("ascii"), stored_hash.encode())


def new_token(
    tenant_id: int, gateway_id: str, *, random_bytes: Callable[[int], bytes] = secrets.token_bytes
) -> GatewayToken:
    """Make a token for a gateway; its secret is shown once and never stored by the cloud."""
    secret = base64.urlsafe_b64encode(random_bytes(SECRET_BYTES)).rstrip(b"=").decode("ascii")
    return parse_token(f"{TOKEN_PREFIX}.{tenant_id}.{gateway_id}.{secret}")


def parse_token(text: str) -> GatewayToken:
    """Return the token written in `text`; IdentityError if it does not have a token's form."""
    parts = text.split(".") if len(text) <= _TOKEN_LENGTH_MAX else []
    if len(parts) != 4 or parts[0] != TOKEN_PREFIX:
        raise IdentityError(
            f"not a gateway token: expected {TOKEN_PREFIX}.<tenant id>.<gateway id>.<secret>, "
            f"got {len(text)} characters of another form"
        )
    _, tenant, gateway_id, secret = parts
    if not _TENANT.fullmatch(tenant):
        raise IdentityError(f"gateway token: tenant id {tenant!r} is not a positive number")
    if not _UUID.fullmatch(gateway_id):
        raise IdentityError(f"gateway token: gateway id {gateway_id!r} is not a UUID in lower case")
    if not _SECRET.fullmatch(secret):
        raise IdentityError(
            f"gateway token: its secret has {len(secret)} characters, expected 43 of base64url"
        )
    return GatewayToken(int(tenant), gateway_id, secret)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a box needs to speak to its cloud: where it is, who we are there, and the proof."""

    cloud_url: str  # scheme://host[:port], no path
    gateway_code: str  # the code people use, e.g. "gw-1"; for messages only, the token decides
    token: GatewayToken
    command_key: str = ""  # the cloud's public key for commands, 64 hex digits; empty: none are taken
    authority_pem: str = ""  # who alone may certify the cloud, PEM; empty: whom this machine trusts

    def __post_init__(self) -> None:
        checked_cloud_url(self.cloud_url)
        if self.command_key and not _COMMAND_KEY.fullmatch(self.command_key):
            raise IdentityError(f"command key {self.command_key!r} is not 64 hexadecimal digits")
        tls_context(self.authority_pem)


def tls_context(authority_pem: str = "") -> ssl.SSLContext:
    """Return how the cloud's door is verified: TLS 1.3, its host name, and one authority if one is given.

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
            f"no credential file {path}: create it with `gatehouse provision gateway --credential {path} …`"
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
    document = {
        "version": _CREDENTIAL_VERSION,
        "cloud_url": credential.cloud_url,
        "gateway_code": credential.gateway_code,
        "token": str(credential.token),
        "command_key": credential.command_key,
        "authority_pem": credential.authority_pem,
    }
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
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


def _credential_from_json(path: Path, document: object) -> Credential:
    expected = {"version", "cloud_url", "gateway_code", "token"}
    if not isinstance(document, dict) or set(document) - {"authority_pem", "command_key"} != expected:
        raise IdentityError(f"credential file {path}: expected the keys {', '.join(sorted(expected))}")
    if document["version"] != _CREDENTIAL_VERSION:
        raise IdentityError(
            f"credential file {path}: version {document['version']!r}, expected {_CREDENTIAL_VERSION}"
        )
    for key in sorted(set(document) - {"version"}):
        if not isinstance(document[key], str):
            raise IdentityError(f"credential file {path}: {key} is not a string")
    try:
        token = parse_token(document["token"])
        return Credential(
            document["cloud_url"],
            document["gateway_code"],
            token,
            document.get("command_key", ""),
            document.get("authority_pem", ""),
        )
    except IdentityError as error:
        raise IdentityError(f"credential file {path}: {error}") from error
