"""The wiring: configuration in, a running cloud out. Nothing is decided here, only put together.

The invariant: what is opened here is closed here, in the opposite order, whatever happened between; the
clock is handed in, so that a test moves time.
"""

import asyncio
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from aiohttp import web

from cloud import authority, privacy_key
from cloud.api.door import API
from cloud.carriers import Carriers
from cloud.command_key import load_or_make
from cloud.config import (
    DEFAULT_TENANT,
    Config,
    Role,
    authority_folder,
    authority_password,
    command_key_path,
    database_url,
)
from cloud.console.routes import CONSOLE
from cloud.dispatch import DISPATCH
from cloud.domain.user import SessionLimits
from cloud.enrolment import ENROLMENT
from cloud.ingest import INGEST
from cloud.jobs import Jobs
from cloud.keys import (
    AUTHORITY,
    CLOCK,
    COMMAND_KEY,
    CONFIG,
    DATABASE,
    KEYRING,
    LIVE,
    PASSWORDS,
    PRESS,
    PROVIDERS,
    SESSION_LIMITS,
)
from cloud.live import Hub
from cloud.notice_lane import NoticeLane
from cloud.offers import OFFERS
from cloud.order_watch import OrderWatch
from cloud.outbox import Outbox
from cloud.picture_door import PICTURES
from cloud.press.room import PressRoom
from cloud.provider_door import PROVIDER_DOOR
from cloud.providers import providers_of
from cloud.running import keep_every_company
from cloud.services import tenants, webhooks
from cloud.services.passwords import Passwords
from cloud.store.db import Clock, Database, is_embedded
from cloud.store.relay import Relay
from cloud.supervisor import supervised
from cloud.web.bill_runs import bill_runs
from cloud.web.door import Door
from cloud.web.headers import add_security_headers
from cloud.web.health import HEALTH
from cloud.web.printing import print_runs
from cloud.web.request_log import request_middleware
from cloud.webhook_lane import WebhookLane
from protocol.sync import BATCH_BYTES_MAX

# Each door of its own package; `Door` says what one consists of.
DOORS: Mapping[str, Door] = MappingProxyType(
    {
        "api": API,
        "console": CONSOLE,
        "dispatch": DISPATCH,
        "enrolment": ENROLMENT,
        "health": HEALTH,
        "ingest": INGEST,
        "providers": PROVIDER_DOOR,
        "offers": OFFERS,
        "pictures": PICTURES,
    }
)

_DOORS_OF_ROLE: Mapping[Role, tuple[str, ...]] = MappingProxyType(
    {
        Role.ALL: tuple(DOORS),
        Role.API: ("api", "console", "health", "providers"),
        Role.INGEST: ("dispatch", "enrolment", "health", "ingest", "offers", "pictures"),
        Role.JOBS: ("health",),
    }
)


def make_app(config: Config, *, clock: Clock) -> web.Application:
    """Return the application of one process: the doors its role opens, and what they stand on."""
    doors = [DOORS[name] for name in _DOORS_OF_ROLE[config.role]]
    app = web.Application(
        middlewares=[request_middleware(doors)],
        # The largest body any door takes, after decompression; the API and the console take less.
        client_max_size=BATCH_BYTES_MAX,
    )
    app[CONFIG] = config
    app[CLOCK] = clock
    now = datetime.datetime.fromtimestamp(clock() / 1000, datetime.UTC)
    app[AUTHORITY] = authority.load_or_make(authority_folder(config), authority_password(config), now)
    app[COMMAND_KEY] = load_or_make(command_key_path(config))
    app[KEYRING] = privacy_key.keyring_of(privacy_key.privacy_key_path(config))
    app[PROVIDERS] = providers_of(config)
    app[SESSION_LIMITS] = SessionLimits(
        idle_ms=config.sessions.idle_timeout_s * 1000, absolute_ms=config.sessions.absolute_timeout_s * 1000
    )
    app.on_response_prepare.append(add_security_headers)
    app.cleanup_ctx.append(_database)
    app.cleanup_ctx.append(print_runs)
    app.cleanup_ctx.append(bill_runs)
    if config.role in (Role.ALL, Role.JOBS):
        app.cleanup_ctx.append(_background)
    app.on_shutdown.append(_end_streams)
    for door in doors:
        door.mount(app)
    return app


async def _database(app: web.Application) -> AsyncIterator[None]:
    loop, url = asyncio.get_running_loop(), database_url(app[CONFIG].database)
    hub = Hub(loop)
    relay = None if is_embedded(url) else Relay(url, loop, heard=hub.publish, missed=hub.miss)

    def tell(changes: Sequence[object]) -> None:
        hub.publish(changes)
        if relay is not None:
            relay.tell(changes)

    database = Database(
        url,
        clock=app[CLOCK],
        on_commit=tell,
        before_commit=webhooks.enqueue,
        keyring=app[KEYRING],
    )
    app[LIVE], app[DATABASE], app[PASSWORDS], app[PRESS] = hub, database, Passwords(), PressRoom()
    # Not in a TaskGroup: start-up and clean-up of an application may run in different tasks.
    carrying = None if relay is None else loop.create_task(relay.run(), name="relay")
    try:
        await database.write(DEFAULT_TENANT, tenants.ensure_tenant)
        yield
    finally:
        if carrying is not None:
            carrying.cancel()
            await asyncio.wait([carrying])
        await asyncio.to_thread(app[PASSWORDS].close)
        await asyncio.to_thread(app[PRESS].close)
        await asyncio.to_thread(database.close)


async def _background(app: web.Application) -> AsyncIterator[None]:
    """Keep going what nobody asks for: it follows what is committed and the calendar."""
    database, loop = app[DATABASE], asyncio.get_running_loop()
    work: dict[str, Callable[[], Awaitable[None]]] = {
        "jobs": Jobs(database, app[SESSION_LIMITS], app[CLOCK]()).run,
        "orders": OrderWatch(database, app[PROVIDERS]).run,
        "outbox": Outbox(
            database,
            app[LIVE],
            [
                WebhookLane(database, app[CLOCK], app[CONFIG].webhooks),
                NoticeLane(database, Carriers(app[CONFIG].notices, app[CONFIG].webhooks)),
            ],
        ).run,
        "running charges": partial(keep_every_company, database, app[LIVE], app[CLOCK], DEFAULT_TENANT),
    }
    # Not in a TaskGroup: start-up and clean-up of an application may run in different tasks.
    tasks = [loop.create_task(supervised(name, one), name=name) for name, one in work.items()]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _end_streams(app: web.Application) -> None:
    app[LIVE].close()
