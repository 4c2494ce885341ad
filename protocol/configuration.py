"""A configuration on its way to a gateway: the states it goes through, and what the two say of it.

The cloud offers a numbered, signed bundle; the gateway takes it when it asks, tries it, and tells what
became of it. The invariants: numbers only rise; a state moves only along `TRANSITIONS`; and the word of
the gateway, which alone knows what runs, is what moves it.

    draft → sent → staged → applied → healthy       it runs and has passed its trial
      │       │       │        └──────────┴→ rolled_back   it ran, and does not any more: said why
      │       └───────┴→ refused                    nothing was changed: said why
      └───────┴→ withdrawn                          a person thought better of it
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

import msgspec

# Below /gateway/v1/, beside the streams. All are POSTs of JSON; the bundle is answered as bytes.
BUNDLE_PATH = "/gateway/v1/configuration/bundle"  # BundleQuestion → signed bundle
REPORT_PATH = "/gateway/v1/configuration/report"  # Report → Heard
RUNNING_PATH = "/gateway/v1/configuration/running"  # Running → Heard

# A thousand devices and fifty profiles of one's own are a few hundred kilobytes.
CONFIGURATION_BYTES_MAX = 2 * 1024 * 1024

# How long a configuration is watched before it counts as healthy: a person's choice within these.
WATCH_S_MIN, WATCH_S_USUAL, WATCH_S_MAX = 5, 300, 3600


class ConfigurationState(Enum):
    """Where a configuration stands."""

    DRAFT = "draft"  # being written; no gateway knows of it
    SENT = "sent"  # offered: the gateway gets it when it next asks
    STAGED = "staged"  # on the gateway's disk, its signature and every key of it found right
    APPLIED = "applied"  # it runs and is watched
    HEALTHY = "healthy"  # it has passed its trial
    ROLLED_BACK = "rolled_back"  # it failed its trial; the one before runs again
    REFUSED = "refused"  # the gateway found something wrong and changed nothing
    WITHDRAWN = "withdrawn"  # taken back, or overtaken by a newer one, before the gateway had it
    FOUND = "found"  # the gateway's own file, as it told us of it


_S = ConfigurationState
TRANSITIONS: Mapping[ConfigurationState, frozenset[ConfigurationState]] = MappingProxyType(
    {
        _S.DRAFT: frozenset({_S.SENT, _S.WITHDRAWN}),
        # A report may be lost with the connection and the next one come first. One written to a file is
        # carried to its gateway by hand and may arrive after it was withdrawn here.
        _S.SENT: frozenset({_S.STAGED, _S.APPLIED, _S.HEALTHY, _S.ROLLED_BACK, _S.REFUSED, _S.WITHDRAWN}),
        _S.STAGED: frozenset({_S.APPLIED, _S.HEALTHY, _S.ROLLED_BACK, _S.REFUSED}),
        _S.APPLIED: frozenset({_S.HEALTHY, _S.ROLLED_BACK}),
        # Whoever stands before the box may edit its own file, which then runs.
        _S.HEALTHY: frozenset({_S.ROLLED_BACK}),
        _S.ROLLED_BACK: frozenset(),
        _S.REFUSED: frozenset(),
        _S.WITHDRAWN: frozenset({_S.STAGED, _S.APPLIED, _S.HEALTHY, _S.ROLLED_BACK, _S.REFUSED}),
        _S.FOUND: frozenset(),
    }
)
# Between a person's release and the end of the trial.
UNDER_WAY = frozenset({_S.SENT, _S.STAGED, _S.APPLIED})


class BundleQuestion(msgspec.Struct, frozen=True):
    """Gateway to cloud: is there a configuration with a number above this?"""

    above: int


class Report(msgspec.Struct, frozen=True):
    """Gateway to cloud: configuration `number` came to this state; `reasons` say why, a line each."""

    number: int
    state: ConfigurationState
    reasons: list[str]
    at_ms: int


class Running(msgspec.Struct, frozen=True):
    """Gateway to cloud: what runs here, word for word; `number` is 0 if it is the gateway's own file."""

    number: int
    text: str
    profiles: dict[str, str]


class Heard(msgspec.Struct, frozen=True):
    """Cloud to gateway: that is written down."""

    is_heard: bool = True
