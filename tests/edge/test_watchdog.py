"""systemd hears of the agent while its event loop turns, and only then."""

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.watchdog import Watchdog
from provisioning.image import unit_text

WITHIN_S = 0.3


@pytest.fixture
def notified(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(30)
        yield listening


def asked(notified: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": notified.getsockname(), "WATCHDOG_USEC": str(int(WITHIN_S * 1e6)), **more}


async def test_it_is_told_while_the_loop_turns_and_not_while_it_is_stuck(notified: socket.socket) -> None:
    telling = asyncio.create_task(Watchdog(asked(notified), os.getpid()).run())
    try:
        for _ in range(3):
            assert await asyncio.to_thread(notified.recv, 64) == b"WATCHDOG=1"
        notified.setblocking(False)
        time.sleep(2 * WITHIN_S)  # the loop is stuck
        heard = 0
        while True:
            try:
                notified.recv(64)
            except BlockingIOError:
                break
            heard += 1
        assert heard <= 1  # sent before it was stuck
    finally:
        telling.cancel()


@pytest.mark.parametrize(
    "environment", [{}, {"WATCHDOG_USEC": "300000"}, {"NOTIFY_SOCKET": "/nowhere"}, {"WATCHDOG_PID": "1"}]
)
async def test_where_nobody_watches_nothing_is_told(
    environment: dict[str, str], notified: socket.socket
) -> None:
    if "WATCHDOG_PID" in environment:  # another process is watched
        environment = asked(notified, **environment)
    telling = asyncio.create_task(Watchdog(environment, os.getpid()).run())
    done, _ = await asyncio.wait([telling], timeout=0.2)
    telling.cancel()

    assert not done
    notified.setblocking(False)
    with pytest.raises(BlockingIOError):
        notified.recv(64)


def test_the_service_asks_for_it() -> None:
    assert "WatchdogSec=120\nNotifyAccess=main\n" in unit_text()
