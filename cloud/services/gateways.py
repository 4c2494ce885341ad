"""Gateways: slots, their tokens, and what they say of themselves.

The invariant: who a gateway is comes from its credential alone, checked at every request, so that
revoking it takes effect at the next one. The token is shown once; the store has its hash.
"""

from collections.abc import Mapping

from cloud.domain.access import Action, require
from cloud.domain.change import GatewayChanged
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from cloud.domain.gateway import (
    ALARMED_AFTER_MS,
    OFFLINE_AFTER_MS,
    Gateway,
    GatewayIdentity,
    GatewayState,
    IngestProblem,
    StreamStatus,
)
from cloud.domain.ids import GatewayId, SiteId
from cloud.domain.page import checked_limit
from cloud.domain.series import PointValue
from cloud.domain.user import User
from cloud.services import alarms, configurations
from cloud.store import audit, gateways, ingest, meters, points, premises
from cloud.store.db import Tx
from cloud.store.points import Device
from protocol.envelope import Hello, Welcome
from protocol.event import Severity
from provisioning.identity import GatewayToken, new_token

CODE_LENGTH_MAX = 64
# An edge that was off for a season still hears of the meters exchanged meanwhile.
COUNTERS_TOLD_MS = 400 * 24 * 3600 * 1000
OFFLINE_ALARM = "gateway_offline"


def create(tx: Tx, actor: User, site_id: SiteId, code: str, name: str) -> tuple[GatewayId, GatewayToken]:
    """Make a slot and its token, which is told this once; Conflict if the site has one of that code."""
    require(actor, Action.MANAGE_GATEWAYS)
    if not 1 <= len(code) <= CODE_LENGTH_MAX or not code.isprintable() or code != code.strip():
        raise Invalid(f"the code {code!r} is not 1 to {CODE_LENGTH_MAX} printable characters")
    if premises.find_site(tx, site_id) is None:
        raise NotFound(f"there is no site {site_id}")
    gateway_id = gateways.insert_gateway(tx, site_id, code, name or code)
    if gateway_id is None:
        raise Conflict(f"the site has a gateway {code!r} already: give it a new token instead")
    audit.record(tx, actor.user_id, "create_gateway", "gateway", gateway_id, {"code": code})
    return gateway_id, _give_token(tx, actor, gateway_id)


def renew_token(tx: Tx, actor: User, gateway_id: GatewayId) -> GatewayToken:
    """Make a new token for a slot, also for one that was revoked; the old one is worthless from now on."""
    require(actor, Action.MANAGE_GATEWAYS)
    if gateways.find_slot(tx, gateway_id) is None:
        raise NotFound(f"there is no gateway {gateway_id}")
    return _give_token(tx, actor, gateway_id)


def revoke(tx: Tx, actor: User, gateway_id: GatewayId) -> None:
    """Let nobody speak for the slot any more; what came from it stays."""
    require(actor, Action.MANAGE_GATEWAYS)
    slot = gateways.find_slot(tx, gateway_id)
    if slot is None:
        raise NotFound(f"there is no gateway {gateway_id}")
    gateways.set_token_hash(tx, gateway_id, None, enabled=False)
    audit.record(tx, actor.user_id, "revoke_gateway", "gateway", gateway_id)
    tx.announce(GatewayChanged(tx.tenant_id, slot.identity.site_id, gateway_id, GatewayState.REVOKED.value))


def authenticate(tx: Tx, token: GatewayToken) -> GatewayIdentity:
    """Return who speaks with this token; Unauthenticated if nobody, without saying why."""
    slot = gateways.find_slot(tx, GatewayId(token.gateway_id))
    if slot is None or slot.token_hash is None or not slot.is_enabled or not token.matches(slot.token_hash):
        raise Unauthenticated(
            "this gateway token is not valid (any more): make a new one with `gatehouse provision gateway`"
        )
    return slot.identity


def hello(tx: Tx, gateway: GatewayIdentity, said: Hello) -> Welcome:
    """Keep what the gateway says of itself and tell it what we hold of it."""
    gateways.set_hello(tx, gateway.gateway_id, said)
    tx.announce(GatewayChanged(tx.tenant_id, gateway.site_id, gateway.gateway_id, GatewayState.ONLINE.value))
    held = ingest.acked_through(tx, gateway.gateway_id, said.epoch)
    counters = meters.counters_since(tx, gateway.gateway_id, tx.now_ms - COUNTERS_TOLD_MS)
    configuration, wants_configuration = configurations.greeted(tx, gateway, said)
    return Welcome(gateway.code, tx.now_ms, held, counters, configuration, wants_configuration)


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
    for box in gateways.list_gateways(tx):
        if box.state is GatewayState.OFFLINE and listened_ms <= OFFLINE_AFTER_MS:
            continue
        states[box.gateway_id] = box.state
        if known.get(box.gateway_id, box.state) is not box.state:
            tx.announce(GatewayChanged(tx.tenant_id, box.site_id, box.gateway_id, box.state.value))
        identity = GatewayIdentity(tx.tenant_id, box.gateway_id, box.site_id, box.code)
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


def _give_token(tx: Tx, actor: User, gateway_id: GatewayId) -> GatewayToken:
    token = new_token(tx.tenant_id, gateway_id)
    gateways.set_token_hash(tx, gateway_id, token.hash(), enabled=True)
    audit.record(tx, actor.user_id, "give_gateway_token", "gateway", gateway_id)
    return token
