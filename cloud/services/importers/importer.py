"""What a kind of table must be able to do to be brought in, carried out and undone.

The invariant: `look` reads and `write` writes, in the same transaction when a plan is carried out; what
`write` made or changed is told so completely that undoing it needs nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cloud.domain.access import Action
from cloud.domain.imports.kind import Key, Kind, Values
from cloud.domain.imports.plan import Check, PlannedRow, Present
from cloud.domain.premises import Site
from cloud.domain.user import User
from cloud.store.db import Tx


@dataclass(frozen=True, slots=True)
class Look:
    """What is there, and what makes a row that can be read nevertheless wrong."""

    present: Present
    check: Check


# What was made, by noun, as `cloud.store.bulk.remove` and an importer's own `take_back` take it.
Made = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Importer:
    """One kind of table.

    `change` sets columns of things that are there, for changes and for undoing them; without it a changed
    row is added anew, because nothing of the kind is ever changed. `take_back` undoes, with a reason, what
    is never removed either.
    """

    kind: Kind
    action: Action
    look: Callable[[Tx, Site], Look]
    add: Callable[[Tx, User, Site, Sequence[PlannedRow]], Made]
    change: Callable[[Tx, User, Site, Mapping[Key, Values]], None] | None = None
    take_back: Callable[[Tx, User, Site, Mapping[str, Sequence[str]], str], None] | None = None
