"""What is copied to a box: the package, its versions, the service, a configuration, how to install it.

The invariant: a folder that was written is complete, and nothing in it is secret but the token, which works
once and for a day.
"""

import re
import shutil
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

UNIT_NAME = "gatehouse-edge.service"
HOME, CONFIGURATION, STATE = "/opt/gatehouse", "/etc/gatehouse", "/var/lib/gatehouse"

_UNIT = """\
[Unit]
Description=Gatehouse edge agent
Documentation=file:{configuration}/README.md
After=network.target time-sync.target
# A box in a cupboard is tried again for ever.
StartLimitIntervalSec=0

[Service]
ExecStart={home}/bin/gatehouse edge run {configuration}/edge.toml
Restart=always
RestartSec=5
# An agent whose event loop does not turn any more is killed and started anew.
WatchdogSec=120
NotifyAccess=main
# What was read is committed and sent within ten seconds.
TimeoutStopSec=30

User={user}
Group={user}
# Serial ports.
SupplementaryGroups=dialout
DevicePolicy=closed
DeviceAllow=char-ttyACM rw
DeviceAllow=char-ttyS rw
DeviceAllow=char-ttyUSB rw
# Buffer, book of commands, key and certificate: all that it ever writes.
StateDirectory=gatehouse
StateDirectoryMode=0700
UMask=0077
MemoryMax=512M
TasksMax=256

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
KeyringMode=private
LockPersonality=yes
MemoryDenyWriteExecute=yes
PrivateIPC=yes
PrivateMounts=yes
PrivateTmp=yes
PrivateUsers=yes
ProcSubset=pid
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@debug @mount @obsolete @privileged @resources

[Install]
WantedBy=multi-user.target
"""

_INSTALL = """\
#!/bin/sh
# Makes this machine a Gatehouse box. Run it again after an upgrade: it changes only what is older.
set -eu
cd "$(dirname "$0")"
[ "$(id -u)" = 0 ] || {{ echo "install.sh: run it with sudo" >&2; exit 1; }}
id {user} >/dev/null 2>&1 || useradd --system --home-dir {state} --shell /usr/sbin/nologin {user}
install -d -m 0755 {configuration}
install -d -m 0700 -o {user} -g {user} {state}
python3 -m venv {home}
if [ -d wheels ]; then from="--no-index --find-links wheels"; else from=""; fi
# shellcheck disable=SC2086
{home}/bin/pip install --quiet --upgrade $from --constraint constraints.txt './{wheel}[edge]'
[ -e {configuration}/edge.toml ] || install -m 0644 edge.toml {configuration}/edge.toml
install -m 0644 README.md {configuration}/README.md
install -m 0644 {unit} /etc/systemd/system/{unit}
if [ -e token ] && [ ! -e {state}/credential.json ]; then
    runuser -u {user} -- {home}/bin/gatehouse provision enrol --credential {state}/credential.json - < token
    rm token
fi
systemctl daemon-reload
systemctl enable --now {unit}
{home}/bin/gatehouse edge check {configuration}/edge.toml
"""

_README = """\
# A Gatehouse box

    sudo ./install.sh

needs Debian 12 or newer, or another Linux with systemd and Python 3.11, and the package `python3-venv`. It
installs {wheel} to {home}, makes the user `{user}`, and starts `{unit}`.

| file | what it is |
|---|---|
| `{wheel}` | the program |
| `constraints.txt` | the exact versions of what it stands on |
| `wheels/` | if there: those packages themselves, for a box without a way to a package index |
| `edge.toml` | what hangs on its lines; lives in {configuration} afterwards |
| `token` | if there: makes this box its gateway, once, within a day of being made |
| `{unit}` | the service: no rights but its serial ports, its own folder and the network |

Without `token`:

    sudo -u {user} {home}/bin/gatehouse provision enrol --credential {state}/credential.json TOKEN

    systemctl status {unit}
    journalctl -u {unit} -f
    {home}/bin/gatehouse edge doctor {configuration}/edge.toml

The key in {state}/credential.json makes this box the gateway: do not copy it, and do not copy a card that
holds it to a second box. The cloud would notice, and stop giving it commands.
"""

_CONFIGURATION = """\
[gateway]
code = "{code}"
time_zone = "Asia/Shanghai"

[cloud]
credential_file = "{state}/credential.json"

[buffer]
path = "{state}/buffer.sqlite"

[[lines]]
id = "bus-1"
transport = "serial"
path = "/dev/ttyUSB0"                   # better one of /dev/serial/by-id, which survives re-plugging
baud = 2400
parity = "even"

# `gatehouse edge scan {configuration}/edge.toml bus-1` proposes the devices that answer there.
"""


@dataclass(frozen=True, slots=True)
class Image:
    """What goes into a folder for a box. Empty `configuration_text`: one to be filled in."""

    wheel: Path
    lock: Path | None
    code: str
    configuration_text: str = ""
    token: str = ""
    wheels: Path | None = None
    user: str = "gatehouse"


def unit_text(user: str = "gatehouse", home: str = HOME) -> str:
    """Return the systemd unit of the edge: at most 2.0 by `systemd-analyze security`."""
    return _UNIT.format(user=user, home=home, configuration=CONFIGURATION)


def write_image(folder: Path, image: Image) -> list[str]:
    """Write everything a box needs into a new folder; return the names of what is in it."""
    folder.mkdir(parents=True)
    words = {
        "user": image.user, "home": HOME, "configuration": CONFIGURATION, "state": STATE,
        "unit": UNIT_NAME, "wheel": image.wheel.name, "code": image.code,
    }  # fmt: skip
    shutil.copyfile(image.wheel, folder / image.wheel.name)
    if image.wheels is not None:
        shutil.copytree(image.wheels, folder / "wheels")
    texts = {
        "constraints.txt": "" if image.lock is None else constraints(image.lock.read_text(encoding="utf-8")),
        "edge.toml": image.configuration_text or _CONFIGURATION.format(**words),
        "README.md": _README.format(**words),
        UNIT_NAME: unit_text(image.user),
        "install.sh": _INSTALL.format(**words),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "install.sh").chmod(0o755)
    if image.token:
        (folder / "token").touch(mode=0o600)
        (folder / "token").write_text(image.token + "\n", encoding="ascii")
    return sorted(entry.name for entry in folder.iterdir())


def constraints(lock: str) -> str:
    """Return the versions of a lock, without hashes: the package itself is a file that has none there."""
    return "".join(
        f"{line}\n" for line in re.findall(r"^[A-Za-z0-9][^\s\\;]*==[^\s\\;]+", lock, re.MULTILINE)
    )


def newest_wheel() -> Path | None:
    """Return the newest wheel that `make wheel` left in the checkout this runs from, if it does."""
    root = Path(str(resources.files("provisioning"))).parent
    built = sorted((root / "dist").glob("gatehouse-*.whl"), key=lambda path: path.stat().st_mtime)
    return built[-1] if built else None


def own_lock() -> Path | None:
    """Return the lock of the checkout this runs from, if it does."""
    path = Path(str(resources.files("provisioning"))).parent / "requirements.lock"
    return path if path.exists() else None
