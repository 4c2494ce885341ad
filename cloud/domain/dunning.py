"""Dunning: reminding of what is overdue, step by step, and of nothing once money has come.

"Three days after the due day a friendly word, after fifteen another, after thirty a letter." The
invariant: an account is told of one debt at one step once; it is told, and nothing else happens: nothing here
knows a valve, a relay or a door (Civil Code 944).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from cloud.domain.errors import Invalid
from cloud.domain.ids import AccountId

# A reminder for each of these many steps, ten years long: more is no schedule but a siege.
STEPS_MAX = 12
DAYS_MAX = 3650


@dataclass(frozen=True, slots=True)
class DunningSchedule:
    """The days overdue on which somebody is reminded, rising; none: nobody is."""

    days: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.days) > STEPS_MAX:
            raise Invalid(f"a dunning schedule has at most {STEPS_MAX} steps, this one has {len(self.days)}")
        if list(self.days) != sorted(set(self.days)):
            raise Invalid(f"the days of a dunning schedule rise: {', '.join(map(str, self.days))}")
        if any(not 1 <= day <= DAYS_MAX for day in self.days):
            raise Invalid(f"a reminder comes 1 to {DAYS_MAX} days after the due day")

    def step(self, oldest_due_on: date, today: date) -> int | None:
        """Return the last step reached, counted from 1, by what has been overdue longest; None before."""
        overdue = (today - oldest_due_on).days
        return sum(1 for day in self.days if overdue >= day) or None


@dataclass(frozen=True, slots=True)
class DunningPause:
    """An account nobody is to remind up to, not including, a day: a dispute, a promise to pay."""

    account_id: AccountId
    until_on: date
    reason: str


def dunning_subject(account_id: AccountId) -> str:
    """Return what an account's reminders are about, by which they are withdrawn."""
    return f"dunning:{account_id}"


def reminder_key(account_id: AccountId, oldest_due_on: date, step: int) -> str:
    """Return the key of one reminder: this account, this debt, this step."""
    return f"dunning:{account_id}:{oldest_due_on.isoformat()}:{step}"


def schedule_of(days: Sequence[int]) -> DunningSchedule:
    """Return the schedule of these days."""
    return DunningSchedule(tuple(days))
