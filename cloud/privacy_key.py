"""The keys over all personal data: 32 bytes a line in one file, readable by its owner alone.

The invariant: the first line wraps, every line opens; the file is replaced as a whole, by one command at a
time. It lies apart from the database and its backups: whoever copies those can read nobody's number. Lost,
it takes every sealed field with it, so it belongs into the safe beside the backups' own key.
"""

import fcntl
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cloud.config import Config, ConfigError, command_key_path
from cloud.domain.errors import Conflict, Unavailable
from cloud.store.keyring import Keyring

KEY_BYTES = 32


def privacy_key_path(config: Config) -> Path:
    """Return where the key is: as configured, else `privacy.key` beside the key of commands."""
    if config.privacy.key_file:
        return Path(config.privacy.key_file)
    return command_key_path(config).with_name("privacy.key")


def keyring_of(path: Path) -> Keyring:
    """Return what opens personal data with the keys in `path`, and looks there again when they change."""
    return Keyring(*load_or_make(path), read_anew=partial(_load_again, path))


def load_or_make(path: Path) -> tuple[bytes, ...]:
    """Return the keys in `path`, the current one first, one made now if there is no file.

    ConfigError if others may read it.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _load(path)
    except OSError as error:
        raise ConfigError(f"privacy key {path}: {error.strerror}") from error
    key = secrets.token_bytes(KEY_BYTES)
    _fill(descriptor, (key,))
    return (key,)


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Be the only one who changes the file for as long as the block lasts; Conflict if somebody else is."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(f"another command is changing {path} now") from error
        yield
    finally:
        os.close(folder)


def add_key(path: Path) -> bool:
    """Put a new key before the one in `path`; tell whether it did: with a former key there, it goes on."""
    keys = _load(path)
    if len(keys) > 1:
        return False
    _replace(path, (secrets.token_bytes(KEY_BYTES), *keys))
    return True


def drop_former_keys(path: Path) -> int:
    """Leave the current key in `path` alone; return how many were dropped."""
    current, *former = _load(path)
    if former:
        _replace(path, (current,))
    return len(former)


def _load_again(path: Path) -> tuple[bytes, ...]:
    """Return the keys of now; Unavailable while the file is not there: what it sealed could not be opened."""
    try:
        return _load(path)
    except ConfigError as error:
        raise Unavailable(f"{error}; put it back from the safe", 60) from error


def _load(path: Path) -> tuple[bytes, ...]:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        lines = path.read_text("ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"privacy key {path} cannot be read: {error}") from error
    if mode & 0o077:
        raise ConfigError(
            f"privacy key {path} has mode {mode:04o}: others may read it; run: chmod 600 {path}"
        )
    if not lines:
        raise ConfigError(f"privacy key {path} is empty, expected {2 * KEY_BYTES} hexadecimal digits a line")
    return tuple(_key_in(path, number, line) for number, line in enumerate(lines, start=1))


def _key_in(path: Path, number: int, line: str) -> bytes:
    try:
        key = bytes.fromhex(line)
    except ValueError as error:
        raise ConfigError(f"privacy key {path}, line {number}, is not hexadecimal") from error
    if len(key) != KEY_BYTES:
        raise ConfigError(f"privacy key {path}, line {number}, has {len(key)} bytes, expected {KEY_BYTES}")
    return key


def _replace(path: Path, keys: tuple[bytes, ...]) -> None:
    owner = path.stat()
    # Made with mode 0600; whoever runs the program must still be able to read it, though root changes it.
    descriptor, made = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    os.fchown(descriptor, owner.st_uid, owner.st_gid)
    _fill(descriptor, keys)
    Path(made).replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # else the old file may be back after a power cut
    finally:
        os.close(folder)


def _fill(descriptor: int, keys: tuple[bytes, ...]) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(b"".join(key.hex().encode() + b"\n" for key in keys))
        file.flush()
        os.fsync(file.fileno())
