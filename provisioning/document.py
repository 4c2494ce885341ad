"""A configuration as it is written: the text, and the profiles of its own that the text names.

This is what travels, what is signed, what people compare. The invariant: two documents with the same
digest are the same, byte for byte; `provisioning.config_file` says what one means.
"""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

# What a gateway is told by the person who stands before it, and by nobody else: who it is, where it
# keeps its rows, what the cloud may ask of it, and what it does by itself when people are in danger.
OWN_TABLES = ("gateway", "cloud", "buffer", "page", "commands", "reactions")
# Of a device, too: what switches its supply, and what is written into it without anybody asking again.
OWN_DEVICE_KEYS = ("relay", "settings")
# Where a configuration sent from afar may look for keys and passwords, beside those the box names itself.
SECRETS_FOLDER = "secrets"
_FILE_SUFFIX = "_file"


@dataclass(frozen=True, slots=True)
class Document:
    """Text and profiles; a profile is named as the text names it, with `.toml` at its end."""

    text: str
    profiles: Mapping[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """Return SHA-256 over everything, 64 hex digits; over the text alone where there are no profiles."""
        seal = hashlib.sha256(self.text.encode())
        for name, text in sorted(self.profiles.items()):
            seal.update(b"\x00" + name.encode() + b"\x00" + text.encode())
        return seal.hexdigest()

    def tables(self) -> dict[str, object]:
        """Return what the text says, as TOML reads it; nothing where it is not TOML."""
        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError:
            return {}


def overreaching(own: Document, other: Document) -> list[str]:
    """Return what `other` may not change in the place of `own`: a line each, naming the key."""
    mine, theirs = own.tables(), other.tables()
    problems = [
        f"{name}: differs from the gateway's own file, and is only changed there"
        for name in OWN_TABLES
        if mine.get(name) != theirs.get(name)
    ]
    own_keys, their_keys = _own_device_keys(mine), _own_device_keys(theirs)
    problems += [
        f"devices.{device}.{key}: differs from the gateway's own file, and is only changed there"
        for device, key in sorted(own_keys.keys() | their_keys.keys())
        if own_keys.get((device, key)) != their_keys.get((device, key)) and (device, key) in their_keys
    ]
    named = {path for _, path in _files(mine)}
    for key, path in _files(theirs):
        if path and path not in named and not _is_secret(path):
            problems.append(
                f"{key}: {path!r} is neither a file the gateway's own file names nor one in {SECRETS_FOLDER}/"
            )
    return problems


def _own_device_keys(tables: Mapping[str, object]) -> dict[tuple[str, str], object]:
    """Return what devices have of the keys only their own file sets, by device and key."""
    devices = tables.get("devices")
    return {
        (str(device.get("id")), key): device[key]
        for device in (devices if isinstance(devices, list) else ())
        if isinstance(device, dict)
        for key in OWN_DEVICE_KEYS
        if key in device
    }


def _is_secret(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return len(parts) == 2 and parts[0] == SECRETS_FOLDER and parts[1] != ".."


def _files(value: object, at: str = "") -> Iterator[tuple[str, str]]:
    """Return every key that names a file, with the file."""
    match value:
        case dict():
            for key, inside in value.items():
                where = f"{at}.{key}" if at else key
                if key.endswith(_FILE_SUFFIX) and isinstance(inside, str):
                    yield where, inside
                else:
                    yield from _files(inside, where)
        case list():
            for i, inside in enumerate(value):
                yield from _files(inside, f"{at}[{i}]")
