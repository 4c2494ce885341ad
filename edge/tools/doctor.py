"""What somebody far away needs to know about a box, and no secret: a report, and a bundle of it.

The invariant: of a file that holds secrets only whether it can be used is told; user names and
passwords are struck out of the configuration.
"""

import io
import os
import platform
import re
import shutil
import socket
import sqlite3
import stat
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from edge.buffer_file import SCHEMA_VERSION
from edge.check import plan, report
from edge.kernel_clock import is_kernel_clock_synced
from provisioning.config import Config
from provisioning.identity import IdentityError, read_credential
from provisioning.lines import DialInLine, ListenLine, MqttLine, OnvifLine, OsdpLine, SerialLine, UdpLine
from provisioning.strict import Malformed

_REACH_TIMEOUT_S = 3.0
# Below this a buffer of the default size cannot fill.
_FREE_BYTES_MIN = 256 * 1024 * 1024
_LIBRARIES = (
    "aiohttp",
    "aiomqtt",
    "backports-zstd",
    "gatehouse",
    "msgspec",
    "pymodbus",
    "pyserial",
    "sqlite-utils",
)
# A key at the beginning of a line loses all that follows, one inside a table its text.
_SECRET = re.compile(
    r"^(\s*(?:\w+\.)*(?:username|password\w*|token\w*|\w*secret\w*)\s*=\s*).*$", re.MULTILINE
)
_SECRET_INSIDE = re.compile(
    r"(\b(?:username|password\w*|token\w*|\w*secret\w*)\s*=\s*)(?!\"struck)(?:\"[^\"]*\"|'[^']*')"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `is_well` None: only told."""

    subject: str
    is_well: bool | None
    text: str

    def __str__(self) -> str:
        mark = {True: "ok  ", False: "FAIL", None: "    "}[self.is_well]
        return f"{mark} {self.subject}: {self.text}"


def examine(config: Config) -> Iterator[Finding]:
    """Yield what there is to say, in the order in which things are needed."""
    yield Finding("system", None, f"{platform.platform()}, Python {platform.python_version()}")
    yield Finding("libraries", None, ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES))
    yield Finding(
        "clock",
        is_kernel_clock_synced() or None,
        "kept right by the system"
        if is_kernel_clock_synced()
        else "not kept right by the system: the cloud must confirm it",
    )
    yield _plan_finding(config)
    yield from _lines(config)
    yield from _secret_files(config)
    yield _disk(config.buffer.path)
    yield _buffer(config.buffer.path)
    yield from _cloud(config)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _plan_finding(config: Config) -> Finding:
    try:
        plans = plan(config)
    except Malformed as error:
        return Finding("configuration", False, "; ".join(error.problems))
    full = [one.line_id for one in plans if one.utilisation > 1]
    text = f"{len(config.devices)} devices on {len(config.lines)} lines"
    if full:
        return Finding(
            "configuration", False, f"{text}; more polls than the bus carries on {', '.join(full)}"
        )
    return Finding("configuration", True, text)


def _lines(config: Config) -> Iterator[Finding]:
    for line_id, line in config.lines.items():
        subject = f"line {line_id}"
        if isinstance(line, OsdpLine | SerialLine):
            yield _serial(subject, Path(line.path))
        elif isinstance(line, OnvifLine):
            for camera in (one for one in config.devices if one.line_id == line_id):
                host, _, port = camera.address.partition(":")
                yield _reach(f"camera {camera.device_id}", host, int(port or 80))
        elif isinstance(line, ListenLine):
            yield Finding(subject, None, f"panels call port {line.port} of {line.host}")
        elif isinstance(line, DialInLine):
            yield Finding(subject, None, f"a serial server calls port {line.port} of {line.host}")
        elif isinstance(line, UdpLine):
            where = f"{line.host}:{line.port}"
            yield Finding(subject, None, f"datagrams to {where}: only an answer shows who is there")
        else:
            yield _reach(subject, line.host, line.port, is_broker=isinstance(line, MqttLine))
    ports = sorted(path.name for path in Path("/dev/serial/by-id").glob("*"))
    yield Finding("serial ports", None, ", ".join(ports) or "none below /dev/serial/by-id")


def _serial(subject: str, path: Path) -> Finding:
    if not path.exists():
        return Finding(subject, False, f"{path} does not exist: is the adapter plugged in?")
    if not os.access(path, os.R_OK | os.W_OK):
        return Finding(
            subject, False, f"{path} may not be opened: add the agent's user to the group of the port"
        )
    is_fixed = "by-id" in path.parts or "by-path" in path.parts
    hint = "" if is_fixed else "; its name may change when plugged anew, use /dev/serial/by-id/…"
    return Finding(subject, True, f"{path} is there{hint}")


def _reach(subject: str, host: str, port: int, *, is_broker: bool = False) -> Finding:
    what = "broker" if is_broker else "device"
    try:
        with socket.create_connection((host, port), _REACH_TIMEOUT_S):
            return Finding(subject, True, f"{what} {host}:{port} accepts connections")
    except OSError as error:
        return Finding(subject, False, f"{what} {host}:{port}: {error}")


def _secret_files(config: Config) -> Iterator[Finding]:
    """Say of every file with a key or password only whether it is there, and there for us alone."""
    files: list[Path] = [] if config.credential_file is None else [config.credential_file]
    for line in config.lines.values():
        match line:
            case MqttLine():
                files += [line.password_file] if line.password_file else []
            case OnvifLine():
                files.append(line.password_file)
            case OsdpLine():
                files += [line.card_key_file, *([line.key_file] if line.key_file else [])]
            case ListenLine():
                files += [line.key_file] if line.key_file else []
    for path in files:
        if not path.exists():
            yield Finding("secrets", False, f"{path} does not exist")
        elif path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield Finding("secrets", False, f"{path} can be read by others: chmod 600 {path}")
        else:
            yield Finding("secrets", True, f"{path} is for its owner alone")


def _disk(path: Path) -> Finding:
    folder = next((parent for parent in path.parents if parent.exists()), Path("/"))
    free = shutil.disk_usage(folder).free
    return Finding("disk", free >= _FREE_BYTES_MIN, f"{free // 1024 // 1024} MiB free at {folder}")


def _buffer(path: Path) -> Finding:
    if not path.exists():
        return Finding("buffer", None, f"{path} does not exist yet")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.1)) as connection:
            known = int(connection.execute("PRAGMA user_version").fetchone()[0])
            streams = connection.execute(
                "SELECT name, stored_rows, acked_rows, evicted_rows, put_aside_rows FROM stream"
            ).fetchall()
    except sqlite3.OperationalError as error:
        return Finding("buffer", None, f"{path}: {error}; the running agent holds it, see status")
    except sqlite3.DatabaseError as error:
        return Finding("buffer", False, f"{path}: {error}")
    counted = "; ".join(
        f"{name} {stored} stored, {acked} acked, {evicted} evicted, {aside} put aside"
        for name, stored, acked, evicted, aside in streams
    )
    return Finding("buffer", known <= SCHEMA_VERSION, f"{path}, schema {known}: {counted}")


def _cloud(config: Config) -> Iterator[Finding]:
    if config.credential_file is None:
        yield Finding("cloud", None, "none is configured")
        return
    try:
        credential = read_credential(config.credential_file)
    except IdentityError as error:
        yield Finding("credential", False, str(error))
        return
    yield Finding("credential", True, f"{config.credential_file} is for gateway {credential.gateway_code}")
    url = urlsplit(credential.cloud_url)
    yield _reach("cloud", url.hostname or "", url.port or (443 if url.scheme == "https" else 80))


def write_bundle(target: Path, config: Config, findings: list[Finding], status: bytes) -> None:
    """Write report, configuration without secrets and the agent's status (b"" if none runs) to a tar.gz."""
    try:
        planned = "\n".join(report(config, plan(config)))
    except Malformed as error:
        planned = str(error)
    files = {
        "report.txt": "\n".join(map(str, findings)).encode(),
        "plan.txt": planned.encode(),
        "edge.toml": without_secrets(config.origin.read_text(encoding="utf-8")).encode(),
        "status.json": status,
    }
    with tarfile.open(target, "w:gz") as bundle:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"gatehouse-{config.gateway_code}/{name}")
            entry.size = len(content)
            bundle.addfile(entry, io.BytesIO(content))


def without_secrets(text: str) -> str:
    """Return a configuration with user names and passwords struck out."""
    return _SECRET_INSIDE.sub(r'\1"struck out"', _SECRET.sub(r'\1"struck out"', text))
