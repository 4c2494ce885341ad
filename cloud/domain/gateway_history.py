"""What happened to a gateway, one line a happening, whatever table it was written down in."""

from dataclasses import dataclass
from enum import Enum


class Subject(Enum):
    """What a happening is about."""

    ALARM = "alarm"  # the box itself: silent, its clock, its disk, its certificate
    COMMAND = "command"
    CONFIGURATION = "configuration"
    IDENTITY = "identity"
    LOSS = "loss"  # rows the box gave up before they could be sent
    QUARANTINE = "quarantine"  # a block that could not be taken
    STORE = "store"  # the box began to number anew


@dataclass(frozen=True, slots=True)
class Happening:
    """One line. `what` is the subject's own word (a state, an act, a kind), `about` names what it befell.

    `who` is empty where no person did it; `reference` finds the thing again.
    """

    at_ms: int
    subject: Subject
    what: str
    about: str = ""
    detail: str = ""
    who: str = ""
    reference: str = ""
    rows: int | None = None
