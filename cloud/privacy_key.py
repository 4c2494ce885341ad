"""The key over all personal data: 32 bytes in one file, readable by its owner alone, made at the first start.

It lies apart from the database and its backups: whoever copies those can read nobody's number. Lost, it
takes every sealed field with it, so it belongs into the safe beside the backups' own key.
"""

import os
import secrets
import stat
from pathlib import Path

from cloud.config import Config, ConfigError, command_key_path

KEY_BYTES = 32


def privacy_key_path(config: Config) -> Path:
    """Return where the key is: as configured, else `privacy.key` beside the key of commands."""
    if config.privacy.key_file:
        return Path(config.privacy.key_file)
    return command_key_path(config).with_name("privacy.key")


def load_or_make(path: Path) -> bytes:
    """Return the key in `path`, made now if there is none; ConfigError if others may read it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _load(path)
    except OSError as error:
        raise ConfigError(f"privacy key {path}: {error.strerror}") from error
    key = secrets.token_bytes(KEY_BYTES)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.hex().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return key


def _load(path: Path) -> bytes:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"privacy key {path} cannot be read: {error}") from error
    if mode & 0o077:
        raise ConfigError(
            f"privacy key {path} has mode {mode:04o}: others may read it; run: chmod 600 {path}"
        )
    try:
        key = bytes.fromhex(text)
    except ValueError as error:
        raise ConfigError(f"privacy key {path} is not hexadecimal") from error
    if len(key) != KEY_BYTES:
        raise ConfigError(f"privacy key {path} has {len(key)} bytes, expected {KEY_BYTES}")
    return key
