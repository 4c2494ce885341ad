"""How a box becomes a gateway: a token offered by a manager, used once, answered by a certificate.

The invariant: a token makes exactly one key a gateway. Of a request nothing but its key is taken; the
name, the life and the purpose are ours. What is refused is written down, and the caller is not told why.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from cloud.domain.access import Action, require
from cloud.domain.change import GatewayChanged
from cloud.domain.errors import Conflict, Forbidden, NotFound
from cloud.domain.gateway import GatewayIdentity, GatewayState, ShownCertificate
from cloud.domain.ids import GatewayId, SiteId
from cloud.domain.user import User
from cloud.services import alarms
from cloud.services import gateways as slots
from cloud.services.box_care import EXPIRING_ALARM
from cloud.services.gateways import DOUBLED_ALARM, ROLLED_BACK_ALARM
from cloud.store import audit, enrolments, gateways
from cloud.store.db import Tx
from provisioning.enrolment_token import new_secret, secret_hash

OFFER_LIFE_MS = 24 * 3600 * 1000
FAILURES_MAX = 5
# An answer that was lost is asked for again within minutes.
REPEATED_WITHIN_MS = 10 * 60 * 1000
# A little behind is how far a box's clock may be and still accept what was signed just now.
BACKDATED_MS = 5 * 60 * 1000


class Refusal(Enum):
    """Why a box was not enrolled: for the record, not for the caller."""

    NO_OFFER = "no_offer"
    MISMATCH = "mismatch"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    USED = "used"
    TOO_MANY_FAILURES = "too_many_failures"


@dataclass(frozen=True, slots=True)
class Offered:
    """A token's secret, told this once."""

    gateway_id: GatewayId
    secret: str
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class Certified:
    """A signed certificate and what it says; PEM."""

    says: ShownCertificate
    pem: str


# Signs for the box's key a certificate that begins at the instant given.
Sign = Callable[[int], Certified]


def create(tx: Tx, actor: User, site_id: SiteId, code: str, name: str) -> Offered:
    """Make a slot and a token for its box; Conflict if the site has one of that code."""
    return offer(tx, actor, slots.create(tx, actor, site_id, code, name))


def offer(tx: Tx, actor: User, gateway_id: GatewayId) -> Offered:
    """Make a token for a slot; a box that speaks for it goes on until another has enrolled."""
    require(actor, Action.MANAGE_GATEWAYS)
    if gateways.find_slot(tx, gateway_id) is None:
        raise NotFound(f"there is no gateway {gateway_id}")
    secret, expires_at_ms = new_secret(), tx.now_ms + OFFER_LIFE_MS
    enrolments.insert_offer(tx, gateway_id, secret_hash(secret), actor.person_id, expires_at_ms)
    audit.record(tx, actor.user_id, "offer_enrolment", "gateway", gateway_id, {"until_ms": expires_at_ms})
    return Offered(gateway_id, secret, expires_at_ms)


def withdraw(tx: Tx, actor: User, gateway_id: GatewayId) -> None:
    """Take back a token that was offered; Conflict if none is open."""
    require(actor, Action.MANAGE_GATEWAYS)
    if gateways.find_slot(tx, gateway_id) is None:
        raise NotFound(f"there is no gateway {gateway_id}")
    if not enrolments.withdraw_offers(tx, gateway_id):
        raise Conflict("no enrolment token of this gateway is open")
    audit.record(tx, actor.user_id, "withdraw_enrolment", "gateway", gateway_id)


def enrol(
    tx: Tx, gateway_id: GatewayId, secret: str, key_hash: str, sign: Sign, address: str
) -> str | Refusal:
    """Certify the key of whoever holds the slot's token, and end what spoke for it before; PEM.

    The same key with the same token within ten minutes gets the same certificate again.
    """
    slot = gateways.find_slot(tx, gateway_id)
    found = None if slot is None else enrolments.lock_offer(tx, gateway_id)
    if slot is None or found is None:
        return _refused(tx, gateway_id, Refusal.NO_OFFER, address)
    if found.failures >= FAILURES_MAX:
        return _refused(tx, gateway_id, Refusal.TOO_MANY_FAILURES, address)
    if not hmac.compare_digest(found.secret_hash, secret_hash(secret)):
        enrolments.count_failure(tx, found.offer_id)
        return _refused(tx, gateway_id, Refusal.MISMATCH, address)
    if found.used_at_ms is not None:
        again = None
        if found.key_hash == key_hash and tx.now_ms - found.used_at_ms <= REPEATED_WITHIN_MS:
            again = enrolments.certificate_for_key(tx, gateway_id, key_hash, 0)
        return again or _refused(tx, gateway_id, Refusal.USED, address)
    if found.is_withdrawn:
        return _refused(tx, gateway_id, Refusal.WITHDRAWN, address)
    if found.expires_at_ms <= tx.now_ms:
        return _refused(tx, gateway_id, Refusal.EXPIRED, address)
    if not enrolments.use_offer(tx, found.offer_id, key_hash):
        return _refused(tx, gateway_id, Refusal.USED, address)
    certified = _certified(tx, gateway_id, key_hash, sign)
    had_one = enrolments.find_identity(tx, gateway_id) is not None
    enrolments.put_identity(tx, certified.says)
    enrolments.set_enabled(tx, gateway_id, enabled=True)
    audit.record(
        tx, None, "enrol_gateway", "gateway", gateway_id, {"serial": certified.says.serial, "from": address}
    )
    for kind in (DOUBLED_ALARM, EXPIRING_ALARM, ROLLED_BACK_ALARM):
        alarms.clear_own(tx, slot.identity, kind)
    # Whoever spoke for the slot until now hears that it is over.
    state = GatewayState.REVOKED if had_one else GatewayState.WAITING
    tx.announce(GatewayChanged(tx.tenant_id, slot.identity.site_id, gateway_id, state.value))
    return certified.pem


def renew(tx: Tx, gateway: GatewayIdentity, key_hash: str, sign: Sign) -> str:
    """Certify a gateway's next key; PEM. The present certificate goes on until the next has been used.

    Asked again for the same key it answers the same. Forbidden while two boxes may be speaking.
    """
    known = enrolments.find_identity(tx, gateway.gateway_id, lock=True)
    if known is None:
        raise Conflict("the gateway's certificate has never been used; say hello with it first")
    if known.doubt is not None:
        raise Forbidden("more than one box may hold this key: a person must decide before it is renewed")
    given = enrolments.certificate_for_key(tx, gateway.gateway_id, key_hash, known.newest_ms)
    if given is not None:
        return given
    certified = _certified(tx, gateway.gateway_id, key_hash, sign)
    serial = certified.says.serial
    audit.record(tx, None, "renew_gateway", "gateway", gateway.gateway_id, {"serial": serial})
    return certified.pem


def _certified(tx: Tx, gateway_id: GatewayId, key_hash: str, sign: Sign) -> Certified:
    # Each begins after the one before, whatever the clock does: that order is what counts.
    begins_ms = max(tx.now_ms - BACKDATED_MS, enrolments.latest_start_ms(tx, gateway_id) + 1000)
    certified = sign(begins_ms)
    enrolments.insert_certificate(tx, certified.says, key_hash, certified.pem)
    return certified


def _refused(tx: Tx, gateway_id: GatewayId, why: Refusal, address: str) -> Refusal:
    audit.record(tx, None, "enrolment_refused", "gateway", gateway_id, {"reason": why.value, "from": address})
    return why
