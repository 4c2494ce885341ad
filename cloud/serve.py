"""Running one cloud process: listen, say where, stop when asked.

The invariant: a stop signal ends it in order (no new connection, streams told to end, requests finished
within the configured time, then jobs, then the database), and a second one changes nothing.
"""

import asyncio
import logging
import signal
from collections.abc import Callable

from aiohttp import web

from cloud.app import make_app
from cloud.config import Config, ConfigError
from cloud.store.db import Clock

log = logging.getLogger(__name__)


async def serve(config: Config, *, clock: Clock, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `announce` gets the address once requests are answered."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(
        make_app(config, clock=clock), access_log=None, shutdown_timeout=config.http.shutdown_timeout_s
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, config.http.host, config.http.port)
        try:
            await site.start()
        except OSError as error:
            where = f"http.host {config.http.host!r}, http.port {config.http.port}"
            raise ConfigError(f"{where}: cannot listen there: {error.strerror or error}") from error
        announce(f"http://{_host_in_url(config.http.host)}:{site.port}")
        log.info("serving", extra={"role": config.role.value, "port": site.port})
        await stop.wait()
        log.info("stopping")
    finally:
        await runner.cleanup()


def _host_in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
