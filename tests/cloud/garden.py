"""A small site for tests of the cloud: made by the services, spoken for by one gateway."""

from collections.abc import Sequence

import sqlalchemy as sa

from cloud.domain.gateway import GatewayIdentity
from cloud.domain.ids import SiteId, TenantId, UserId
from cloud.domain.user import Locale, Role, User, system_user
from cloud.services import enrolments, readings
from cloud.services.enrolments import Offered
from cloud.services.opened_block import open_blocks
from cloud.services.readings import Accepted
from cloud.store import premises, users
from cloud.store.db import Database, Tx
from protocol.envelope import Block, encode_events, encode_readings
from protocol.event import Event, EventState, Severity
from protocol.reading import Reading
from protocol.sync import Stream
from tests.databases import START_MS, TENANT

EPOCH = 1_795_000_000_000


def add_site(database: Database, tenant_id: TenantId = TENANT, code: str = "DG") -> SiteId:
    """Add a site in Shanghai."""

    def work(tx: Tx) -> SiteId:
        return premises.insert_site(tx, code, "示范小区", "Asia/Shanghai", "")

    return database.write_now(tenant_id, work)


def add_gateway(
    database: Database, site_id: SiteId, tenant_id: TenantId = TENANT, code: str = "gw-1"
) -> tuple[GatewayIdentity, str]:
    """Add a slot; return who speaks for it, and the secret its box may enrol with."""

    def work(tx: Tx) -> Offered:
        return enrolments.create(tx, system_user(tenant_id), site_id, code, code)

    offered = database.write_now(tenant_id, work)
    return GatewayIdentity(tenant_id, offered.gateway_id, site_id, code), offered.secret


def add_manager(database: Database, tenant_id: TenantId = TENANT, login: str = "manager") -> User:
    """Add a manager who cannot sign in (no password has this hash)."""

    def work(tx: Tx) -> UserId | None:
        return users.insert_user(tx, login, "物业经理", Role.MANAGER, Locale.CHINESE, "!")

    user_id = database.write_now(tenant_id, work)
    assert user_id is not None
    return User(user_id, tenant_id, Role.MANAGER, "物业经理")


def history_block(first_seq: int, rows: Sequence[Reading]) -> Block:
    """Pack readings as the edge does."""
    return Block(first_seq, len(rows), encode_readings(rows))


def event_block(first_seq: int, rows: Sequence[Event]) -> Block:
    """Pack events as the edge does."""
    return Block(first_seq, len(rows), encode_events(rows))


def post(
    database: Database,
    gateway: GatewayIdentity,
    blocks: Sequence[Block],
    stream: Stream = Stream.HISTORY,
    epoch: int = EPOCH,
) -> Accepted:
    """Hand blocks in as the door does."""
    opened = open_blocks(stream, blocks)
    return database.write_now(gateway.tenant_id, readings.accept, gateway, stream, epoch, opened)


def energy(flat: int, at_ms: int, micro_kwh: int) -> Reading:
    """A good register value of a flat's electricity meter."""
    return Reading(f"em-{flat}/active_energy_import", at_ms, micro_kwh)


def leak(
    state: EventState,
    at_ms: int = START_MS,
    *,
    is_historical: bool = False,
    severity: Severity = Severity.MAJOR,
) -> Event:
    """The pump-room leak sensor speaks."""
    return Event(
        "water_leak", state, severity, "leak-1/water_leak", at_ms, "泵房漏水", is_historical=is_historical
    )


def rows_of(database: Database, table: sa.Table, tenant_id: TenantId = TENANT) -> list[tuple[object, ...]]:
    """Return a table's rows of one tenant, in the order of its primary key."""

    def work(tx: Tx) -> list[tuple[object, ...]]:
        query = (
            sa.select(*table.columns)
            .where(table.c.tenant_id == tx.tenant_id)
            .order_by(*table.primary_key.columns)
        )
        return [tuple(row) for row in tx.conn.execute(query)]

    return database.read_now(tenant_id, work)


def count(database: Database, table: sa.Table, tenant_id: TenantId = TENANT) -> int:
    """Return how many rows a tenant has in a table."""
    return len(rows_of(database, table, tenant_id))
