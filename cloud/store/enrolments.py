"""One-time tokens of gateways, the certificates given for them, and which of those still count."""

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from cloud.domain.gateway import Doubt, ShownCertificate
from cloud.domain.ids import GatewayId, UserId
from cloud.domain.lease import Lease
from cloud.store.db import Tx
from cloud.store.gateways import SLOT_COLUMNS, Slot, slot_from_row
from cloud.store.schema import gateway, gateway_certificate, gateway_enrolment, gateway_identity


@dataclass(frozen=True, slots=True)
class Offer:
    """A one-time token as the cloud keeps it."""

    offer_id: str
    secret_hash: str = field(repr=False)
    expires_at_ms: int
    is_withdrawn: bool
    failures: int
    used_at_ms: int | None
    key_hash: str | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Which certificates of a gateway count, what its box was given, and what is in doubt about it."""

    serial: str
    floor_ms: int
    newest_ms: int
    newest_since_ms: int
    expires_at_ms: int
    lease: Lease | None
    doubt: Doubt | None


# Asked with every request of a box, so built once. Whose place is this, and who may speak for it?
_SPEAKER = (
    sa.select(*SLOT_COLUMNS, gateway_identity)
    .select_from(gateway)
    .join(
        gateway_identity,
        sa.and_(
            gateway_identity.c.tenant_id == gateway.c.tenant_id,
            gateway_identity.c.gateway_id == gateway.c.id,
        ),
        isouter=True,
    )
    .where(gateway.c.tenant_id == sa.bindparam("of_tenant"), gateway.c.id == sa.bindparam("of_gateway"))
)
# Asked with every hello. Who may speak for this slot?
_IDENTITY = sa.select(gateway_identity).where(
    gateway_identity.c.tenant_id == sa.bindparam("of_tenant"),
    gateway_identity.c.gateway_id == sa.bindparam("of_gateway"),
)
_IDENTITY_LOCKED = _IDENTITY.with_for_update()


def insert_offer(
    tx: Tx, gateway_id: GatewayId, secret_hash: str, offered_by: UserId | None, expires_at_ms: int
) -> None:
    """Add a token; the ones before it can no longer be used."""
    _withdraw(tx, gateway_id)
    # Offer a box its place.
    tx.conn.execute(
        sa.insert(gateway_enrolment).values(
            tenant_id=tx.tenant_id,
            id=tx.new_id(),
            gateway_id=gateway_id,
            secret_hash=secret_hash,
            offered_by=offered_by,
            offered_at_ms=tx.now_ms,
            expires_at_ms=expires_at_ms,
            failures=0,
        )
    )


def withdraw_offers(tx: Tx, gateway_id: GatewayId) -> int:
    """Take back tokens nobody has used; return how many there were."""
    return _withdraw(tx, gateway_id)


def _withdraw(tx: Tx, gateway_id: GatewayId) -> int:
    # Whatever was offered and not used is void.
    return tx.conn.execute(
        sa.update(gateway_enrolment)
        .where(
            gateway_enrolment.c.tenant_id == tx.tenant_id,
            gateway_enrolment.c.gateway_id == gateway_id,
            gateway_enrolment.c.used_at_ms.is_(None),
            gateway_enrolment.c.withdrawn_at_ms.is_(None),
        )
        .values(withdrawn_at_ms=tx.now_ms)
    ).rowcount


def lock_offer(tx: Tx, gateway_id: GatewayId) -> Offer | None:
    """Return a gateway's newest token, withdrawn ones last, holding it until the transaction ends."""
    # Which token is this box enrolled with?
    row = tx.conn.execute(
        sa.select(gateway_enrolment)
        .where(gateway_enrolment.c.tenant_id == tx.tenant_id, gateway_enrolment.c.gateway_id == gateway_id)
        .order_by(
            gateway_enrolment.c.withdrawn_at_ms.is_not(None),
            gateway_enrolment.c.offered_at_ms.desc(),
            gateway_enrolment.c.id.desc(),
        )
        .limit(1)
        .with_for_update()
    ).one_or_none()
    if row is None:
        return None
    return Offer(
        row.id,
        row.secret_hash,
        row.expires_at_ms,
        row.withdrawn_at_ms is not None,
        row.failures,
        row.used_at_ms,
        row.key_hash,
    )


def count_failure(tx: Tx, offer_id: str) -> None:
    """Note that somebody tried a token with a wrong secret."""
    # One wrong guess more.
    tx.conn.execute(
        sa.update(gateway_enrolment)
        .where(gateway_enrolment.c.tenant_id == tx.tenant_id, gateway_enrolment.c.id == offer_id)
        .values(failures=gateway_enrolment.c.failures + 1)
    )


def use_offer(tx: Tx, offer_id: str, key_hash: str) -> bool:
    """Use a token up; False if somebody else just has."""
    # Once, and by one key.
    return bool(
        tx.conn.execute(
            sa.update(gateway_enrolment)
            .where(
                gateway_enrolment.c.tenant_id == tx.tenant_id,
                gateway_enrolment.c.id == offer_id,
                gateway_enrolment.c.used_at_ms.is_(None),
            )
            .values(used_at_ms=tx.now_ms, key_hash=key_hash)
        ).rowcount
    )


def insert_certificate(tx: Tx, given: ShownCertificate, key_hash: str, pem: str) -> None:
    """Keep a certificate that was given."""
    # Remember what was signed.
    tx.conn.execute(sa.insert(gateway_certificate).values(**_given(tx, given, key_hash, pem)))


def _given(tx: Tx, given: ShownCertificate, key_hash: str, pem: str) -> dict[str, object]:
    return {
        "tenant_id": tx.tenant_id,
        "id": tx.new_id(),
        "gateway_id": given.gateway_id,
        "serial": given.serial,
        "key_hash": key_hash,
        "pem": pem,
        "issued_at_ms": tx.now_ms,
        "not_before_ms": given.not_before_ms,
        "expires_at_ms": given.expires_at_ms,
    }


def remember_certificate(tx: Tx, shown: ShownCertificate, key_hash: str, pem: str) -> None:
    """Keep a certificate of ours that this database has forgotten; one it knows stays as it is."""
    # What was signed after the backup?
    tx.conn.execute(
        tx.insert(gateway_certificate)
        .values(**_given(tx, shown, key_hash, pem))
        .on_conflict_do_nothing(index_elements=["tenant_id", "serial"])
    )


def certificate_for_key(tx: Tx, gateway_id: GatewayId, key_hash: str, valid_from_ms: int) -> str | None:
    """Return what was given for a key before, if it begins no earlier; PEM."""
    # Has this key been certified already?
    found = tx.conn.execute(
        sa.select(gateway_certificate.c.pem)
        .where(
            gateway_certificate.c.tenant_id == tx.tenant_id,
            gateway_certificate.c.gateway_id == gateway_id,
            gateway_certificate.c.key_hash == key_hash,
            gateway_certificate.c.not_before_ms >= valid_from_ms,
        )
        .order_by(gateway_certificate.c.not_before_ms.desc())
        .limit(1)
    ).scalar_one_or_none()
    return None if found is None else str(found)


def latest_start_ms(tx: Tx, gateway_id: GatewayId) -> int:
    """Return when the newest certificate ever given to a gateway begins; 0 if there is none."""
    # Where must the next one begin?
    found = tx.conn.execute(
        sa.select(sa.func.max(gateway_certificate.c.not_before_ms)).where(
            gateway_certificate.c.tenant_id == tx.tenant_id, gateway_certificate.c.gateway_id == gateway_id
        )
    ).scalar_one()
    return int(found or 0)


def find_identity(tx: Tx, gateway_id: GatewayId, *, lock: bool = False) -> Identity | None:
    """Return which certificates of a gateway count; None if no box has enrolled."""
    query = _IDENTITY_LOCKED if lock else _IDENTITY
    row = tx.conn.execute(query, {"of_tenant": tx.tenant_id, "of_gateway": gateway_id}).one_or_none()
    return None if row is None else _identity_from_row(row)


def find_speaker(tx: Tx, gateway_id: GatewayId) -> tuple[Slot, Identity | None] | None:
    """Return a slot and which certificates of its count, if a box has enrolled; None without the slot."""
    row = tx.conn.execute(_SPEAKER, {"of_tenant": tx.tenant_id, "of_gateway": gateway_id}).one_or_none()
    if row is None:
        return None
    slot = slot_from_row(tx, gateway_id, row)
    return slot, None if row.gateway_id is None else _identity_from_row(row)


def put_identity(tx: Tx, given: ShownCertificate) -> None:
    """Let only this certificate count from now on; what was leased and doubted before is forgotten."""
    fresh = {
        "serial": given.serial,
        "floor_ms": given.not_before_ms,
        "newest_ms": given.not_before_ms,
        "newest_since_ms": tx.now_ms,
        "expires_at_ms": given.expires_at_ms,
        "lease": None,
        "lease_before": "",
        "boot_id": "",
        "boot_id_before": "",
        "leased_at_ms": 0,
        "doubt": None,
        "doubted_at_ms": None,
    }
    # Another box speaks for the slot.
    tx.conn.execute(
        tx.insert(gateway_identity)
        .values(tenant_id=tx.tenant_id, gateway_id=given.gateway_id, **fresh)
        .on_conflict_do_update(index_elements=["tenant_id", "gateway_id"], set_=fresh)
    )


def raise_newest(tx: Tx, used: ShownCertificate) -> None:
    """Note that a newer certificate has been used: those before have a short time left."""
    # A renewed certificate works.
    tx.conn.execute(
        sa.update(gateway_identity)
        .where(
            gateway_identity.c.tenant_id == tx.tenant_id,
            gateway_identity.c.gateway_id == used.gateway_id,
            gateway_identity.c.newest_ms < used.not_before_ms,
        )
        .values(
            serial=used.serial,
            newest_ms=used.not_before_ms,
            newest_since_ms=tx.now_ms,
            expires_at_ms=used.expires_at_ms,
        )
    )


def put_lease(tx: Tx, gateway_id: GatewayId, lease: Lease | None) -> None:
    """Keep what a gateway's box was given."""
    # What will it show next?
    tx.conn.execute(
        sa.update(gateway_identity)
        .where(gateway_identity.c.tenant_id == tx.tenant_id, gateway_identity.c.gateway_id == gateway_id)
        .values(
            lease=lease.current if lease else None,
            lease_before=lease.before if lease else "",
            boot_id=lease.boot_id if lease else "",
            boot_id_before=lease.boot_id_before if lease else "",
            leased_at_ms=lease.given_at_ms if lease else 0,
        )
    )


def set_doubt(tx: Tx, gateway_id: GatewayId, doubt: Doubt | None) -> bool:
    """Note or take back that more than one box may speak for a slot; tell whether that is new."""
    column = gateway_identity.c.doubt
    # Is it still one box?
    return bool(
        tx.conn.execute(
            sa.update(gateway_identity)
            .where(
                gateway_identity.c.tenant_id == tx.tenant_id,
                gateway_identity.c.gateway_id == gateway_id,
                column.is_not(None) if doubt is None else column.is_(None),
            )
            .values(
                doubt=None if doubt is None else doubt.value,
                doubted_at_ms=None if doubt is None else tx.now_ms,
            )
        ).rowcount
    )


def set_enabled(tx: Tx, gateway_id: GatewayId, *, enabled: bool) -> None:
    """Let a box speak for a slot, or nobody."""
    # Open or shut one place.
    tx.conn.execute(
        sa.update(gateway)
        .where(gateway.c.tenant_id == tx.tenant_id, gateway.c.id == gateway_id)
        .values(enabled=enabled)
    )


def _identity_from_row(row: sa.Row[Any]) -> Identity:
    lease = None
    if row.lease is not None:
        lease = Lease(row.lease, row.lease_before, row.boot_id, row.boot_id_before, row.leased_at_ms)
    return Identity(
        row.serial,
        row.floor_ms,
        row.newest_ms,
        row.newest_since_ms,
        row.expires_at_ms,
        lease,
        None if row.doubt is None else Doubt(row.doubt),
    )
