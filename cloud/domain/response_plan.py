"""Response plans: what to do at each kind of emergency, step by step, and which steps were done.

The invariant: an alarm has the plan that was in force when it was raised, whatever is written later, so
what was ticked stays what it said; a version is never changed, only followed by the next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from cloud.domain.errors import Invalid
from cloud.domain.ids import UserId
from cloud.domain.user import Locale

STEPS_MAX = 20
STEP_LENGTH_MAX = 200


class PlanKind(Enum):
    """What a plan is for."""

    COMMON = "common"  # what has no plan of its own
    FIRE = "fire"
    GAS = "gas"
    INTRUSION = "intrusion"
    LEAK = "leak"
    LIFT = "lift"
    POWER = "power"
    TRAPPED = "trapped"


_KINDS: Mapping[str, PlanKind] = MappingProxyType(
    {
        "burglary": PlanKind.INTRUSION,
        "door_forced": PlanKind.INTRUSION,
        "door_open": PlanKind.INTRUSION,
        "fire_alarm": PlanKind.FIRE,
        "gas_alarm": PlanKind.GAS,
        "intrusion": PlanKind.INTRUSION,
        "intrusion_alarm": PlanKind.INTRUSION,
        "leak": PlanKind.LEAK,
        "lift_fault": PlanKind.LIFT,
        "mains_fault": PlanKind.POWER,
        "night_flow": PlanKind.LEAK,
        "panic_alarm": PlanKind.INTRUSION,
        "power_fault": PlanKind.POWER,
        "tamper": PlanKind.INTRUSION,
        "trapped_person": PlanKind.TRAPPED,
        "water_leak": PlanKind.LEAK,
    }
)


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step, in both languages."""

    chinese: str
    english: str

    def __post_init__(self) -> None:
        for text in (self.chinese, self.english):
            if not 1 <= len(text) <= STEP_LENGTH_MAX:
                raise Invalid(f"a step has 1 to {STEP_LENGTH_MAX} characters in each language: {text!r}")

    def said(self, locale: Locale) -> str:
        """Return the step as the reader's language says it."""
        return self.chinese if locale is Locale.CHINESE else self.english


@dataclass(frozen=True, slots=True)
class ResponsePlan:
    """One version of a plan; version 0 is what the program comes with."""

    kind: PlanKind
    version: int
    steps: tuple[PlanStep, ...]
    written_by: UserId | None
    written_by_name: str
    written_at_ms: int | None

    def __post_init__(self) -> None:
        if not 1 <= len(self.steps) <= STEPS_MAX:
            raise Invalid(f"a plan has 1 to {STEPS_MAX} steps, not {len(self.steps)}")


@dataclass(frozen=True, slots=True)
class DoneStep:
    """A step that was done: which (from 1), when and by whom."""

    step_no: int
    at_ms: int
    user_id: UserId
    user_name: str


@dataclass(frozen=True, slots=True)
class PlanAtAlarm:
    """The plan an alarm asks for, and how far it was followed."""

    plan: ResponsePlan
    done: Mapping[int, DoneStep]

    @property
    def current_no(self) -> int:
        """Return the first step that is not done; one past the last when all are."""
        numbers = range(1, len(self.plan.steps) + 1)
        return next((number for number in numbers if number not in self.done), len(self.plan.steps) + 1)


def plan_kind_of(alarm_kind: str) -> PlanKind:
    """Return which plan a kind of alarm asks for."""
    return _KINDS.get(alarm_kind, PlanKind.COMMON)


def steps_of(chinese: Sequence[str], english: Sequence[str]) -> tuple[PlanStep, ...]:
    """Return steps written line by line in two languages; Invalid where one has more lines."""
    if len(chinese) != len(english):
        raise Invalid(f"{len(chinese)} steps in Chinese and {len(english)} in English: write each in both")
    return tuple(PlanStep(*pair) for pair in zip(chinese, english, strict=True))
