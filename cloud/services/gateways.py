"""Gateways: slots, who speaks for them, and what they say of themselves.

The invariant: who a gateway is comes from its certificate alone, checked at every request, so that
revoking it takes effect at the next one. A certificate counts by when it begins: the newest that was used,
the one before it for a few minutes, none before that.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from cloud.domain import lease as leases
from cloud.domain.access import Action, require, require_recent
from cloud.domain.change import GatewayChanged
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from cloud.domain.gateway import (
    ALARMED_AFTER_MS,
    OFFLINE_AFTER_MS,
    Doubt,
    Gateway,
    GatewayIdentity,
    GatewayState,
    IngestProblem,
    ShownCertificate,
    StreamStatus,
)
from cloud.domain.ids import GatewayId, SiteId
from cloud.domain.page import checked_limit
from cloud.domain.series import PointValue
from cloud.domain.user import User
from cloud.services import alarms, box_care, configurations, granting
from cloud.store import audit, enrolments, gateways, ingest, meters, points, premises
from cloud.store.db import Tx
from cloud.store.points import Device
from protocol.event import Severity
from protocol.greeting import Hello, Welcome
from provisioning.authority import key_fingerprint, public_key_of
from provisioning.enrolment_token import new_secret

log = logging.getLogger(__name__)

CODE_LENGTH_MAX = 64
# An edge that was off for a season still hears of the meters exchanged meanwhile.
COUNTERS_TOLD_MS = 400 * 24 * 3600 * 1000
OFFLINE_ALARM = "gateway_offline"
DOUBLED_ALARM = "gateway_doubled"
ROLLED_BACK_ALARM = "gateway_rolled_back"
DOUBTED = "doubted"  # told to listeners beside the states of `GatewayState`
# After a renewed certificate has been used: requests under way on the box's other connections end.
OUTGOING_MS = 10 * 60 * 1000

NOT_ANY_MORE = "this gateway certificate is not valid (any more): enrol the box with a new token"


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks with a certificate. `is_newer`: never used before; `is_outdated`: replaced for good."""

    identity: GatewayIdentity
    is_newer: bool
    is_outdated: bool
    doubt: Doubt | None


def create(tx: Tx, actor: User, site_id: SiteId, code: str, name: str) -> GatewayId:
    """Make a slot for a box; Conflict if the site has one of that code."""
    require(actor, Action.MANAGE_GATEWAYS)
    if not 1 <= len(code) <= CODE_LENGTH_MAX or not code.isprintable() or code != code.strip():
        raise Invalid(f"the code {code!r} is not 1 to {CODE_LENGTH_MAX} printable characters")
    if premises.find_site(tx, site_id) is None:
        raise NotFound(f"there is no site {site_id}")
    gateway_id = gateways.insert_gateway(tx, site_id, code, name or code)
    if gateway_id is None:
        raise Conflict(f"the site has a gateway {code!r} already: enrol its box instead")
    audit.record(tx, actor.user_id, "create_gateway", "gateway", gateway_id, {"code": code})
    return gateway_id


def revoke(tx: Tx, actor: User, gateway_id: GatewayId) -> None:
    """Let nobody speak for the slot any more; what came from it stays."""
    require(actor, Action.MANAGE_GATEWAYS)
    require_recent(actor, tx.now_ms)
    slot = gateways.find_slot(tx, gateway_id)
    if slot is None:
        raise NotFound(f"there is no gateway {gateway_id}")
    enrolments.set_enabled(tx, gateway_id, enabled=False)
    enrolments.withdraw_offers(tx, gateway_id)
    audit.record(tx, actor.user_id, "revoke_gateway", "gateway", gateway_id)
    tx.announce(GatewayChanged(tx.tenant_id, slot.identity.site_id, gateway_id, GatewayState.REVOKED.value))


def authenticate(tx: Tx, shown: ShownCertificate) -> Speaker:
    """Return who speaks with this certificate; Unauthenticated if nobody any more.

    The certificate itself has been verified: it is one of ours, and its holder has the key.
    """
    slot, known = enrolments.find_speaker(tx, shown.gateway_id) or (None, None)
    if slot is None or not slot.is_enabled:
        raise Unauthenticated(NOT_ANY_MORE)
    if known is None:
        # Given after the backup this cloud was restored from; nobody else could have signed it.
        return Speaker(slot.identity, is_newer=True, is_outdated=False, doubt=None)
    if shown.not_before_ms < known.floor_ms:
        raise Unauthenticated(NOT_ANY_MORE)  # the slot has been given to another box since
    is_older = shown.not_before_ms < known.newest_ms
    is_outdated = is_older and tx.now_ms - known.newest_since_ms > OUTGOING_MS
    is_newer = shown.not_before_ms > known.newest_ms
    return Speaker(slot.identity, is_newer, is_outdated, known.doubt)


def is_enabled(tx: Tx, gateway_id: GatewayId) -> bool:
    """Tell whether anybody may speak for a slot."""
    slot = gateways.find_slot(tx, gateway_id)
    return slot is not None and slot.is_enabled


def is_in_doubt(tx: Tx, gateway_id: GatewayId) -> bool:
    """Tell whether more than one box may be speaking for a slot, and no person has decided yet."""
    known = enrolments.find_identity(tx, gateway_id)
    return known is not None and known.doubt is not None


def take_up(tx: Tx, shown: ShownCertificate, pem: str) -> None:
    """Note that a newer certificate is in use: the one before has a few minutes left.

    Given after the backup this cloud was restored from it is kept now: what its key signs is checked by it.
    """
    enrolments.remember_certificate(tx, shown, key_fingerprint(public_key_of(pem)), pem)
    if enrolments.find_identity(tx, shown.gateway_id, lock=True) is None:
        enrolments.put_identity(tx, shown)
    else:
        enrolments.raise_newest(tx, shown)


def turn_away_outdated(tx: Tx, gateway: GatewayIdentity) -> None:
    """Note that somebody speaks with a certificate replaced long ago: a box runs on an old copy of itself."""
    _doubt(tx, gateway, Doubt.ROLLED_BACK)


def trust_again(tx: Tx, actor: User, gateway_id: GatewayId) -> None:
    """Note that a person has made sure that one box speaks for the slot; Conflict if nobody doubted it.

    Should there still be two, that shows again within a minute.
    """
    require(actor, Action.MANAGE_GATEWAYS)
    require_recent(actor, tx.now_ms)
    slot = gateways.find_slot(tx, gateway_id)
    if slot is None:
        raise NotFound(f"there is no gateway {gateway_id}")
    if not enrolments.set_doubt(tx, gateway_id, None):
        raise Conflict(f"nothing is in doubt about gateway {slot.identity.code}")
    enrolments.put_lease(tx, gateway_id, None)
    for kind in (DOUBLED_ALARM, ROLLED_BACK_ALARM):
        alarms.clear_own(tx, slot.identity, kind)
    audit.record(tx, actor.user_id, "trust_gateway", "gateway", gateway_id)
    state = GatewayState.ONLINE.value
    tx.announce(GatewayChanged(tx.tenant_id, slot.identity.site_id, gateway_id, state))


def hello(tx: Tx, gateway: GatewayIdentity, said: Hello, authorities: str = "") -> Welcome:
    """Keep what the gateway says of itself and tell it what we hold of it."""
    lease = _lease(tx, gateway, said)
    gateways.set_hello(tx, gateway.gateway_id, said)
    tx.announce(GatewayChanged(tx.tenant_id, gateway.site_id, gateway.gateway_id, GatewayState.ONLINE.value))
    held = ingest.acked_through(tx, gateway.gateway_id, said.epoch)
    counters = meters.counters_since(tx, gateway.gateway_id, tx.now_ms - COUNTERS_TOLD_MS)
    number, wants = configurations.greeted(tx, gateway, said)
    has_grants = granting.greeted(tx, gateway, said)
    return Welcome(gateway.code, tx.now_ms, held, counters, number, wants, lease, authorities, has_grants)


def _lease(tx: Tx, gateway: GatewayIdentity, said: Hello) -> str:
    """Return the lease to give; "" where the box keeps its own."""
    if said.lease is None:
        return ""  # an older agent, which knows of none
    known = enrolments.find_identity(tx, gateway.gateway_id, lock=True)
    if known is None:
        return ""
    now = leases.shown(known.lease, said.lease, said.boot_id, tx.now_ms, new_secret())
    if now is None:
        assert known.lease is not None, "the first lease is given to whoever comes"
        slot = gateways.find_slot(tx, gateway.gateway_id)
        seen_at_ms = (slot.last_seen_at_ms if slot else None) or 0
        is_there = tx.now_ms - seen_at_ms <= leases.STILL_THERE_MS
        _doubt(tx, gateway, Doubt.DOUBLED if is_there else Doubt.ROLLED_BACK)
        return ""
    if now != known.lease:
        enrolments.put_lease(tx, gateway.gateway_id, now)
    return now.current


def _doubt(tx: Tx, gateway: GatewayIdentity, doubt: Doubt) -> None:
    if not enrolments.set_doubt(tx, gateway.gateway_id, doubt):
        return
    log.error("more than one box may be this gateway", extra={"gateway": gateway.code, "doubt": doubt.value})
    kind = DOUBLED_ALARM if doubt is Doubt.DOUBLED else ROLLED_BACK_ALARM
    alarms.raise_own(tx, gateway, kind, Severity.CRITICAL, gateway.code, tx.now_ms)
    audit.record(tx, None, "doubt_gateway", "gateway", gateway.gateway_id, {"doubt": doubt.value})
    tx.announce(GatewayChanged(tx.tenant_id, gateway.site_id, gateway.gateway_id, DOUBTED))


def watch(
    tx: Tx, actor: User, listening_since_ms: int, known: Mapping[GatewayId, GatewayState]
) -> dict[GatewayId, GatewayState]:
    """Look who has fallen silent and who is back; return the state of each gateway.

    A change against what was `known` is told to listeners; a longer silence raises an alarm, and being
    back ends it. Nobody is called silent for a time in which we did not listen: after a stop of ours
    everybody has as long as ever to be heard of.
    """
    require(actor, Action.MANAGE_GATEWAYS)
    listened_ms = tx.now_ms - listening_since_ms
    states: dict[GatewayId, GatewayState] = {}
    are_open = box_care.open_kinds(tx)
    for box in gateways.list_gateways(tx):
        if box.state is GatewayState.OFFLINE and listened_ms <= OFFLINE_AFTER_MS:
            continue
        states[box.gateway_id] = box.state
        if known.get(box.gateway_id, box.state) is not box.state:
            tx.announce(GatewayChanged(tx.tenant_id, box.site_id, box.gateway_id, box.state.value))
        identity = GatewayIdentity(tx.tenant_id, box.gateway_id, box.site_id, box.code)
        box_care.look_after(tx, identity, box, are_open)
        last_seen_at_ms = box.last_seen_at_ms or tx.now_ms
        if box.state is not GatewayState.OFFLINE:
            alarms.clear_own(tx, identity, OFFLINE_ALARM)
        elif min(listened_ms, tx.now_ms - last_seen_at_ms) > ALARMED_AFTER_MS:
            message = f"{box.name} ({box.code})"
            alarms.raise_own(tx, identity, OFFLINE_ALARM, Severity.MAJOR, message, last_seen_at_ms)
    return states


def list_gateways(tx: Tx, actor: User, site_id: SiteId | None = None) -> list[Gateway]:
    """Return the slots of a site, or of all, by code, with their state now."""
    require(actor, Action.READ_GATEWAYS)
    return gateways.list_gateways(tx, site_id)


def get_gateway(tx: Tx, actor: User, gateway_id: GatewayId) -> tuple[Gateway, list[StreamStatus]]:
    """Return one slot and how far its streams have come, with what is missing."""
    require(actor, Action.READ_GATEWAYS)
    found = gateways.find_gateway(tx, gateway_id)
    if found is None:
        raise NotFound(f"there is no gateway {gateway_id}")
    return found, ingest.stream_statuses(tx, gateway_id)


def list_devices(tx: Tx, actor: User, gateway_id: GatewayId) -> list[Device]:
    """Return what hangs on a gateway's lines, by code."""
    require(actor, Action.READ_GATEWAYS)
    if gateways.find_slot(tx, gateway_id) is None:
        raise NotFound(f"there is no gateway {gateway_id}")
    return points.list_devices(tx, gateway_id)


def values(tx: Tx, actor: User, gateway_id: GatewayId) -> list[PointValue]:
    """Return what all points of a gateway say now, by key."""
    require(actor, Action.READ_GATEWAYS)
    if gateways.find_slot(tx, gateway_id) is None:
        raise NotFound(f"there is no gateway {gateway_id}")
    return points.values_of_gateway(tx, gateway_id)


def list_problems(
    tx: Tx, actor: User, gateway_id: GatewayId | None = None, *, only_open: bool = True, limit: int = 50
) -> list[IngestProblem]:
    """Return blocks that could not be taken, newest first."""
    require(actor, Action.READ_GATEWAYS)
    if gateway_id is not None and gateways.find_slot(tx, gateway_id) is None:
        raise NotFound(f"there is no gateway {gateway_id}")
    return ingest.list_problems(tx, gateway_id, only_open=only_open, limit=checked_limit(limit))


def settle_problem(tx: Tx, actor: User, problem_id: str) -> None:
    """Note that a person has dealt with a block that could not be taken; its bytes stay."""
    require(actor, Action.MANAGE_GATEWAYS)
    if actor.person_id is None:
        raise Forbidden("only a person can settle a problem")
    if not ingest.settle_problem(tx, problem_id, actor.person_id):
        raise NotFound(f"there is no open problem {problem_id}")
    audit.record(tx, actor.user_id, "settle_problem", "ingest_problem", problem_id)
