"""Configurations of gateways: written as drafts, compared, sent once they are right, followed, gone back to.

The invariants: what was sent is never written anew; a gateway has one draft and one on its way at most;
a change begins from what is known to run; and what a gateway says of itself is taken down as it says it.
"""

from collections.abc import Sequence

from cloud.domain.access import Action, require
from cloud.domain.change import GatewayChanged
from cloud.domain.configuration import (
    NOTE_LENGTH_MAX,
    Configuration,
    ConfigurationStep,
    problems_of,
)
from cloud.domain.configuration import (
    config_of as read_config,
)
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from cloud.domain.gateway import Gateway, GatewayIdentity
from cloud.domain.ids import GatewayId
from cloud.domain.page import Page, checked_limit, key_from_cursor, page_of
from cloud.domain.user import User
from cloud.store import audit, commands, configurations, gateways
from cloud.store.db import Tx
from protocol.configuration import (
    CONFIGURATION_BYTES_MAX,
    UNDER_WAY,
    WATCH_S_MAX,
    WATCH_S_MIN,
    ConfigurationState,
    Report,
    Running,
)
from protocol.greeting import Hello
from provisioning.bundle import BUNDLE_VERSION, Bundle
from provisioning.config import Config
from provisioning.difference import Difference, difference
from provisioning.document import Document

_S = ConfigurationState
# What these ended in has run, or still does: it can be gone back to.
_HAS_RUN = frozenset({_S.HEALTHY, _S.FOUND, _S.ROLLED_BACK, _S.APPLIED})


def list_configurations(
    tx: Tx, actor: User, gateway_id: GatewayId, cursor: str | None = None, limit: int = 50
) -> Page[Configuration]:
    """Return a gateway's configurations, the newest first."""
    require(actor, Action.READ_GATEWAYS)
    _slot(tx, gateway_id)
    below = int(key_from_cursor(cursor, int)[0]) if cursor else None
    found = configurations.list_configurations(tx, gateway_id, below=below, limit=checked_limit(limit) + 1)
    return page_of(found, limit, lambda last: (last.number,))


def get_configuration(
    tx: Tx, actor: User, configuration_id: str
) -> tuple[Configuration, list[ConfigurationStep]]:
    """Return one configuration and its steps, oldest first."""
    require(actor, Action.READ_GATEWAYS)
    return _found(tx, configuration_id), configurations.steps_of(tx, configuration_id)


def find_number(tx: Tx, actor: User, gateway_id: GatewayId, number: int) -> Configuration:
    """Return a gateway's configuration by its number."""
    require(actor, Action.READ_GATEWAYS)
    found = configurations.find_number(tx, gateway_id, number)
    if found is None:
        raise NotFound(f"the gateway has no configuration {number}")
    return found


def running(tx: Tx, actor: User, gateway_id: GatewayId) -> Configuration | None:
    """Return what runs on the gateway as far as it is known; None before it has told of anything."""
    require(actor, Action.READ_GATEWAYS)
    return _running(tx, _slot(tx, gateway_id))


def draft_of(tx: Tx, actor: User, gateway_id: GatewayId) -> Configuration | None:
    """Return the gateway's draft, if somebody is writing one."""
    require(actor, Action.READ_GATEWAYS)
    return next(iter(configurations.in_states(tx, gateway_id, {_S.DRAFT})), None)


def under_way(tx: Tx, actor: User, gateway_id: GatewayId) -> Configuration | None:
    """Return what was sent to the gateway and has not ended."""
    require(actor, Action.READ_GATEWAYS)
    return next(iter(configurations.in_states(tx, gateway_id, UNDER_WAY)), None)


def check(tx: Tx, actor: User, gateway_id: GatewayId, document: Document) -> tuple[Sequence[str], Difference]:
    """Try a document out without writing anything: what is wrong with it, and what it would change."""
    require(actor, Action.READ_GATEWAYS)
    known = _running(tx, _slot(tx, gateway_id))
    before = Document("") if known is None else known.document
    return problems_of(document, _own(known)), difference(before, document)


def compare(tx: Tx, actor: User, before_id: str, after_id: str) -> Difference:
    """Return what one configuration says otherwise than another of the same gateway."""
    require(actor, Action.READ_GATEWAYS)
    before, after = _found(tx, before_id), _found(tx, after_id)
    if before.gateway_id != after.gateway_id:
        raise Invalid(f"{before_id} and {after_id} belong to two gateways")
    return difference(before.document, after.document)


def write_draft(
    tx: Tx,
    actor: User,
    gateway_id: GatewayId,
    document: Document,
    note: str = "",
    based_on: int | None = None,
) -> Configuration:
    """Write the gateway's draft, or write it anew; a draft may be wrong, only sending insists."""
    require(actor, Action.CONFIGURE_GATEWAYS)
    _check_size(document, note)
    slot = _slot(tx, gateway_id)
    commands.lock_gateway(tx, gateway_id)
    draft = next(iter(configurations.in_states(tx, gateway_id, {_S.DRAFT})), None)
    if draft is not None:
        configurations.set_draft(tx, draft.configuration_id, document, note.strip())
        return _announced(tx, draft.configuration_id)
    if based_on is None:
        known = _running(tx, slot)
        based_on = None if known is None else known.number
    number = _next_number(tx, slot)
    author_id = actor.person_id
    if author_id is None:
        raise Forbidden("only a person can write a configuration")
    configuration_id = configurations.insert_configuration(
        tx, gateway_id, number, _S.DRAFT, document, note.strip(), based_on, author_id
    )
    return _announced(tx, configuration_id)


def revert(tx: Tx, actor: User, configuration_id: str) -> Configuration:
    """Write a draft that says what an earlier configuration said; it is looked at and sent like any other."""
    earlier = _found(tx, configuration_id)
    if earlier.state not in _HAS_RUN:
        raise Conflict(f"configuration {earlier.number} is {earlier.state.value}: it has never run")
    return write_draft(tx, actor, earlier.gateway_id, earlier.document, f"← {earlier.number}", earlier.number)


def send(tx: Tx, actor: User, configuration_id: str, note: str, watch_s: int) -> Configuration:
    """Release a draft: the gateway gets it when it next asks. Invalid lists what is wrong, by its key."""
    require(actor, Action.CONFIGURE_GATEWAYS)
    draft = _found(tx, configuration_id)
    if actor.person_id is None:
        raise Forbidden("only a person can send a configuration")
    if not WATCH_S_MIN <= watch_s <= WATCH_S_MAX:
        message = f"a trial takes {WATCH_S_MIN} to {WATCH_S_MAX} seconds, not {watch_s}"
        raise Invalid(message, [Problem("/watch_s", message)])
    note = note.strip() or draft.note
    if not note:
        message = "say in a few words what this is for; it stands with the number for ever"
        raise Invalid(message, [Problem("/note", message)])
    _check_size(draft.document, note)
    commands.lock_gateway(tx, draft.gateway_id)
    known = _running(tx, _slot(tx, draft.gateway_id))
    if problems := problems_of(draft.document, _own(known)):
        raise Invalid(problems[0], [Problem("/text", problem) for problem in problems])
    if known is not None and known.digest == draft.digest:
        raise Conflict(f"configuration {draft.number} says what {known.number} says, which runs already")
    for earlier in configurations.in_states(tx, draft.gateway_id, UNDER_WAY):
        if earlier.state is not _S.SENT:
            raise Conflict(f"configuration {earlier.number} is on trial: wait until that has ended")
        overtaken = (f"overtaken by configuration {draft.number}",)
        configurations.move(tx, earlier.configuration_id, _S.WITHDRAWN, overtaken, actor_id=actor.person_id)
    configurations.set_draft(tx, configuration_id, draft.document, note)
    moved = configurations.move(tx, configuration_id, _S.SENT, actor_id=actor.person_id, watch_s=watch_s)
    if not moved:
        raise Conflict(f"configuration {draft.number} is {draft.state.value}, no draft")
    detail: dict[str, str | int | None] = {
        "number": draft.number,
        "note": note,
        "based_on": draft.based_on,
    }
    audit.record(tx, actor.user_id, "send_configuration", "configuration", configuration_id, detail)
    return _announced(tx, configuration_id)


def withdraw(tx: Tx, actor: User, configuration_id: str) -> Configuration:
    """Take back a draft, or what was sent and the gateway has not got yet."""
    require(actor, Action.CONFIGURE_GATEWAYS)
    found = _found(tx, configuration_id)
    if not configurations.move(tx, configuration_id, _S.WITHDRAWN, actor_id=actor.person_id):
        raise Conflict(f"configuration {found.number} is {found.state.value}: it cannot be taken back")
    detail = {"number": found.number, "state": found.state.value}
    audit.record(tx, actor.user_id, "withdraw_configuration", "configuration", configuration_id, detail)
    return _announced(tx, configuration_id)


def bundle(tx: Tx, actor: User, configuration_id: str) -> Bundle:
    """Return what was sent, to be carried to its gateway by hand."""
    require(actor, Action.CONFIGURE_GATEWAYS)
    found = _found(tx, configuration_id)
    if found.state not in UNDER_WAY:
        raise Conflict(f"configuration {found.number} is {found.state.value}: send it first")
    audit.record(tx, actor.user_id, "carry_configuration", "configuration", configuration_id)
    return _bundle(found)


def offered(tx: Tx, gateway: GatewayIdentity, above: int) -> Bundle | None:
    """Return what waits for a gateway with a number above the highest it has had."""
    number = configurations.waiting_number(tx, gateway.gateway_id, above)
    found = configurations.find_number(tx, gateway.gateway_id, number) if number else None
    return None if found is None else _bundle(found)


def greeted(tx: Tx, gateway: GatewayIdentity, said: Hello) -> tuple[int, bool]:
    """Return the number that waits for a gateway, and whether it is to tell what runs there."""
    number = configurations.waiting_number(tx, gateway.gateway_id, said.configuration_highest)
    return number, not configurations.is_known(tx, gateway.gateway_id, said.config_version)


def take_report(tx: Tx, gateway: GatewayIdentity, told: Report) -> None:
    """Take a gateway's word on one of its configurations; repetitions and unknown numbers change nothing."""
    found = configurations.find_number(tx, gateway.gateway_id, told.number)
    if found is None:
        return
    if configurations.move(tx, found.configuration_id, told.state, told.reasons, by_edge_at_ms=told.at_ms):
        outcome = {"number": told.number, "state": told.state.value}
        audit.record(tx, None, "configuration_outcome", "configuration", found.configuration_id, outcome)
        _announced(tx, found.configuration_id)


def take_running(tx: Tx, gateway: GatewayIdentity, told: Running) -> None:
    """Take down what runs on a gateway, where we do not know it: its own file, or what we have lost."""
    document = Document(told.text, told.profiles)
    _check_size(document, "")
    commands.lock_gateway(tx, gateway.gateway_id)
    if configurations.is_known(tx, gateway.gateway_id, document.digest()):
        return
    slot = _slot(tx, gateway.gateway_id)
    number = max(_next_number(tx, slot), told.number)
    configuration_id = configurations.insert_configuration(
        tx, gateway.gateway_id, number, _S.FOUND, document, "", None, None
    )
    _announced(tx, configuration_id)


def config_of(tx: Tx, gateway_id: GatewayId) -> Config | None:
    """Return what is known to run on a gateway, read; for services that have asked who may know."""
    known = _running(tx, _slot(tx, gateway_id))
    return None if known is None else read_config(known.document)


def _running(tx: Tx, slot: Gateway) -> Configuration | None:
    if slot.health is not None:
        found = configurations.find_digest(tx, slot.gateway_id, slot.health.config_version)
        if found is not None:
            return found
    return next(iter(configurations.in_states(tx, slot.gateway_id, {_S.HEALTHY, _S.FOUND})), None)


def _own(known: Configuration | None) -> Document | None:
    """Return what is known of the gateway's own tables: those that run, since nobody else changes them."""
    return None if known is None else known.document


def _next_number(tx: Tx, slot: Gateway) -> int:
    # A cloud restored from a backup has forgotten numbers that the gateway has not.
    highest_there = 0 if slot.health is None else slot.health.configuration_highest
    return max(configurations.highest_number(tx, slot.gateway_id), highest_there) + 1


def _bundle(found: Configuration) -> Bundle:
    return Bundle(
        BUNDLE_VERSION,
        found.gateway_id,
        found.number,
        found.changed_at_ms,
        found.watch_s,
        found.document.text,
        dict(found.document.profiles),
    )


def _check_size(document: Document, note: str) -> None:
    size = len(document.text.encode()) + sum(len(text.encode()) for text in document.profiles.values())
    # The envelope around it takes a few hundred bytes.
    if size > CONFIGURATION_BYTES_MAX - 4096:
        message = f"{size} bytes are too many: a configuration has at most {CONFIGURATION_BYTES_MAX}"
        raise Invalid(message, [Problem("/text", message)])
    if len(note) > NOTE_LENGTH_MAX:
        message = f"{len(note)} characters are too many: say it in {NOTE_LENGTH_MAX}"
        raise Invalid(message, [Problem("/note", message)])


def _slot(tx: Tx, gateway_id: GatewayId) -> Gateway:
    slot = gateways.find_gateway(tx, gateway_id)
    if slot is None:
        raise NotFound(f"there is no gateway {gateway_id}")
    return slot


def _found(tx: Tx, configuration_id: str) -> Configuration:
    found = configurations.find_configuration(tx, configuration_id)
    if found is None:
        raise NotFound(f"there is no configuration {configuration_id}")
    return found


def _announced(tx: Tx, configuration_id: str) -> Configuration:
    found = _found(tx, configuration_id)
    slot = _slot(tx, found.gateway_id)
    tx.announce(GatewayChanged(tx.tenant_id, found.site_id, found.gateway_id, slot.state.value))
    return found
