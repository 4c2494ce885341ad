"""Tells systemd that the agent's event loop still turns; whose does not is started anew.

Where nobody watches (no `WatchdogSec=`, or not under systemd) nothing is told. As in sd_notify(3) and
sd_watchdog_enabled(3).
"""

import asyncio
import os
import socket
from collections.abc import Mapping

# Told this often within the time after which systemd gives us up.
_TOLD_WITHIN = 3


class Watchdog:
    """Run it as a part of the agent."""

    def __init__(self, environment: Mapping[str, str], pid: int) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        is_ours = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        within_us = environment.get("WATCHDOG_USEC", "") if is_ours and self._address else ""
        self._interval_s = int(within_us) / 1_000_000 / _TOLD_WITHIN if within_us.isdecimal() else 0.0

    async def run(self) -> None:
        """Tell it for ever, if somebody wants to know."""
        if not self._interval_s:
            await asyncio.Event().wait()
        # "@" stands for the zero byte of a name that is in no folder.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notified:
            notified.setblocking(False)
            notified.connect(address)
            while True:
                notified.send(b"WATCHDOG=1")
                await asyncio.sleep(self._interval_s)


def this_watchdog() -> Watchdog:
    """Return the one that systemd asked this process for."""
    return Watchdog(os.environ, os.getpid())
