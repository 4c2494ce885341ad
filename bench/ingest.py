"""Ingest through the real door and store, beside bare inserts into the same table.

Ours: gateways post batches as an edge does (columnar msgpack, zstd, mutual TLS) to a cloud in
a process of its own, which checks, decodes, deduplicates, keeps current values and acknowledges after
commit. Yardstick: the same rows into the same `reading` table of the same kind of database from a loop
that does nothing else: `executemany` on SQLite (WAL, synchronous=FULL), COPY on PostgreSQL; one
transaction a batch on both sides. Batches are encoded before the clock starts.
"""

import asyncio
import contextlib
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aiohttp
import msgspec
import psycopg

from bench.measure import Usage, integer, row, usage_of
from bench.site import GATEWAYS, PASSWORD, site_document
from protocol.envelope import ENVELOPE_VERSION, Ack, Batch, Block, encode_batch, encode_readings
from protocol.reading import Reading
from protocol.sync import BATCH_CONTENT_TYPE, BATCH_PATH, Stream
from provisioning.identity import Credential, read_credential
from tests import services

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

POINTS = 200  # a gateway's, one reading each a second
BLOCK_ROWS = 200  # what an edge commits together in a second
BLOCKS_PER_BATCH = (10, 50)  # ten seconds' worth, and what an edge sends to catch up after an outage
SECONDS = 400  # of each gateway's readings: 4 gateways x 400 s x 200 points = 320,000 rows a round
ROUNDS = 3
# 20,000 rows: the most a batch may hold.
_CATCH_UP_BLOCKS = 100

_START_MS = 1_790_000_000_000
_HEADERS = {"Content-Type": BATCH_CONTENT_TYPE, "Content-Encoding": "zstd"}
_RAW_INSERT = (
    "INSERT OR IGNORE INTO reading (tenant_id, series_id, measured_at_ms, epoch, seq, value_micro, quality,"
    " reason, clock_quality, received_at_ms, evidence_seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_RAW_COPY = (
    "COPY reading (tenant_id, series_id, measured_at_ms, epoch, seq, value_micro, quality,"
    " reason, clock_quality, received_at_ms, evidence_seq) FROM STDIN"
)


@dataclass(frozen=True, slots=True)
class Load:
    """The same readings, in batches of so many blocks."""

    blocks_per_batch: int

    @property
    def rows_per_batch(self) -> int:
        """Return the rows of one batch."""
        return self.blocks_per_batch * BLOCK_ROWS

    def batches(self) -> list[range]:
        """Return the seconds each batch covers."""
        return [range(at, at + self.blocks_per_batch) for at in range(0, SECONDS, self.blocks_per_batch)]


def main(rounds: int = ROUNDS) -> int:
    """Run SQLite, then PostgreSQL where there is one; return 0."""
    print(f"ingest: {GATEWAYS} gateways at once over HTTP, each batch acknowledged after its commit")
    print(row("", "rows a batch", "rows/s", "ratio", "CPU-s/100,000", "RSS MiB", widths=_WIDTHS))
    ratios: dict[tuple[str, Load], list[float]] = defaultdict(list)
    postgres = services.find_postgres_bin()
    for load in map(Load, BLOCKS_PER_BATCH):
        with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
            for number in range(rounds):
                url = f"sqlite:///{folder}/{number}"
                ratios["SQLite", load].append(
                    _compare(load, "SQLite", "executemany", f"{url}-bare.db", f"{url}-ours.db")
                )
        if postgres is None:
            print("PostgreSQL: not found, not measured")
            continue
        with services.running_postgres(postgres, durable=True) as server:
            for _ in range(rounds):
                databases = server.new_database(), server.new_database()
                ratios["PostgreSQL", load].append(_compare(load, "PostgreSQL", "COPY", *databases))
    for (engine, load), its in ratios.items():
        size = integer(load.rows_per_batch)
        print(f"ratio: {median(its):.2f} x bare {engine}, {size} rows a batch (median of {rounds})")
    return 0


_WIDTHS = (24, 14, 11, 8, 15, 9)


def _compare(load: Load, engine: str, yardstick: str, raw_url: str, our_url: str) -> float:
    for url in (raw_url, our_url):
        gatehouse("db", "upgrade", "--database", url)
    raw_rate = _raw_rate(load, raw_url)
    size = integer(load.rows_per_batch)
    print(row(f"{engine}, bare {yardstick}", size, integer(raw_rate), "", "", "", widths=_WIDTHS), flush=True)
    rate, used, rows = _our_rate(load, our_url)
    stored = _count(our_url)
    if stored != rows:
        raise RuntimeError(f"{rows} rows were acknowledged and {stored} are stored")
    cpu_s = used.cpu_s / rows * 100_000
    cells = (size, integer(rate), f"{rate / raw_rate:.2f}", cpu_s, f"{used.rss_peak_mib:.0f}")
    print(row(f"{engine}, gatehouse", *cells, widths=_WIDTHS), flush=True)
    return rate / raw_rate


def _file_of(url: str) -> str:
    """Return the path of an SQLite URL, "" for PostgreSQL."""
    return url.removeprefix("sqlite:///") if url.startswith("sqlite:") else ""


def _raw_rate(load: Load, url: str) -> float:
    batches = [list(_raw_rows(seconds)) for seconds in load.batches()]
    rows = sum(map(len, batches))
    started = time.perf_counter()
    if path := _file_of(url):
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA synchronous=FULL")
        for batch in batches:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_RAW_INSERT, batch)
            connection.execute("COMMIT")
        connection.close()
    else:
        with psycopg.connect(url.replace("+psycopg", "")) as postgres:
            for batch in batches:
                with postgres.cursor() as cursor, cursor.copy(_RAW_COPY) as copy:
                    for one in batch:
                        copy.write_row(one)
                postgres.commit()
    return rows / (time.perf_counter() - started)


def _raw_rows(seconds: range) -> Iterator[tuple[int | str | None, ...]]:
    for second in seconds:
        at_ms = _START_MS + 1000 * second
        for point in range(POINTS):
            seq = second * BLOCK_ROWS + point + 1
            yield 1, point + 1, at_ms, 1, seq, 220_000_000 + point + seq, 0, "", 0, at_ms + 900, None


def _count(url: str) -> int:
    question = "SELECT count(*) FROM reading"
    if path := _file_of(url):
        connection = sqlite3.connect(path)
        found = connection.execute(question).fetchone()
        connection.close()
    else:
        with psycopg.connect(url.replace("+psycopg", "")) as postgres:
            found = postgres.execute(question).fetchone()
    assert found is not None
    return int(found[0])


def _our_rate(load: Load, url: str) -> tuple[float, Usage, int]:
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        document = Path(folder) / "site.json"
        document.write_text(site_document())
        gatehouse("db", "load", "--database", url, str(document))
        with _cloud(url) as (address, pid):
            boxes = [_box(address, number, Path(folder)) for number in range(GATEWAYS)]
            bodies = [_bodies(load, number) for number in range(GATEWAYS)]
            before, started = usage_of(pid), time.perf_counter()
            rows = asyncio.run(_post_all(boxes, bodies))
            elapsed = time.perf_counter() - started
            after = usage_of(pid)
    return rows / elapsed, Usage(after.cpu_s - before.cpu_s, after.rss_peak_mib), rows


def _bodies(load: Load, gateway: int) -> list[bytes]:
    """Return a gateway's batches, encoded and compressed as its edge would."""
    bodies = []
    for seconds in load.batches():
        blocks = []
        for second in seconds:
            at_ms, first = _START_MS + 1000 * second, second * BLOCK_ROWS + 1
            readings = [Reading(_key(k), at_ms, 220_000_000 + gateway + first + k) for k in range(POINTS)]
            blocks.append(Block(first, len(readings), encode_readings(readings)))
        batch = Batch(ENVELOPE_VERSION, Stream.HISTORY.value, 1, "bench", _START_MS, blocks)
        bodies.append(zstd.compress(encode_batch(batch), level=3))
    return bodies


def history_bodies(gateway: int, began_ms: int, minutes: int) -> list[bytes]:
    """Return the batches of a gateway that was cut off for so many minutes: a block a minute."""
    bodies = []
    for first_minute in range(0, minutes, _CATCH_UP_BLOCKS):
        blocks = []
        for minute in range(first_minute, min(minutes, first_minute + _CATCH_UP_BLOCKS)):
            at_ms, first = began_ms + 60_000 * minute, minute * POINTS + 1
            readings = [Reading(_key(k), at_ms, 220_000_000 + gateway + first + k) for k in range(POINTS)]
            blocks.append(Block(first, POINTS, encode_readings(readings)))
        batch = Batch(ENVELOPE_VERSION, Stream.HISTORY.value, 1, "bench", began_ms, blocks)
        bodies.append(zstd.compress(encode_batch(batch), level=3))
    return bodies


def free_ports(count: int) -> list[int]:
    """Return ports nobody listens on just now."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _key(point: int) -> str:
    return f"meter-{point // 20}/{_NAMES[point % 20]}"


_NAMES = (
    "voltage_a", "voltage_b", "voltage_c", "current_a", "current_b", "current_c", "active_power",
    "active_power_a", "active_power_b", "active_power_c", "reactive_power", "apparent_power", "power_factor",
    "frequency", "active_energy_import", "active_energy_export", "reactive_energy_import",
    "reactive_energy_export", "temperature", "run_time",
)  # fmt: skip


async def _post_all(boxes: list[Credential], bodies: list[list[bytes]]) -> int:
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as lanes:
        tasks = [lanes.create_task(_post(session, *lane)) for lane in zip(boxes, bodies, strict=True)]
    return sum(task.result() for task in tasks)


async def _post(session: aiohttp.ClientSession, box: Credential, bodies: list[bytes]) -> int:
    """Post one gateway's batches one after the other, as its edge does; return the rows acknowledged."""
    tls = box.tls_context(_START_MS)
    url = box.cloud_url + BATCH_PATH.format(stream=Stream.HISTORY.value)
    acked_through = 0
    for body in bodies:
        async with session.post(url, data=body, headers=_HEADERS, ssl=tls) as answer:
            content = await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"the cloud answered {answer.status}: {content[:500]!r}")
        ack = msgspec.json.decode(content, type=Ack)
        if ack.problems:
            raise RuntimeError(f"the cloud had problems: {ack.problems}")
        acked_through = ack.acked_through
    return acked_through


@contextmanager
def _as_superuser() -> Iterator[str]:
    """Return a folder with a configuration for the throw-away server, whose only role is its superuser."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "cloud.toml").write_text("[database]\nallow_superuser = true\n", encoding="utf-8")
        yield folder


@contextmanager
def _cloud(url: str) -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-m", "gatehouse", "cloud", "serve", "--database", url, "--port", "0"]
    with (
        _as_superuser() as folder,
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            [*command, "--command-key", f"{folder}/command.key", "--config", f"{folder}/cloud.toml"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout
            found = re.search(r"http://\S+", process.stdout.readline())
            if not found:
                log.seek(0)
                raise RuntimeError(f"the cloud did not start:\n{log.read()}")
            yield found[0], process.pid
        finally:
            process.terminate()


def _box(address: str, number: int, folder: Path) -> Credential:
    path = folder / f"{number}.json"
    gatehouse(
        "provision", "token", "--cloud", address, "--login", "manager", "--gateway", f"gw-{number}",
        "--credential", str(path),
    )  # fmt: skip
    return read_credential(path)


def gatehouse(*arguments: str) -> str:
    """Run the program; RuntimeError with what it said if it fails."""
    environment = os.environ | {"GATEHOUSE_PASSWORD": PASSWORD}
    command = [sys.executable, "-m", "gatehouse", *arguments]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"gatehouse {' '.join(arguments)}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
