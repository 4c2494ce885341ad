"""The real programs, started and killed: a simulated building, an edge, a cloud, each a process of its own.

Nothing here is a stand-in. Processes are killed with SIGKILL, which they cannot notice, and started
again on what they left on disk. After a kill of the edge its buffer is read from a copy, so that what
it had committed at that moment is known independently of what it says later.
"""

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

GATEWAY = "gw-1"
PASSWORD = "gatehouse-demo"  # of the users in the simulator's site document
START_TIMEOUT_S = 60.0

# The demo asks meters once a minute; here every commit should have something in it.
_INTERVAL_S = 2

BlockName = tuple[str, int, int]  # stream, epoch, first_seq


@dataclass(frozen=True, slots=True)
class BufferSnapshot:
    """What an edge had committed when it was killed."""

    epoch: int
    next_seq: dict[str, int]  # by stream
    blocks: dict[BlockName, bytes]  # payload of every block it had, sent or not


@dataclass
class Rig:
    """Paths, ports and the running processes of one torture."""

    folder: Path
    cloud_port: int
    gateway_port: int
    control_url: str = ""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        """Return the cloud's database file."""
        return self.folder / "cloud.db"

    def start(self, name: str) -> None:
        """Start `edge` or `cloud`; the cloud is waited for until it answers."""
        command = {
            "cloud": [
                "cloud",
                "serve",
                "--database",
                self._url,
                "--port",
                str(self.cloud_port),
                "--gateway-port",
                str(self.gateway_port),
            ],
            "edge": ["edge", "run", str(self.folder / "edge.toml")],
        }[name]
        self._spawn(name, command)

    def kill(self, name: str) -> None:
        """Kill it as a power cut would; it must still have been running."""
        process = self.processes.pop(name)
        if process.poll() is not None:
            raise AssertionError(
                f"the {name} had ended by itself with {process.returncode}:\n{self.log(name)}"
            )
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self, name: str) -> None:
        """Ask it to end and wait until it has."""
        process = self.processes.pop(name, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait_for_cloud(self) -> None:
        """Return once the cloud answers; AssertionError if it does not."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.cloud_port}/healthz", timeout=2):
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"the cloud did not answer within {START_TIMEOUT_S} s:\n{self.log('cloud')}")

    def log(self, name: str) -> str:
        """Return the end of what a process wrote."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def snapshot(self) -> BufferSnapshot:
        """Read a copy of the killed edge's buffer; AssertionError if SQLite finds it damaged."""
        copy = self.folder / "snapshot"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for suffix in ("", "-wal"):
            original = self.folder / f"buffer.sqlite{suffix}"
            if original.exists():
                shutil.copy(original, copy)
        connection = sqlite3.connect(copy / "buffer.sqlite")
        try:
            found = connection.execute("PRAGMA integrity_check").fetchone()[0]
            assert found == "ok", f"the buffer is damaged: {found}"
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'store'").fetchone():
                return BufferSnapshot(0, {}, {})  # killed before it had made its tables
            stored = connection.execute("SELECT epoch FROM store").fetchone()
            epoch = stored[0] if stored else 0
            next_seq = dict(connection.execute("SELECT name, next_seq FROM stream").fetchall())
            # One that is yet to be dated will arrive with other times: the counts alone hold it to account.
            rows = connection.execute(
                "SELECT stream, first_seq, payload FROM block"
                " WHERE (stream, first_seq) NOT IN (SELECT stream, first_seq FROM undated)"
            ).fetchall()
        finally:
            connection.close()
        return BufferSnapshot(
            epoch, next_seq, {(stream, epoch, seq): payload for stream, seq, payload in rows}
        )

    def ask_simulator(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """Ask the simulator's control port."""
        data = None if body is None else msgspec.json.encode(body)
        request = urllib.request.Request(self.control_url + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return msgspec.json.decode(answer.read(), type=dict)

    def acked_through(self) -> dict[str, int]:
        """Return what the cloud has acknowledged, by stream, over its newest epoch."""
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)
        try:
            question = "SELECT stream, acked_through FROM ingest_stream ORDER BY epoch"
            return dict(connection.execute(question).fetchall())
        finally:
            connection.close()

    @property
    def _url(self) -> str:
        return f"sqlite:///{self.database}"

    def _spawn(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "gatehouse", *command],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
            )

    def _start_simulator(self) -> None:
        files = {
            "--bus-1-link": "bus-1",
            "--write-edge-config": "edge.toml",
            "--credential-file": "credential.json",
            "--write-cloud-setup": "site.json",
        }
        options = [part for option, file in files.items() for part in (option, str(self.folder / file))]
        # What the edge says of its door readers and cameras nobody issues, so it is not in the account.
        without = ["--no-door-reader", "--no-cameras"]
        ports = ["--control-port", "0", "--mqtt-port", str(free_port()), *without]
        self._spawn("simulator", ["simulate", *ports, *options])
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (told := re.search(r"http://\S+[^/\s]", self.log("simulator"))):
            assert self.processes["simulator"].poll() is None, self.log("simulator")
            assert time.monotonic() < deadline, "the simulator did not start"
            time.sleep(0.05)
        self.control_url = told[0]

    def _prepare(self) -> None:
        self._start_simulator()
        config = self.folder / "edge.toml"
        quicker = re.sub(r"interval_s = \d+", f"interval_s = {_INTERVAL_S}", config.read_text())
        config.write_text(quicker)
        self.run("db", "load", "--database", self._url, str(self.folder / "site.json"))
        self.start("cloud")
        self.wait_for_cloud()
        self.run(
            "provision", "token", "--cloud", f"http://127.0.0.1:{self.cloud_port}", "--login", "manager",
            "--gateway", GATEWAY, "--credential", str(self.folder / "credential.json"),
        )  # fmt: skip

    def run(self, *arguments: str) -> None:
        """Run one of the program's commands to its end, as the manager."""
        environment = os.environ | {"GATEHOUSE_PASSWORD": PASSWORD}
        command = [sys.executable, "-m", "gatehouse", *arguments]
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"gatehouse {' '.join(arguments)}: {done.stderr}"


@contextmanager
def running_rig(folder: Path) -> Iterator[Rig]:
    """Start simulator and cloud, give the edge its identity, and end everything afterwards."""
    rig = Rig(folder, free_port(), free_port())
    try:
        rig._prepare()
        yield rig
    finally:
        for name in ("edge", "cloud", "simulator"):
            rig.stop(name)


def free_port() -> int:
    """Return a port nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
