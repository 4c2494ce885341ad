"""What a search over a whole site finds: things of every kind, each by what people call it.

The invariant: what is found is named as its own list names it; numbers of people are masked here too.
"""

from dataclasses import dataclass
from enum import Enum

SEARCH_LENGTH_MAX = 60
EACH_MAX = 6  # of one kind: whoever needs more goes to the kind's own list


class FoundKind(Enum):
    """What was found, in the order people look for it."""

    ACCOUNT = "account"
    SPACE = "space"
    PERSON = "person"
    METER = "meter"
    EQUIPMENT = "equipment"
    REPAIR = "repair"
    COMPLAINT = "complaint"
    INVOICE = "invoice"
    ALARM = "alarm"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Found:
    """One thing found.

    `key` names it in addresses; `word` is its kind within its kind or its state (an alarm's kind, a
    repair's state), for whoever shows it to say in their language; `detail` is what people wrote.
    """

    kind: FoundKind
    key: str
    name: str
    detail: str = ""
    word: str = ""
    amount_fen: int | None = None
