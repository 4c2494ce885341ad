"""Running one cloud process: listen, say where, stop when asked.

The invariant: a stop signal ends it in order (no new connection, streams told to end, requests finished
within the configured time, then jobs, then the database), and a second one changes nothing.
"""

import asyncio
import contextlib
import datetime
import gc
import logging
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec
from aiohttp import web

from cloud.app import make_app
from cloud.authority import Authority
from cloud.config import Config, ConfigError, Http, Role, gateway_host, gateway_names, gateway_port
from cloud.keys import AUTHORITY
from cloud.store.db import Clock

log = logging.getLogger(__name__)

# A thousand boxes come back at once after an outage; what does not fit here waits for its next attempt.
_BACKLOG = 1024
# How long a thread may compute before another has its turn: an event goes through five threads' hands, and
# at Python's 5 ms each of them would wait for a backlog's every time.
_SWITCH_INTERVAL_S = 0.001
# The certificate lives a month; made anew every day nobody ever sees its end.
_CERTIFIED_ANEW_S = 24 * 3600.0


async def serve(config: Config, *, clock: Clock, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `announce` gets the address once requests are answered."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    listening = _listen(config)
    if listening is not None:
        # Known before the application is made: the port the system chose stands in enrolment tokens.
        gateways = msgspec.structs.replace(config.gateways, port=listening.getsockname()[1])
        config = msgspec.structs.replace(config, gateways=gateways)
    app = make_app(config, clock=clock)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=config.http.shutdown_timeout_s)
    await runner.setup()
    _answer_promptly()
    try:
        tls = _tls(config.http)
        site = web.TCPSite(runner, config.http.host, config.http.port, ssl_context=tls)
        try:
            await site.start()
        except OSError as error:
            where = f"http.host {config.http.host!r}, http.port {config.http.port}"
            raise ConfigError(f"{where}: cannot listen there: {error.strerror or error}") from error
        announce(f"{'http' if tls is None else 'https'}://{_host_in_url(config.http.host)}:{site.port}")
        async with _gateways_served(config, runner, app[AUTHORITY], clock, listening):
            log.info("serving", extra={"role": config.role.value, "port": site.port})
            await stop.wait()
            log.info("stopping")
    finally:
        await runner.cleanup()


def _answer_promptly() -> None:
    """Let nothing hold the interpreter for long."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    # The program itself is for ever: to look through it for garbage again and again takes half a second.
    gc.collect()
    gc.freeze()


def _listen(config: Config) -> socket.socket | None:
    """Return the socket gateways come to, None where this process does not serve them."""
    if config.role not in (Role.ALL, Role.INGEST):
        return None
    host, port = gateway_host(config), gateway_port(config)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        where = f"gateways.host {host!r}, gateways.port {port}"
        raise ConfigError(f"{where}: cannot listen there: {error.strerror or error}") from error


@contextlib.asynccontextmanager
async def _gateways_served(
    config: Config, runner: web.AppRunner, authority: Authority, clock: Clock, listening: socket.socket | None
) -> AsyncIterator[None]:
    """Serve gateways on their port, and a proxy of this machine on its socket."""
    if listening is None:
        yield
        return
    names = gateway_names(config)
    tls = authority.tls_context(names, _now(clock))
    await web.SockSite(runner, listening, ssl_context=tls).start()
    if config.gateways.socket:
        path = Path(config.gateways.socket)
        await web.UnixSite(runner, path).start()
        # For the proxy's group: whoever can write to it can be any gateway.
        await asyncio.to_thread(path.chmod, 0o660)
    log.info("serving gateways", extra={"port": listening.getsockname()[1]})
    keeping = asyncio.get_running_loop().create_task(_keep_certified(authority, tls, names, clock))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])


async def _keep_certified(
    authority: Authority, tls: ssl.SSLContext, names: Sequence[str], clock: Clock
) -> None:
    while True:
        await asyncio.sleep(_CERTIFIED_ANEW_S)
        authority.show(tls, names, _now(clock))


def _now(clock: Clock) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(clock() / 1000, datetime.UTC)


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
