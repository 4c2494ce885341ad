"""A gateway's configuration as the cloud keeps it: numbered, written by somebody, sent, and what came of it.

The invariants: a number belongs to one document for ever once it was sent; numbers of a gateway only
rise; what a gateway found wrong, or why it went back, stays with the number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cloud.domain.ids import GatewayId, SiteId, UserId
from protocol.configuration import ConfigurationState
from provisioning.config import Config
from provisioning.config_file import parse_config
from provisioning.document import Document, overreaching
from provisioning.strict import Malformed

NOTE_LENGTH_MAX = 200
# Names the file in messages; nothing is read from it.
_FILE = Path("gateway.toml")


@dataclass(frozen=True, slots=True)
class Configuration:
    """One numbered configuration; `author_id` is None for what a gateway told of by itself."""

    configuration_id: str
    gateway_id: GatewayId
    site_id: SiteId
    number: int
    state: ConfigurationState
    document: Document
    digest: str
    note: str
    watch_s: int
    based_on: int | None
    author_id: UserId | None
    author_name: str
    created_at_ms: int
    changed_at_ms: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfigurationStep:
    """One change of state; `by_edge_at_ms` is the gateway's own time of it, if it was the gateway's."""

    at_ms: int
    state: ConfigurationState
    reasons: tuple[str, ...]
    actor_name: str
    by_edge_at_ms: int | None


def problems_of(document: Document, own: Document | None) -> Sequence[str]:
    """Return what is wrong with a document, a line each that names the key; nothing if it can be sent.

    `own` is what is known of the gateway's own file, whose tables nobody else changes. What rules say
    is looked at by the gateway, which knows their kinds.
    """
    try:
        parse_config(document.text, _FILE, document.profiles)
    except Malformed as error:
        return error.problems
    return overreaching(own, document) if own is not None else ()


def config_of(document: Document) -> Config | None:
    """Return what a document means; None where it means nothing."""
    try:
        return parse_config(document.text, _FILE, document.profiles)
    except Malformed:
        return None
