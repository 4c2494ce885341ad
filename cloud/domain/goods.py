"""Goods release: what a home carries out, asked for, approved, and checked at the gate against the slip.

The invariant: a slip lets out once, within its time, and only after somebody who may has approved it; where
it stands follows from its times alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from cloud.domain.errors import Invalid
from cloud.domain.ids import AccountId, GoodsSlipId, SiteId

_HOUR_MS = 3_600_000
ITEMS_MAX = 50
ITEM_LENGTH_MAX = 80
COUNT_MAX = 999
NOTE_LENGTH_MAX = 300
CODE_DIGITS = 6
# A removal takes days, not weeks.
VALID_MAX_MS = 7 * 24 * _HOUR_MS
AHEAD_MAX_MS = 30 * 24 * _HOUR_MS
# Of one home, asked for or approved and still to come.
OPEN_MAX = 10


class GoodsState(Enum):
    """Where a slip stands."""

    ASKED = "asked"
    APPROVED = "approved"
    REFUSED = "refused"
    RELEASED = "released"
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class GoodsItem:
    """One line of a slip."""

    name: str
    count: int

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= ITEM_LENGTH_MAX:
            raise Invalid(f"an item has 1 to {ITEM_LENGTH_MAX} characters: {self.name!r}")
        if not 1 <= self.count <= COUNT_MAX:
            raise Invalid(f"{self.name}: {self.count} pieces, expected 1 to {COUNT_MAX}")


@dataclass(frozen=True, slots=True)
class GoodsSlip:
    """One slip; `code` is whole for its home alone, else empty, and empty until it is approved."""

    slip_id: GoodsSlipId
    site_id: SiteId
    account_id: AccountId
    space_code: str
    items: tuple[GoodsItem, ...]
    note: str
    from_ms: int
    until_ms: int
    asked_at_ms: int
    asked_by: str
    decided_at_ms: int | None
    decided_by: str
    is_approved: bool | None
    refusal: str
    code: str
    released_at_ms: int | None
    released_by: str
    gate_note: str
    withdrawn_at_ms: int | None

    def state_at(self, now_ms: int) -> GoodsState:
        """Return where it stands at a moment."""
        if self.released_at_ms is not None:
            return GoodsState.RELEASED
        if self.withdrawn_at_ms is not None:
            return GoodsState.WITHDRAWN
        if self.is_approved is False:
            return GoodsState.REFUSED
        if now_ms > self.until_ms:
            return GoodsState.LAPSED
        return GoodsState.APPROVED if self.is_approved else GoodsState.ASKED

    def lets_out_at(self, now_ms: int) -> bool:
        """Tell whether the goods may leave at a moment."""
        return self.state_at(now_ms) is GoodsState.APPROVED and now_ms >= self.from_ms


def items_of(lines: Sequence[str]) -> tuple[GoodsItem, ...]:
    """Return items written one a line, `sofa` or `chair x 4`; Invalid names the line that does not fit."""
    items = []
    for line in lines:
        name, _, count = line.replace("×", "x").replace("*", "x").rpartition("x")
        has_count = bool(name.strip()) and count.strip().isdecimal() and count.strip().isascii()
        items.append(GoodsItem(name.strip(), int(count)) if has_count else GoodsItem(line.strip(), 1))
    return tuple(items)
