"""What people agreed to, and what they asked for of the data kept about them."""

from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import PersonId, SiteId, UserId
from cloud.domain.person import Consent, ConsentPurpose, PrivacyRequest, RequestKind
from cloud.store.db import Tx
from cloud.store.schema import consent, person, privacy_request


def insert_consent(
    tx: Tx, person_id: PersonId, purpose: ConsentPurpose, how: str, recorded_by: UserId | None
) -> None:
    """Note that somebody agrees."""
    # Add one consent.
    tx.conn.execute(
        tx.insert(consent).values(
            tenant_id=tx.tenant_id,
            id=tx.new_id(),
            person_id=person_id,
            purpose=purpose.value,
            given_at_ms=tx.now_ms,
            how=how,
            recorded_by=recorded_by,
        )
    )


def withdraw_consent(tx: Tx, person_id: PersonId, purpose: ConsentPurpose) -> int:
    """Note that somebody agrees no longer; return how many consents that ends."""
    # End what was agreed to.
    return int(
        tx.conn.execute(
            sa.update(consent)
            .where(
                consent.c.tenant_id == tx.tenant_id,
                consent.c.person_id == person_id,
                consent.c.purpose == purpose.value,
                consent.c.withdrawn_at_ms.is_(None),
            )
            .values(withdrawn_at_ms=tx.now_ms)
        ).rowcount
    )


def consents_of(tx: Tx, person_id: PersonId) -> list[Consent]:
    """Return what somebody agreed to, the newest first, withdrawn ones included."""
    # What did they agree to?
    rows = tx.conn.execute(
        sa.select(consent.c.purpose, consent.c.given_at_ms, consent.c.withdrawn_at_ms, consent.c.how)
        .where(consent.c.tenant_id == tx.tenant_id, consent.c.person_id == person_id)
        .order_by(consent.c.id.desc())
    )
    return [
        Consent(ConsentPurpose(row.purpose), row.given_at_ms, row.withdrawn_at_ms, row.how) for row in rows
    ]


def insert_request(tx: Tx, person_id: PersonId, kind: RequestKind) -> str:
    """Write down what somebody asks for."""
    request_id = tx.new_id()
    # Add one request.
    tx.conn.execute(
        tx.insert(privacy_request).values(
            tenant_id=tx.tenant_id,
            id=request_id,
            person_id=person_id,
            kind=kind.value,
            asked_at_ms=tx.now_ms,
            outcome="",
        )
    )
    return request_id


def finish_request(tx: Tx, request_id: str, outcome: str) -> bool:
    """Note how a request was answered; tell whether it was waiting."""
    # Answer one request.
    return bool(
        tx.conn.execute(
            sa.update(privacy_request)
            .where(
                privacy_request.c.tenant_id == tx.tenant_id,
                privacy_request.c.id == request_id,
                privacy_request.c.done_at_ms.is_(None),
            )
            .values(done_at_ms=tx.now_ms, outcome=outcome)
        ).rowcount
    )


def open_requests(tx: Tx, site_id: SiteId | None = None) -> list[PrivacyRequest]:
    """Return what waits for an answer, of one site's people or of all, the oldest first."""
    is_open = privacy_request.c.done_at_ms.is_(None)
    return _requests(tx, is_open if site_id is None else sa.and_(is_open, person.c.site_id == site_id))


def requests_of(tx: Tx, person_id: PersonId) -> list[PrivacyRequest]:
    """Return what somebody asked for, the oldest first."""
    return _requests(tx, privacy_request.c.person_id == person_id)


def _requests(tx: Tx, which: sa.ColumnElement[bool]) -> list[PrivacyRequest]:
    # What was asked for?
    rows: Any = tx.conn.execute(
        sa.select(
            privacy_request.c.id,
            privacy_request.c.person_id,
            person.c.name,
            privacy_request.c.kind,
            privacy_request.c.asked_at_ms,
            privacy_request.c.done_at_ms,
            privacy_request.c.outcome,
        )
        .join(
            person,
            sa.and_(
                person.c.tenant_id == privacy_request.c.tenant_id, person.c.id == privacy_request.c.person_id
            ),
        )
        .where(privacy_request.c.tenant_id == tx.tenant_id, which)
        .order_by(privacy_request.c.id)
    )
    return [
        PrivacyRequest(
            row.id,
            PersonId(row.person_id),
            row.name,
            RequestKind(row.kind),
            row.asked_at_ms,
            row.done_at_ms,
            row.outcome,
        )
        for row in rows
    ]
