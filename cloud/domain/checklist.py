"""A checklist: what a visit must look at, by cycle; a longer cycle's visit does all shorter ones too.

The invariant: a visit is signed only when every item of its cycle and of all shorter ones has an answer,
and what failed or was left out says why; no item can be passed over in silence (TSG T5002-2017, 附件).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

import msgspec

from cloud.domain.errors import Invalid, Problem

NOTE_LENGTH_MAX = 300
VALUE_LENGTH_MAX = 60
ITEMS_MAX = 300


class Cycle(Enum):
    """How often a visit is due, the shortest first; "" is a plan without an item list."""

    NONE = ""
    DAY = "day"
    WEEK = "week"
    HALF_MONTH = "half_month"
    MONTH = "month"
    QUARTER = "quarter"
    HALF_YEAR = "half_year"
    YEAR = "year"


_ORDER = {cycle: number for number, cycle in enumerate(Cycle)}


class CheckResult(Enum):
    """What was found at an item."""

    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"
    OK = "ok"


class CheckItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One thing to look at; one that `needs_value` asks for a measured value as proof."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    cycle: Cycle
    zh: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    en: Annotated[str, msgspec.Meta(max_length=300)] = ""
    needs_value: bool = False


class Checklist(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A list of items with the rule it follows."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    name_zh: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    name_en: Annotated[str, msgspec.Meta(max_length=100)] = ""
    basis: Annotated[str, msgspec.Meta(max_length=200)] = ""
    items: Annotated[tuple[CheckItem, ...], msgspec.Meta(max_length=ITEMS_MAX)]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a visit found at one item; the item's words are kept as they were then."""

    item_code: str
    text: str
    result: CheckResult
    value: str
    note: str


def checklist_from_json(text: bytes) -> Checklist:
    """Return the list in `text`; Invalid says where it is wrong."""
    try:
        found = msgspec.json.decode(text, type=Checklist)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise Invalid(f"this is no checklist: {error}") from error
    return checked_list(found)


def checked_list(found: Checklist) -> Checklist:
    """Return a list whose items can be told apart and belong to a cycle."""
    codes = [item.code for item in found.items]
    twice = next((code for code in codes if codes.count(code) > 1), None)
    if twice is not None:
        raise Invalid(f"the item {twice!r} is in the list twice")
    if any(item.cycle is Cycle.NONE for item in found.items):
        raise Invalid("every item belongs to a cycle")
    return found


def is_within(shorter: Cycle, longer: Cycle) -> bool:
    """Tell whether a visit of one cycle does the work of another too."""
    return Cycle.NONE not in (shorter, longer) and _ORDER[shorter] <= _ORDER[longer]


def items_of(checklist: Checklist, cycle: Cycle) -> tuple[CheckItem, ...]:
    """Return what a visit of a cycle must look at, the shortest cycle first."""
    own = [item for item in checklist.items if is_within(item.cycle, cycle)]
    return tuple(sorted(own, key=lambda item: _ORDER[item.cycle]))


def checked_answers(
    items: Sequence[CheckItem], said: Mapping[str, tuple[str, str, str]]
) -> tuple[Answer, ...]:
    """Return the answers (result, value, note by item) if they may be signed; Invalid names every gap."""
    results = {one.value: one for one in CheckResult}
    problems: list[Problem] = []
    answers = []
    for item in items:
        word, value, note = (part.strip() for part in said.get(item.code, ("", "", "")))
        result = results.get(word)
        place = f"/answers/{item.code}"
        if result is None:
            problems.append(Problem(place, f"{item.code} has no answer: {item.zh}"))
            continue
        if len(value) > VALUE_LENGTH_MAX or len(note) > NOTE_LENGTH_MAX:
            problems.append(Problem(place, f"{item.code} says more than is kept"))
        elif result is not CheckResult.OK and not note:
            problems.append(Problem(place, f"{item.code} needs a note why: {item.zh}"))
        elif result is CheckResult.OK and item.needs_value and not value:
            problems.append(Problem(place, f"{item.code} needs the measured value: {item.zh}"))
        answers.append(Answer(item.code, item.zh, result, value, note))
    unknown = sorted(set(said) - {item.code for item in items})
    problems += [Problem(f"/answers/{code}", f"{code} is not on this list") for code in unknown]
    if problems:
        raise Invalid(f"{len(problems)} items cannot be signed yet: {problems[0].detail}", problems)
    return tuple(answers)
