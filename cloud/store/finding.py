"""Things of a site found by part of what people call them, a few of each kind, the latest first.

Kinds that have a list with a search of its own (accounts, people, meters) are found by that.
"""

import sqlalchemy as sa

from cloud.domain.finding import Found, FoundKind
from cloud.domain.ids import SiteId
from cloud.store.containing import contains
from cloud.store.db import Tx
from cloud.store.schema import (
    account,
    alarm,
    building,
    complaint,
    device,
    equipment,
    gateway,
    invoice,
    point,
    repair,
    space,
)


def find_spaces(tx: Tx, site_id: SiteId, text: str, limit: int) -> list[Found]:
    """Return spaces by part of their number, the nearest to it first."""
    # Which spaces are called like this?
    rows = tx.conn.execute(
        sa.select(space.c.code, building.c.name, space.c.kind)
        .join(
            building,
            sa.and_(building.c.tenant_id == space.c.tenant_id, building.c.id == space.c.building_id),
        )
        .where(space.c.tenant_id == tx.tenant_id, building.c.site_id == site_id, contains(text, space.c.code))
        .order_by(sa.func.length(space.c.code), space.c.code)
        .limit(limit)
    )
    return [Found(FoundKind.SPACE, row.code, row.code, row.name, row.kind) for row in rows]


def find_equipment(tx: Tx, site_id: SiteId, text: str, limit: int) -> list[Found]:
    """Return equipment by part of its code, name, serial number or model."""
    wanted = (equipment.c.code, equipment.c.name, equipment.c.serial_number, equipment.c.model)
    # Which equipment is called like this?
    rows = tx.conn.execute(
        sa.select(equipment.c.code, equipment.c.name, equipment.c.kind)
        .where(equipment.c.tenant_id == tx.tenant_id, equipment.c.site_id == site_id, contains(text, *wanted))
        .order_by(equipment.c.code)
        .limit(limit)
    )
    return [Found(FoundKind.EQUIPMENT, row.code, row.name, row.code, row.kind) for row in rows]


def find_repairs(tx: Tx, site_id: SiteId, text: str, limit: int) -> list[Found]:
    """Return repairs by part of their number, what was told, the place or the home."""
    wanted = (repair.c.number, repair.c.description, repair.c.place, space.c.code)
    # Which repairs is this about?
    rows = tx.conn.execute(
        sa.select(repair.c.number, repair.c.description, repair.c.state, space.c.code, repair.c.place)
        .select_from(
            repair.outerjoin(
                space, sa.and_(space.c.tenant_id == repair.c.tenant_id, space.c.id == repair.c.space_id)
            )
        )
        .where(repair.c.tenant_id == tx.tenant_id, repair.c.site_id == site_id, contains(text, *wanted))
        .order_by(repair.c.id.desc())
        .limit(limit)
    )
    return [
        Found(
            FoundKind.REPAIR,
            row.number,
            " ".join(filter(None, (row.number, row.code or row.place))),
            row.description,
            row.state,
        )
        for row in rows
    ]


def find_complaints(tx: Tx, site_id: SiteId, text: str, limit: int) -> list[Found]:
    """Return complaints by part of their number or of what was told, or of the home."""
    at_home = sa.and_(account.c.tenant_id == complaint.c.tenant_id, account.c.id == complaint.c.account_id)
    in_space = sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id)
    # Which complaints is this about?
    rows = tx.conn.execute(
        sa.select(complaint.c.number, complaint.c.text, complaint.c.state)
        .select_from(complaint.outerjoin(account, at_home).outerjoin(space, in_space))
        .where(
            complaint.c.tenant_id == tx.tenant_id,
            complaint.c.site_id == site_id,
            contains(text, complaint.c.number, complaint.c.text, space.c.code),
        )
        .order_by(complaint.c.id.desc())
        .limit(limit)
    )
    return [Found(FoundKind.COMPLAINT, row.number, row.number, row.text, row.state) for row in rows]


def find_invoices(tx: Tx, site_id: SiteId, text: str, limit: int) -> list[Found]:
    """Return documents by part of their number, the last issued first."""
    # Which papers have a number like this?
    rows = tx.conn.execute(
        sa.select(invoice.c.number, invoice.c.total_fen, account.c.holder_name)
        .join(
            account, sa.and_(account.c.tenant_id == invoice.c.tenant_id, account.c.id == invoice.c.account_id)
        )
        .where(
            invoice.c.tenant_id == tx.tenant_id,
            account.c.site_id == site_id,
            contains(text, invoice.c.number),
        )
        .order_by(invoice.c.number.desc())
        .limit(limit)
    )
    return [
        Found(FoundKind.INVOICE, row.number, row.number, row.holder_name, amount_fen=row.total_fen)
        for row in rows
    ]


def find_alarms(tx: Tx, site_id: SiteId, text: str, limit: int) -> list[Found]:
    """Return alarms by part of their number, message or device, the last raised first."""
    of_point = sa.and_(point.c.tenant_id == alarm.c.tenant_id, point.c.series_id == alarm.c.series_id)
    of_device = sa.and_(device.c.tenant_id == point.c.tenant_id, device.c.id == point.c.device_id)
    wanted = (alarm.c.number, alarm.c.message, alarm.c.point_key, device.c.title)
    # Which alarms is this about?
    rows = tx.conn.execute(
        sa.select(alarm.c.id, alarm.c.number, alarm.c.kind, device.c.title, alarm.c.point_key)
        .select_from(alarm.outerjoin(point, of_point).outerjoin(device, of_device))
        .where(alarm.c.tenant_id == tx.tenant_id, alarm.c.site_id == site_id, contains(text, *wanted))
        .order_by(alarm.c.raised_at_ms.desc(), alarm.c.id.desc())
        .limit(limit)
    )
    return [
        Found(FoundKind.ALARM, row.id, row.number, row.title or row.point_key.partition("/")[0], row.kind)
        for row in rows
    ]


def find_gateways(tx: Tx, site_id: SiteId, text: str, limit: int) -> list[Found]:
    """Return gateways by part of their code or name."""
    # Which boxes are called like this?
    rows = tx.conn.execute(
        sa.select(gateway.c.code, gateway.c.name)
        .where(
            gateway.c.tenant_id == tx.tenant_id,
            gateway.c.site_id == site_id,
            contains(text, gateway.c.code, gateway.c.name),
        )
        .order_by(gateway.c.code)
        .limit(limit)
    )
    return [Found(FoundKind.GATEWAY, row.code, row.code, row.name) for row in rows]
