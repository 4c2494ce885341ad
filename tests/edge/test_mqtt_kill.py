"""The real agent, killed with SIGKILL again and again while a real broker has messages for it."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import aiomqtt
import msgspec

from edge.buffer import Buffer
from edge.health import Health
from protocol.envelope import decode_readings
from protocol.quantity import MICRO
from protocol.sync import Stream
from provisioning.config import BufferSettings
from tests.edge.building_blocks import ToldClock, rng
from tests.edge.test_mqtt import broker, free_port

KILLS, MESSAGES = 4, 400
CONFIG = """
[gateway]
code = "gw-1"
time_zone = "Asia/Shanghai"
[buffer]
path = "buffer.sqlite"
commit_interval_ms = 200
[page]
port = {page}
[[lines]]
id = "broker"
transport = "mqtt"
host = "127.0.0.1"
port = {port}
[[devices]]
id = "meter-7"
line = "broker"
profile = "json_meter"
address = "site/meter-7"
"""


def agent(folder: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "edge", "--log-level", "error", "run", str(folder / "edge.toml")]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdin=subprocess.DEVNULL)


async def stored(folder: Path) -> set[int]:
    """The values on the agent's disk."""
    settings = BufferSettings(folder / "buffer.sqlite", 1000, 1 << 30)
    async with Buffer(settings, ToldClock(), rng()) as buffer:
        blocks = await buffer.peek(Stream.HISTORY, blocks_max=100_000, rows_max=1 << 20, bytes_max=1 << 30)
    readings = [reading for block in blocks for reading in decode_readings(block.payload, block.count)]
    return {r.value_micro // MICRO for r in readings if r.value_micro is not None}


async def test_no_message_is_lost_however_often_the_agent_is_killed(
    tmp_path: Path, mosquitto_path: Path
) -> None:
    port, page, chance = free_port(), free_port(), random.Random(7)
    (tmp_path / "edge.toml").write_text(CONFIG.format(port=port, page=page))
    async with broker(mosquitto_path, tmp_path, port), aiomqtt.Client("127.0.0.1", port) as device:
        running = agent(tmp_path)
        try:
            await _until_shown(page, 0, device)
            kills = {chance.randrange(MESSAGES) for _ in range(KILLS)}
            for number in range(1, MESSAGES + 1):
                await device.publish("site/meter-7", f'{{"power_kw":{number}}}', qos=1)
                await asyncio.sleep(0.005)
                if number in kills:
                    os.kill(running.pid, signal.SIGKILL)
                    await asyncio.to_thread(running.wait)
                    running = agent(tmp_path)
            await _until_shown(page, MESSAGES)  # in order: then all before it have been taken in
        finally:
            running.terminate()
            await asyncio.to_thread(running.wait, 30)

    assert await stored(tmp_path) == set(range(MESSAGES + 1))


async def _until_shown(page: int, wanted: int, device: aiomqtt.Client | None = None) -> None:
    """Wait until the agent's page shows a value; a device says it again and again until somebody listens."""
    url = f"http://127.0.0.1:{page}/status.json"
    async with asyncio.timeout(90), aiohttp.ClientSession() as session:
        while True:
            if device is not None:
                await device.publish("site/meter-7", f'{{"power_kw":{wanted}}}', qos=1)
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as answer:
                    health = msgspec.json.decode(await answer.read(), type=Health)
                if any(
                    p.key == "meter-7/active_power" and p.value_micro == wanted * MICRO for p in health.points
                ):
                    return
            await asyncio.sleep(0.2)
