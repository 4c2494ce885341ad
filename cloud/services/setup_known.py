"""What a site document refers to: everything there is of the site, by the codes people use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from cloud.domain.errors import Problem
from cloud.domain.ids import (
    AccountId,
    BuildingId,
    DeviceId,
    GatewayId,
    SeriesId,
    ServicePointId,
    SiteId,
    SpaceId,
)
from cloud.domain.user import User
from cloud.store.db import Tx

_T = TypeVar("_T")


@dataclass(slots=True)
class Known:
    """The site so far, and what was found wrong; each part of the document adds to it."""

    tx: Tx
    actor: User
    site_id: SiteId
    buildings: dict[str, BuildingId] = field(default_factory=dict)
    spaces: dict[str, SpaceId] = field(default_factory=dict)
    gateways: dict[str, GatewayId] = field(default_factory=dict)
    devices: dict[str, DeviceId] = field(default_factory=dict)  # "<gateway>/<device>"
    series: dict[str, SeriesId] = field(default_factory=dict)  # "<gateway>/<device>/<point name>"
    service_points: dict[str, ServicePointId] = field(default_factory=dict)
    accounts: dict[str, AccountId] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def find(self, things: Mapping[str, _T], code: str | None, place: str, what: str) -> _T | None:
        """Return what the code names; a code nobody has is a problem at `place`."""
        if code is None:
            return None
        if code not in things:
            self.wrong(place, f"there is no {what} {code!r}")
        return things.get(code)

    def wrong(self, place: str, detail: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(place, detail))

    def compare(self, place: str, **pairs: tuple[object, object]) -> None:
        """Note every named pair (what is there, what the document says) that differs."""
        for name, (there, said) in pairs.items():
            if there != said:
                self.wrong(f"{place}/{name}", f"the document says {said!r}, there is already {there!r}")
