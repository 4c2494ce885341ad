"""Set up a checkout: uv, a virtual environment, the locked packages, the web assets.

Needs only python3 and pip: uv comes through `pip install --target`, which works where plain
`pip install` is refused (PEP 668) and where the venv module is missing. What has been done is
remembered by stamps, so a second run takes a moment. The invariant: the packages come from the
indexes the user has configured for pip or uv and from nowhere else, and every one of them must
have a hash that `requirements.lock` knows.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".uv" / "bin" / "uv"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"

MINIMUM = (3, 11)

# uv does not read pip's configuration; what pip is told, uv is told by the variable of the same meaning.
_UV_VARIABLE_OF_PIP = {
    "cert": "SSL_CERT_FILE",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "index-url": "UV_DEFAULT_INDEX",
    "timeout": "UV_HTTP_TIMEOUT",
    "trusted-host": "UV_INSECURE_HOST",
}


def main() -> int:
    """Do what is not done yet; return the exit code."""
    if sys.version_info < MINIMUM:
        wanted = ".".join(map(str, MINIMUM))
        print(f"gatehouse needs Python {wanted} or newer; {sys.executable} is {sys.version.split()[0]}")
        return 1
    os.chdir(ROOT)
    started = time.monotonic()
    try:
        _install_uv()
        environment = uv_environment()
        _make_venv(environment)
        _install_packages(environment)
        _build_web_assets()
    except subprocess.CalledProcessError as error:
        print(f"\nset-up stopped: `{shlex.join(map(str, error.cmd))}` ended with {error.returncode}")
        print("Is a package index reachable? pip's and uv's own settings are used as they are.")
        return 1
    print(f"ready in {time.monotonic() - started:.0f} s")
    return 0


def _install_uv() -> None:
    if UV.exists():
        return
    _say("1/4", "uv, the package installer, into .uv/")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--target", ROOT / ".uv", "--upgrade", "uv"], dict(os.environ))


def _make_venv(environment: dict[str, str]) -> None:
    if PYTHON.exists():
        return
    _say("2/4", "a virtual environment in .venv/")
    _run([UV, "venv", "--quiet", "--clear", "--python", sys.executable, VENV], environment)


def _install_packages(environment: dict[str, str]) -> None:
    stamp = VENV / ".ok"
    state = _digest(LOCK, ROOT / "pyproject.toml", PYTHON.resolve())
    if stamp.exists() and stamp.read_text() == state:
        return
    count = sum(1 for line in LOCK.read_text().splitlines() if line and line[0] not in " #")
    _say("3/4", f"up to {count} Python packages, each checked against its hash")
    _run([UV, "pip", "sync", "--python", PYTHON, "--require-hashes", LOCK], environment)
    # The build backend is in the lock too, so that nothing unchecked is fetched to build ourselves.
    install = [UV, "pip", "install", "--quiet", "--python", PYTHON]
    _run([*install, "--no-deps", "--no-build-isolation", "--editable", "."], environment)
    stamp.write_text(state)


def _build_web_assets() -> None:
    # The script itself knows whether anything it reads has changed, and says so in one line.
    _say("4/4", "the console's scripts and styles (npm packages, built here)")
    _run([PYTHON, ROOT / "scripts" / "build_web.py"], dict(os.environ))


def uv_environment() -> dict[str, str]:
    """Return our environment plus what pip is configured with; uv's own settings win."""
    environment = dict(os.environ)
    for name, value in _pip_settings().items():
        variable = _UV_VARIABLE_OF_PIP.get(name)
        if variable and variable not in environment:
            environment[variable] = value
    # pip looks at all its indexes and takes the best match; so that the same set of indexes means the
    # same here, uv is asked to do likewise. The hashes in the lock decide what is accepted.
    environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    environment.setdefault("UV_LINK_MODE", "copy" if _is_on_another_disk() else "hardlink")
    return environment


def _pip_settings() -> dict[str, str]:
    """Return pip's settings by their long option's name: files first, environment last, as pip reads them."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, check=False, capture_output=True, text=True)
    settings: dict[str, str] = {}
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        scope, _, name = key.rpartition(".")
        if scope in ("global", "install", ":env:"):
            settings[name.replace("_", "-")] = " ".join(value.strip("'\"").replace("\\n", " ").split())
    return settings


def _is_on_another_disk() -> bool:
    cache = Path(os.environ.get("UV_CACHE_DIR", Path.home() / ".cache"))
    while not cache.exists():
        cache = cache.parent
    return cache.stat().st_dev != ROOT.stat().st_dev


def _digest(*paths: Path) -> str:
    sha = hashlib.sha256()
    for path in paths:
        sha.update(str(path).encode() + b"\0")
        if path.exists():
            sha.update(path.read_bytes())
    return sha.hexdigest()


def _say(number: str, what: str) -> None:
    print(f"[{number}] {what}", flush=True)


def _run(command: list[str | Path], environment: dict[str, str]) -> None:
    if shutil.which(str(command[0])) is None:
        raise SystemExit(f"{command[0]}: not found or not executable")
    subprocess.run([str(part) for part in command], check=True, env=environment)


if __name__ == "__main__":
    sys.exit(main())
