"""Resolve `requirements.lock` from pyproject.toml: every package hashed, no index or host named.

Without `--upgrade` versions that are already locked stay as they are.
"""

import subprocess
import sys

from setup import LOCK, ROOT, UV, uv_environment


def main() -> int:
    """Write the lock; return uv's exit code."""
    command = [
        UV, "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--python-version", "3.11",
        "--no-emit-index-url", "--no-annotate", "--no-header",
        "--extra", "demo", "--group", "dev", "pyproject.toml", "-o", LOCK, *sys.argv[1:],
    ]  # fmt: skip
    done = subprocess.run([str(part) for part in command], cwd=ROOT, env=uv_environment(), check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
