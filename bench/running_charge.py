"""How far the running charge is behind the wire: from a reading's commit to the charge that has it.

5,000 accounts with two meters each. First every meter is read once a minute, evenly over it, as gateways
send; then all of them in the same moment, which is the worst there is. Everything between is the real
thing: blocks are taken in as from a gateway, the change goes through the hub, charges are computed and
noted, and a listener hears of each, as a page would.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence

from bench.billing_site import BOUNDS_MS, SYSTEM, TENANT, build_site
from bench.measure import integer, row, usage_of
from cloud.domain.change import RunningChargeChanged
from cloud.domain.gateway import GatewayIdentity
from cloud.domain.ids import SiteId
from cloud.live import Hub, Listener
from cloud.running import keep_running_charges
from cloud.services import billing, gateways, readings, tenants
from cloud.services.closing import close_period
from cloud.store import people
from cloud.store.db import Database, Tx
from cloud.store.migrate import upgrade
from protocol.envelope import Block, encode_readings
from protocol.reading import ClockQuality, Quality, Reading
from protocol.sync import Stream
from tests import services

ACCOUNTS = int(os.environ.get("BENCH_ACCOUNTS", "5000"))
MINUTES = 1
# A gateway of some hundred meters sends what it read in a second.
BATCHES_A_SECOND = 2
EPOCH = 7
# Ten days into November; everything before is billed.
START_MS = BOUNDS_MS[-1] + 10 * 86_400_000
GIVE_UP_S = 120
_WIDTHS = (34, 12, 10, 10, 10, 10)


class Lags:
    """Which accounts wait for their charge since when, and how long those that got it waited."""

    def __init__(self) -> None:
        self.waiting: dict[str, float] = {}
        self.seconds: list[float] = []
        self.nobody_waits = asyncio.Event()

    async def listen(self, listener: Listener) -> None:
        """Note every charge that is told, for ever."""
        while True:
            change = await listener.next()
            if isinstance(change, RunningChargeChanged):
                since = self.waiting.get(change.account_id)
                # A charge computed before the reading was committed does not have it yet.
                if since is not None and change.as_of_ms >= _ms_of(since):
                    self.seconds.append(time.monotonic() - since)
                    del self.waiting[change.account_id]
                    if not self.waiting:
                        self.nobody_waits.set()

    def begin(self, account_id: str, since_s: float) -> None:
        """Note that an account waits, if it does not already."""
        self.waiting.setdefault(account_id, since_s)
        self.nobody_waits.clear()

    def at(self, share: float) -> float:
        """Return the lag that such a share of them did not exceed."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


_BEGUN_S = time.monotonic()


def _ms_of(monotonic_s: float) -> int:
    return START_MS + int((monotonic_s - _BEGUN_S) * 1000)


def _clock() -> int:
    return _ms_of(time.monotonic())


def main() -> int:
    """Run SQLite, then PostgreSQL where there is one; return 0."""
    print(f"the charge so far of {integer(ACCOUNTS)} accounts with two meters each, after a reading")
    print(row("", "readings", "p50 s", "p99 s", "worst s", "CPU-s", widths=_WIDTHS))
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        asyncio.run(_measure("SQLite", f"sqlite:///{folder}/charges.db"))
    postgres = services.find_postgres_bin()
    if postgres is None:
        print("PostgreSQL: not found, not measured")
        return 0
    with services.running_postgres(postgres, durable=True) as server:
        asyncio.run(_measure("PostgreSQL", server.new_database()))
    return 0


async def _measure(engine: str, url: str) -> None:
    upgrade(url)
    hub = Hub(asyncio.get_running_loop())
    database = Database(url, clock=_clock, on_commit=hub.publish)
    await database.write(TENANT, tenants.ensure_tenant)
    site_id = await database.write(TENANT, build_site, ACCOUNTS)
    period = await database.write(TENANT, billing.open_period, SYSTEM, site_id, "2026-10")
    await close_period(database, TENANT, SYSTEM, period.period_id)
    accounts = await database.read(TENANT, _accounts, site_id)
    gateway = await database.read(TENANT, gateways.list_gateways, SYSTEM)
    identity = GatewayIdentity(TENANT, gateway[0].gateway_id, site_id, "gw-1")
    lags = Lags()
    feed = _Feed(database, identity, accounts, lags)
    with hub.listen(TENANT) as listener:
        hearing = asyncio.create_task(lags.listen(listener))
        keeping = asyncio.create_task(keep_running_charges(database, hub, _clock, TENANT))
        await feed.all_at_once()  # the start computes everybody: let that pass
        await feed.settled()
        for name, send in (("once a minute", feed.evenly), ("all in one moment", feed.all_at_once)):
            lags.seconds.clear()
            before, count = usage_of(os.getpid()).cpu_s, feed.sent
            await send()
            await feed.settled()
            cpu_s = usage_of(os.getpid()).cpu_s - before
            cells = (integer(feed.sent - count), lags.at(0.5), lags.at(0.99), lags.at(1.0), cpu_s)
            print(row(f"{engine}, {name}", *cells, widths=_WIDTHS), flush=True)
        for task in (hearing, keeping):
            task.cancel()
        await asyncio.wait([hearing, keeping])
    database.close()


class _Feed:
    """Lets the gateway deliver readings, and notes since when each account waits for its charge."""

    def __init__(
        self, database: Database, gateway: GatewayIdentity, accounts: Sequence[str], lags: Lags
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._accounts = accounts
        self._lags = lags
        self._round = 0
        self.sent = 0

    async def evenly(self) -> None:
        """Read every meter once a minute, some in every batch."""
        batches = 60 * BATCHES_A_SECOND
        for _ in range(MINUTES):
            self._round += 1
            begun = time.monotonic()
            for batch in range(batches):
                await self._deliver(range(batch, len(self._accounts), batches))
                await asyncio.sleep(max(0.0, begun + (batch + 1) / BATCHES_A_SECOND - time.monotonic()))

    async def all_at_once(self) -> None:
        """Read every meter in the same moment."""
        self._round += 1
        await self._deliver(range(len(self._accounts)))

    async def settled(self) -> None:
        """Wait until every account's charge has every reading."""
        async with asyncio.timeout(GIVE_UP_S):
            await self._lags.nobody_waits.wait()

    async def _deliver(self, numbers: Sequence[int]) -> None:
        rows = [
            Reading(
                f"{commodity}-{number}/total", _clock(), value, Quality.GOOD, "", ClockQuality.SYNCED, None
            )
            for number in numbers
            for commodity, value in (
                ("electricity", (50_000 + self._round) * 10_000),
                ("water", (5_000 + self._round) * 10_000),
            )
        ]
        block = Block(self.sent + 1, len(rows), encode_readings(rows))
        self.sent += len(rows)
        opened = readings.open_blocks(Stream.HISTORY, [block])
        await self._database.write(TENANT, readings.accept, self._gateway, Stream.HISTORY, EPOCH, opened)
        committed = time.monotonic()
        for number in numbers:
            self._lags.begin(self._accounts[number], committed)


def _accounts(tx: Tx, site_id: SiteId) -> list[str]:
    """Return the accounts in the order their meters are numbered."""
    return [account.account_id for _, account in sorted(people.accounts_by_number(tx, site_id).items())]
