"""The programs of a demonstration as child processes.

The invariant: none outlives us. Each is told to end when we do (PR_SET_PDEATHSIG), is in a process
group of its own so that Ctrl-C reaches us alone, and is ended in the reverse order of its start.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatehouse.demo.errors import DemoError

# An edge commits what it has read and sends what waits; nothing here needs longer.
STOP_TIMEOUT_S = 20.0
_LOOK_S = 0.05
_LOG_LINES_SHOWN = 12
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Child:
    """One running program and the file its words go to."""

    name: str
    process: subprocess.Popen[str]
    log: Path

    @property
    def is_running(self) -> bool:
        """Tell whether it still runs."""
        return self.process.poll() is None

    def last_words(self) -> str:
        """Return the end of its log, for a message."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {self.name}: {line}" for line in lines[-_LOG_LINES_SHOWN:])


class Children:
    """Starts programs of ours and ends them all. Use as a context manager."""

    def __init__(self, log_folder: Path) -> None:
        self._log_folder = log_folder
        self._running: list[Child] = []

    def __enter__(self) -> "Children":
        self._log_folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *exc_info: object) -> None:
        with _deaf_to_ctrl_c():
            for child in reversed(self._running):
                _end(child)
            self._running.clear()

    def start(self, name: str, *arguments: str) -> Child:
        """Start `gatehouse ARGUMENTS`; its output goes to a log file named after it."""
        log = self._log_folder / f"{name}.log"
        with log.open("a", encoding="utf-8") as words:
            process = _popen(arguments, stdout=words, stderr=words)
        child = Child(name, process, log)
        self._running.append(child)
        return child

    def stop(self, child: Child) -> int:
        """End one and return its exit code."""
        self._running.remove(child)
        return _end(child)

    def run(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """Run `gatehouse ARGUMENTS` to its end; DemoError with its last words if it fails."""
        for _ in self.lines(name, *arguments, environment=environment):
            pass

    def lines(
        self, name: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> Iterator[str]:
        """Run `gatehouse ARGUMENTS` to its end and yield the lines it prints, as they come."""
        log = self._log_folder / f"{name}.log"
        with log.open("a", encoding="utf-8") as words:
            process = _popen(arguments, stdout=subprocess.PIPE, stderr=words, environment=environment)
        child = Child(name, process, log)
        self._running.append(child)
        assert process.stdout is not None, "it was started with a pipe"
        with process.stdout as told:
            yield from told
        code = process.wait()
        self._running.remove(child)
        if code != 0:
            raise DemoError(f"`gatehouse {arguments[0]}` failed with exit code {code}:\n{child.last_words()}")

    def wait_for(self, what: str, is_true: Callable[[], bool], timeout_s: float) -> None:
        """Wait until something is true; DemoError says which program ended, or what did not come."""
        deadline = time.monotonic() + timeout_s
        while not is_true():
            self.check()
            if time.monotonic() > deadline:
                words = "\n".join(child.last_words() for child in self._running)
                raise DemoError(f"{what} did not come within {timeout_s:.0f} s\n{words}")
            time.sleep(_LOOK_S)

    def check(self) -> None:
        """Raise DemoError if a program that should run has ended."""
        for child in self._running:
            if not child.is_running:
                code = child.process.returncode
                raise DemoError(f"the {child.name} ended with exit code {code}:\n{child.last_words()}")


def _popen(
    arguments: Sequence[str],
    *,
    stdout: int | object,
    stderr: int | object,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    parent = os.getpid()
    return subprocess.Popen(
        [sys.executable, "-m", "gatehouse", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout,  # type: ignore[arg-type]  # a file or subprocess.PIPE
        stderr=stderr,  # type: ignore[arg-type]
        env={**os.environ, **(environment or {})},
        text=True,
        bufsize=1,
        process_group=0,
        preexec_fn=lambda: _die_with(parent),
    )


def _die_with(parent: int) -> None:
    """Ask the kernel to end this process when its parent ends; Linux only, as all of this is."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before we could ask
        os._exit(1)


def _end(child: Child) -> int:
    process = child.process
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Let an impatient second Ctrl-C not leave children behind; ending is bounded anyway."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
