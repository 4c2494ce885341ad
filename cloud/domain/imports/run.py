"""One import: an uploaded table from its check to its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from cloud.domain.ids import ImportId, SiteId
from cloud.domain.imports.plan import Outcome

# How long an import can be undone: the day it was made, and the next one's morning.
UNDO_WITHIN_MS = 24 * 3_600_000


class ImportState(Enum):
    """The life of an import."""

    CHECKED = "checked"  # judged; nothing was written
    DONE = "done"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class ChangedThing:
    """One thing an import changed: what names it, and its columns before and after, as JSON."""

    key: tuple[str | int | None, ...]
    before: Mapping[str, str | int | None]
    after: Mapping[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Effect:
    """What an import did: what it made, by noun, and what it changed."""

    made: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    changed: tuple[ChangedThing, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportRun:
    """One import as kept."""

    import_id: ImportId
    site_id: SiteId
    kind: str
    file_name: str
    file_sha256: str
    state: ImportState
    counts: Mapping[Outcome, int]
    started_by: str
    checked_at_ms: int
    done_at_ms: int | None
    undone_at_ms: int | None

    def can_undo(self, now_ms: int) -> bool:
        """Tell whether it can still be undone."""
        return (
            self.state is ImportState.DONE
            and self.done_at_ms is not None
            and now_ms - self.done_at_ms <= UNDO_WITHIN_MS
        )
