"""Venues, their bookings, and the slots these take."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from cloud.domain.ids import AccountId, BookingId, SiteId, UserId, VenueId
from cloud.domain.venue import Booking, Venue
from cloud.store.db import Tx
from cloud.store.schema import account, booking, booking_slot, space, venue

_V, _B, _S = venue.c, booking.c, booking_slot.c


def insert_venue(tx: Tx, added: Venue) -> None:
    """Add a venue."""
    # Add one venue.
    tx.conn.execute(
        tx.insert(venue).values(
            tenant_id=tx.tenant_id,
            id=added.venue_id,
            site_id=added.site_id,
            name=added.name,
            note=added.note,
            opens_minute=added.opens_minute,
            closes_minute=added.closes_minute,
            slot_minutes=added.slot_minutes,
            created_at_ms=tx.now_ms,
        )
    )


def close_venue(tx: Tx, venue_id: VenueId) -> bool:
    """Let nobody book a venue any more; tell whether it was open."""
    # Close one venue.
    return bool(
        tx.conn.execute(
            sa.update(venue)
            .where(_V.tenant_id == tx.tenant_id, _V.id == venue_id, _V.closed_at_ms.is_(None))
            .values(closed_at_ms=tx.now_ms)
        ).rowcount
    )


def find_venue(tx: Tx, venue_id: VenueId) -> Venue | None:
    """Return one venue, or None."""
    found = _venues(tx, _V.id == venue_id)
    return found[0] if found else None


def list_venues(tx: Tx, site_id: SiteId) -> list[Venue]:
    """Return a site's open venues by name."""
    return _venues(tx, sa.and_(_V.site_id == site_id, _V.closed_at_ms.is_(None)))


def insert_booking(
    tx: Tx,
    venue_id: VenueId,
    account_id: AccountId,
    booked_by: UserId,
    slots_ms: Sequence[int],
    until_ms: int,
) -> BookingId | None:
    """Take slots of a venue; None if one of them is taken, and then none is."""
    booking_id = BookingId(tx.new_id())
    # Add one booking.
    tx.conn.execute(
        tx.insert(booking).values(
            tenant_id=tx.tenant_id,
            id=booking_id,
            venue_id=venue_id,
            account_id=account_id,
            booked_by=booked_by,
            from_ms=slots_ms[0],
            until_ms=until_ms,
            booked_at_ms=tx.now_ms,
        )
    )
    rows = [
        {"tenant_id": tx.tenant_id, "venue_id": venue_id, "begins_at_ms": at_ms, "booking_id": booking_id}
        for at_ms in slots_ms
    ]
    # The key refuses a slot that is taken, also one taken this moment by somebody else.
    taken = tx.conn.execute(tx.insert(booking_slot).values(rows).on_conflict_do_nothing()).rowcount
    return booking_id if taken == len(slots_ms) else None


def cancel_booking(tx: Tx, booking_id: BookingId) -> bool:
    """Take a booking back and free its slots; tell whether it stood and had not begun."""
    # Take one booking back.
    taken_back = tx.conn.execute(
        sa.update(booking)
        .where(
            _B.tenant_id == tx.tenant_id,
            _B.id == booking_id,
            _B.cancelled_at_ms.is_(None),
            _B.from_ms > tx.now_ms,
        )
        .values(cancelled_at_ms=tx.now_ms)
    ).rowcount
    if taken_back:
        # Its slots are free again.
        tx.conn.execute(
            sa.delete(booking_slot).where(_S.tenant_id == tx.tenant_id, _S.booking_id == booking_id)
        )
    return bool(taken_back)


def find_booking(tx: Tx, booking_id: BookingId) -> Booking | None:
    """Return one booking, or None."""
    found = _bookings(tx, [_B.id == booking_id], 1)
    return found[0] if found else None


def bookings_of_accounts(tx: Tx, account_ids: Collection[AccountId], limit: int) -> list[Booking]:
    """Return what homes have booked and is not over, the next first."""
    return _bookings(
        tx,
        [_B.account_id.in_(sorted(account_ids)), _B.until_ms > tx.now_ms, _B.cancelled_at_ms.is_(None)],
        limit,
    )


def bookings_of_venue(tx: Tx, venue_id: VenueId, from_ms: int, until_ms: int) -> list[Booking]:
    """Return a venue's bookings within a span, those taken back left out."""
    span = [_B.venue_id == venue_id, _B.from_ms < until_ms, _B.until_ms > from_ms]
    return _bookings(tx, [*span, _B.cancelled_at_ms.is_(None)], 1000)


def _venues(tx: Tx, which: sa.ColumnElement[bool]) -> list[Venue]:
    # Which venues are there?
    rows = tx.conn.execute(sa.select(venue).where(_V.tenant_id == tx.tenant_id, which).order_by(_V.name))
    return [
        Venue(
            VenueId(row.id),
            SiteId(row.site_id),
            row.name,
            row.note,
            row.opens_minute,
            row.closes_minute,
            row.slot_minutes,
            row.closed_at_ms,
        )
        for row in rows
    ]


def _bookings(tx: Tx, which: Collection[sa.ColumnElement[bool]], limit: int) -> list[Booking]:
    joined = (
        booking.join(venue, sa.and_(_V.tenant_id == _B.tenant_id, _V.id == _B.venue_id))
        .join(account, sa.and_(account.c.tenant_id == _B.tenant_id, account.c.id == _B.account_id))
        .outerjoin(space, sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id))
    )
    # Who has booked what?
    rows = tx.conn.execute(
        sa.select(booking, _V.name.label("venue_name"), space.c.code)
        .select_from(joined)
        .where(_B.tenant_id == tx.tenant_id, *which)
        .order_by(_B.from_ms)
        .limit(limit)
    )
    return [
        Booking(
            BookingId(row.id),
            VenueId(row.venue_id),
            row.venue_name,
            AccountId(row.account_id),
            row.code or "",
            UserId(row.booked_by),
            row.from_ms,
            row.until_ms,
            row.cancelled_at_ms,
        )
        for row in rows
    ]
