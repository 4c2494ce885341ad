"""The lanes against a cloud that loses, delays and lies: rows go only when their own bytes are named."""

import asyncio
import contextlib
import hashlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

import edge.cloud_client
import edge.uplink
from edge.buffer import Buffer
from edge.cloud_client import CloudClient
from edge.errors import CloudFault
from edge.greeter import Greeter
from edge.identity import Identity
from edge.uplink import Lane
from protocol.envelope import Ack, Batch, Problem, decode_batch, decode_readings
from protocol.event import Event, EventState, Severity
from protocol.greeting import Hello, Welcome
from protocol.reading import Reading
from protocol.sync import BATCH_CONTENT_TYPE, BATCH_PATH, HELLO_PATH, Stream
from provisioning.authority import GatewayName
from provisioning.config import BufferSettings
from provisioning.identity import Credential
from tests.edge.building_blocks import ToldClock, reading, rng


class NoPause(random.Random):
    """Chance that never makes us wait."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


Behaviour = Callable[[Ack], "web.StreamResponse | None"]


@dataclass
class FakeCloud:
    """Takes batches as the real one does; `behave` may answer something else instead."""

    bodies: list[bytes] = field(default_factory=list)
    rows: dict[int, Reading] = field(default_factory=dict)
    acked: dict[str, int] = field(default_factory=lambda: {"event": 0, "history": 0})
    headers: list[dict[str, str]] = field(default_factory=list)
    hellos: list[Hello] = field(default_factory=list)
    behave: Behaviour = lambda _: None
    problems: list[Problem] = field(default_factory=list)
    stuck: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.stuck.set()

    async def batch(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if not self.stuck.is_set():
            await self.stuck.wait()
            return web.Response(status=503)
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        stream = Stream(request.match_info["stream"])
        batch: Batch = decode_batch(body, stream)
        for block in batch.blocks:
            if stream is Stream.HISTORY and block.payload:
                for seq, row in enumerate(decode_readings(block.payload, block.count), block.first_seq):
                    assert self.rows.get(seq, row) == row, "a number was used for two rows"
                    self.rows[seq] = row
            self.acked[stream.value] = max(self.acked[stream.value], block.last_seq)
        ack = Ack(
            stream.value,
            batch.epoch,
            self.acked[stream.value],
            hashlib.sha256(body).hexdigest(),
            1,
            [],
            self.problems,
        )
        return self.behave(ack) or web.Response(body=msgspec.json.encode(ack))

    async def hello(self, request: web.Request) -> web.StreamResponse:
        self.hellos.append(msgspec.json.decode(await request.read(), type=Hello))
        return web.Response(body=msgspec.json.encode(Welcome("gw-1", 1_000, dict(self.acked))))


def identity_at(url: str) -> Identity:
    """A box's identity where no certificate is asked for."""
    name = GatewayName(1, "00000000-0000-7000-8000-000000000001")
    return Identity(Credential(url, "gw-1", name), 0)


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[FakeCloud, Buffer, CloudClient, Lane]]:
    cloud = FakeCloud()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post(BATCH_PATH, cloud.batch)
    app.router.add_post(HELLO_PATH, cloud.hello)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    identity = identity_at(f"http://127.0.0.1:{port}")
    settings = BufferSettings(folder / "buffer.sqlite", 1, 1 << 30)
    try:
        async with Buffer(settings, ToldClock(), rng()) as buffer, CloudClient(identity) as client:
            lane = Lane(Stream.HISTORY, buffer, client, "boot", ToldClock(), NoPause())
            yield cloud, buffer, client, lane
    finally:
        await runner.cleanup()


async def put(buffer: Buffer, *values: int) -> None:
    buffer.put([reading("em/a", value) for value in values])
    await buffer.flush()


async def pending(buffer: Buffer) -> int:
    return (await buffer.state()).streams[Stream.HISTORY].pending_rows


async def test_acknowledged_rows_are_deleted(tmp_path: Path) -> None:
    async with running(tmp_path) as (cloud, buffer, _, lane):
        await put(buffer, 1, 2, 3)

        assert await lane.send_next()
        assert not await lane.send_next()

        assert await pending(buffer) == 0
        assert [row.value_micro for row in cloud.rows.values()] == [1, 2, 3]
        assert lane.state.acked_rows == 3


async def test_a_batch_is_compressed(tmp_path: Path) -> None:
    async with running(tmp_path) as (cloud, buffer, _, lane):
        await put(buffer, *range(500))
        await lane.send_next()

        headers = cloud.headers[0]
        assert headers["Content-Encoding"] == "zstd"
        assert headers["Content-Type"] == BATCH_CONTENT_TYPE
        assert lane.state.sent_bytes < len(cloud.bodies[0]) / 2


async def test_without_zstd_gzip_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge.uplink, "zstd", None)
    async with running(tmp_path) as (cloud, buffer, _, lane):
        await put(buffer, 1)
        await lane.send_next()

        assert cloud.headers[0]["Content-Encoding"] == "gzip"
        assert len(cloud.rows) == 1


async def test_a_lost_acknowledgement_makes_the_same_bytes_go_again(tmp_path: Path) -> None:
    async with running(tmp_path) as (cloud, buffer, _, lane):
        await put(buffer, 1, 2)
        cloud.behave = lambda _: web.Response(status=502)
        await lane.send_next()
        await put(buffer, 3)  # must not change the batch under way
        await lane.send_next()
        assert await pending(buffer) == 3

        cloud.behave = lambda _: None
        await lane.send_next()
        await lane.send_next()

        assert cloud.bodies[0] == cloud.bodies[1] == cloud.bodies[2]
        assert await pending(buffer) == 0
        assert [row.value_micro for row in cloud.rows.values()] == [1, 2, 3]


def changed(**changes: object) -> Behaviour:
    return lambda ack: web.Response(body=msgspec.json.encode(msgspec.structs.replace(ack, **changes)))


@pytest.mark.parametrize(
    ("behave", "told"),
    [
        pytest.param(changed(batch_digest="0" * 64), "other bytes than were sent", id="other digest"),
        pytest.param(changed(stream="event"), "acknowledges stream 'event'", id="other stream"),
        pytest.param(changed(epoch=1), "of epoch 1", id="other epoch"),
        pytest.param(changed(acked_through=0), "took none from 1 on", id="nothing taken"),
        pytest.param(
            lambda _: web.Response(text="<html>Welcome to the hotel WLAN</html>", content_type="text/html"),
            "no acknowledgement",
            id="captive portal",
        ),
        pytest.param(lambda _: web.Response(status=204), "the cloud answered 204", id="no content"),
        pytest.param(
            lambda _: web.Response(status=302, headers={"Location": "/"}),
            "the cloud answered 302",
            id="redirect",
        ),
        pytest.param(lambda _: web.Response(status=401), "the cloud answered 401", id="not known"),
        pytest.param(lambda _: web.Response(body=b"x" * 2_000_000), "longer than", id="endless answer"),
    ],
)
async def test_no_row_goes_on_the_word_of_anything_else(tmp_path: Path, behave: Behaviour, told: str) -> None:
    async with running(tmp_path) as (cloud, buffer, _, lane):
        await put(buffer, 1, 2)
        cloud.behave = behave

        await lane.send_next()

        assert await pending(buffer) == 2
        assert told in lane.state.fault
        cloud.behave = lambda _: None
        await lane.send_next()
        assert await pending(buffer) == 0
        assert lane.state.fault == ""


async def test_a_cloud_that_is_away_is_a_fault_and_nothing_is_lost(tmp_path: Path) -> None:
    async with (
        running(tmp_path) as (_, buffer, _, _),
        CloudClient(identity_at("http://127.0.0.1:1")) as away,
    ):
        lane = Lane(Stream.HISTORY, buffer, away, "boot", ToldClock(), NoPause())
        await put(buffer, 1)

        await lane.send_next()

        assert "cannot reach the cloud" in lane.state.fault
        assert await pending(buffer) == 1


async def test_an_attempt_has_a_total_deadline_and_the_next_batch_is_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge.cloud_client, "ATTEMPT_TIMEOUT_S", 0.2)
    monkeypatch.setattr(edge.uplink, "ROWS_PER_BATCH_MAX", 200)
    async with running(tmp_path) as (cloud, buffer, _, lane):
        for _ in range(200):
            await put(buffer, 1)
        cloud.stuck = asyncio.Event()
        await lane.send_next()

        assert "no answer within 0.2 s" in lane.state.fault
        cloud.stuck.set()
        await lane.send_next()
        assert cloud.acked["history"] == 100


async def test_retry_after_is_obeyed(tmp_path: Path) -> None:
    async with running(tmp_path) as (cloud, buffer, _, lane):
        await put(buffer, 1)
        cloud.behave = lambda _: web.Response(status=429, headers={"Retry-After": "1"})
        began = asyncio.get_running_loop().time()

        await lane.send_next()

        assert asyncio.get_running_loop().time() - began >= 1.0


async def test_a_block_with_a_problem_is_put_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path) as (cloud, buffer, _, lane):
        await put(buffer, 1)
        await put(buffer, 2)
        cloud.problems = [Problem(1, "malformed", "row 1 is not")]

        await lane.send_next()

        state = (await buffer.state()).streams[Stream.HISTORY]
        assert (state.put_aside_rows, state.acked_rows, state.pending_rows) == (1, 1, 0)


async def test_a_stuck_history_lane_delays_no_event(tmp_path: Path) -> None:
    async with running(tmp_path) as (cloud, buffer, client, history):
        release = asyncio.Event()
        cloud.behave = lambda ack: web.Response(status=503) if ack.stream == "history" else None
        async with CloudClient(client._identity) as other:
            events = Lane(Stream.EVENT, buffer, other, "boot", ToldClock(), rng())
            await put(buffer, *range(100))
            tasks = [asyncio.ensure_future(lane.run()) for lane in (history, events)]
            happened = Event("k", EventState.OCCURRED, Severity.INFO, "a/b", 1, "m")
            buffer.put([], [happened])
            await buffer.flush()
            async with asyncio.timeout(2):
                while cloud.acked["event"] < 1:
                    await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            release.set()

        assert await pending(buffer) == 100


async def test_events_that_were_over_before_they_could_be_sent_are_named_across_batches(
    tmp_path: Path,
) -> None:
    def leak(state: EventState, place: int) -> Event:
        return Event("water_leak", state, Severity.MAJOR, f"leak-{place}/water_leak", 1, "m")

    async with running(tmp_path) as (cloud, buffer, client, _), CloudClient(client._identity) as other:
        lane = Lane(Stream.EVENT, buffer, other, "boot", ToldClock(), rng())
        for state, places in ((EventState.RAISED, 150), (EventState.CLEARED, 140)):
            for place in range(places):
                buffer.put([], [leak(state, place)])
                await buffer.flush()
        lane._rows_max = 100  # as after a slow link
        while await lane.send_next():
            pass

        batches = [decode_batch(body, Stream.EVENT) for body in cloud.bodies]

    # Beginnings whose end was in the second batch, and those ends; of the rest both are in it, or one holds.
    assert [batch.over for batch in batches] == [list(range(1, 101)), list(range(151, 251))]


async def test_with_answers_lost_at_random_the_cloud_ends_with_every_row_once(
    tmp_path: Path,
) -> None:
    chance = random.Random(4)
    async with running(tmp_path) as (cloud, buffer, _, lane):
        cloud.behave = lambda _: web.Response(status=500) if chance.random() < 0.4 else None
        expected: list[int] = []
        for i in range(40):
            values = [i * 100 + k for k in range(chance.randrange(1, 30))]
            expected += values
            await put(buffer, *values)
            await lane.send_next()
        while await lane.send_next():
            pass

        assert [cloud.rows[seq].value_micro for seq in sorted(cloud.rows)] == expected
        assert sorted(cloud.rows) == list(range(1, len(expected) + 1))
        assert await pending(buffer) == 0


async def test_hello_is_answered_by_welcome(tmp_path: Path) -> None:
    async with running(tmp_path) as (cloud, buffer, client, _):
        said = Hello("0.1.0", "boot", buffer.epoch, "v", 0, {"event": 0, "history": 7}, None, 3, 1)
        welcomes: list[Welcome] = []

        async def hello() -> Hello:
            return said

        await Greeter(client, hello, welcomes.append, rng()).greet()

        assert cloud.hellos == [said]
        assert welcomes[0].server_time_ms == 1_000


async def test_a_welcome_that_is_none_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lie(*_: object) -> bytes:
        return b"<html>"

    async with running(tmp_path) as (_, buffer, client, _):
        monkeypatch.setattr(CloudClient, "post", lie)

        async def hello() -> Hello:
            return Hello("0.1.0", "boot", buffer.epoch, "v", 0, {}, None, 0, 0)

        with pytest.raises(CloudFault, match="no welcome"):
            await Greeter(client, hello, lambda _: None, rng()).greet()


async def test_a_cloud_that_answers_again_ends_a_lanes_pause(tmp_path: Path) -> None:
    class Patient(random.Random):
        """Chance that always draws the longest pause."""

        def uniform(self, a: float, b: float) -> float:
            return 3_600.0

    async with running(tmp_path) as (cloud, buffer, client, _):
        answers = iter([web.Response(status=502)])
        cloud.behave = lambda _: next(answers, None)
        lane = Lane(Stream.HISTORY, buffer, client, "boot", ToldClock(), Patient())
        await put(buffer, 1)
        async with asyncio.TaskGroup() as group:
            paused = group.create_task(lane.send_next())
            while not lane.state.fault:
                await asyncio.sleep(0.01)
            lane.heed(Welcome("gw-1", 1_000, {}))
            await asyncio.wait_for(paused, 20)
        await lane.send_next()

        assert len(cloud.rows) == 1
        assert await pending(buffer) == 0


async def test_rows_the_cloud_lost_since_it_was_last_greeted_are_offered_at_the_next_welcome(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as (cloud, buffer, client, lane):

        async def hello() -> Hello:
            return Hello("0.1.0", "boot", buffer.epoch, "v", 0, {}, None, 0, 0)

        greeter = Greeter(client, hello, lambda _: None, rng())
        lane.listen_to(greeter)
        await greeter.greet()
        await put(buffer, 1)
        await lane.send_next()  # acknowledged, and then the cloud goes back to before that
        cloud.rows.clear()
        cloud.acked["history"] = 0

        await greeter.greet()  # says it has nothing
        assert buffer.grown[Stream.HISTORY].is_set()
        while await lane.send_next():
            pass

        assert [row.value_micro for row in cloud.rows.values()] == [1]
