"""Between a reader and whoever decides: what was shown there, and the way to ask.

The invariant: a reader whose doors nobody decides about is told so, and goes on as if there were no grants.
"""

from dataclasses import dataclass, field
from typing import Protocol

from protocol.access import BadgeKind
from provisioning.config import DeviceId


@dataclass(frozen=True, slots=True)
class Shown:
    """A badge shown at a reader. `secret` is never written down; `ends` is for a guard to compare."""

    reader: DeviceId
    kind: BadgeKind
    secret: str = field(repr=False)
    ends: str = ""
    may_be_late: bool = False  # it may have waited at a broker while we were away


class Porter(Protocol):
    """Who decides."""

    def minds(self, reader: DeviceId) -> bool:
        """Tell whether badges shown at a reader are decided about here."""

    async def attend(self, shown: Shown) -> bool:
        """Decide, write down, and open; tell whether somebody was let in."""


class Doorway:
    """Where readers find the porter, once there is one."""

    def __init__(self) -> None:
        self.porter: Porter | None = None

    def minds(self, reader: DeviceId) -> bool:
        """Tell whether badges shown at a reader are decided about here."""
        return self.porter is not None and self.porter.minds(reader)

    async def attend(self, shown: Shown) -> bool:
        """Hand on what was shown at a reader that is minded."""
        assert self.porter is not None, "only minded readers are attended to"
        return await self.porter.attend(shown)
