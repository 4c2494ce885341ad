"""Everything that can be said about the code without running it: lint, format, types, imports, links.

Every check runs even when an earlier one failed, so that one run shows all there is to do.
"""

import subprocess
import sys
import time

from setup import ROOT, VENV

BIN = VENV / "bin"

CHECKS: dict[str, list[str]] = {
    "lint": [str(BIN / "ruff"), "check", "--quiet", "."],
    "format": [str(BIN / "ruff"), "format", "--check", "--quiet", "."],
    "types": [str(BIN / "mypy"), "--no-error-summary"],
    "import contracts": [str(BIN / "lint-imports"), "--no-logo", "--no-cache"],
    "documentation": [str(BIN / "python"), "scripts/check_docs.py"],
}


def main() -> int:
    """Run all checks; return 1 if any of them found something."""
    failed = [name for name, command in CHECKS.items() if not _passes(name, command)]
    if failed:
        print(f"check: {', '.join(failed)} failed")
    return 1 if failed else 0


def _passes(name: str, command: list[str]) -> bool:
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    verdict = "ok" if done.returncode == 0 else "FAILED"
    print(f"[check] {name}: {verdict} ({time.monotonic() - started:.1f} s)", flush=True)
    if done.returncode:
        print(done.stdout, flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
