"""The key that signs commands: one file, readable by its owner alone, made at the first start.

It is not the TLS key and lies apart from the database: whoever copies the one has not the other.
"""

import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from cloud.config import ConfigError


def load_or_make(path: Path) -> Ed25519PrivateKey:
    """Return the key in `path`, made now if there is none; ConfigError if others may read it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _load(path)
    except OSError as error:
        raise ConfigError(f"command key {path}: {error.strerror}") from error
    key = Ed25519PrivateKey.generate()
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(file.fileno())
    return key


def public_hex(key: Ed25519PrivateKey) -> str:
    """Return the public key as the 64 hex digits a box is given."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def _load(path: Path) -> Ed25519PrivateKey:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        pem = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"command key {path}: {error.strerror}") from error
    if mode & 0o077:
        raise ConfigError(
            f"command key {path} has mode {mode:04o}: others may read it; run: chmod 600 {path}"
        )
    try:
        key = load_pem_private_key(pem, None)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"command key {path} is not a private key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"command key {path} is not an Ed25519 key")
    return key
