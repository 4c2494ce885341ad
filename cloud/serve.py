"""Running one cloud process: listen, say where, stop when asked.

The invariant: a stop signal ends it in order (no new connection, streams told to end, requests finished
within the configured time, then jobs, then the database), and a second one changes nothing.
"""

import asyncio
import logging
import signal
import ssl
from collections.abc import Callable

from aiohttp import web

from cloud.app import make_app
from cloud.config import Config, ConfigError, Http
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
        tls = _tls(config.http)
        site = web.TCPSite(runner, config.http.host, config.http.port, ssl_context=tls)
        try:
            await site.start()
        except OSError as error:
            where = f"http.host {config.http.host!r}, http.port {config.http.port}"
            raise ConfigError(f"{where}: cannot listen there: {error.strerror or error}") from error
        announce(f"{'http' if tls is None else 'https'}://{_host_in_url(config.http.host)}:{site.port}")
        log.info("serving", extra={"role": config.role.value, "port": site.port})
        await stop.wait()
        log.info("stopping")
    finally:
        await runner.cleanup()


def _tls(http: Http) -> ssl.SSLContext | None:
    if not http.tls_certificate_file:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # browsers; boxes themselves insist on 1.3
    try:
        context.load_cert_chain(http.tls_certificate_file, http.tls_key_file)
    except (OSError, ssl.SSLError) as error:
        files = f"{http.tls_certificate_file}, {http.tls_key_file}"
        raise ConfigError(f"http.tls_certificate_file, http.tls_key_file ({files}): {error}") from error
    return context


def _host_in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
