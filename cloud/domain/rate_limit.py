"""How often somebody may try something: a bucket that refills, and a wait that grows with failure.

The invariant: nobody is ever locked out for good, and nobody's failures make somebody else wait. The
whole state is two numbers, so a restart forgets nothing (generic cell rate algorithm, ITU-T I.371).
"""

from dataclasses import dataclass

from cloud.domain.errors import Invalid

# The wait between attempts stops growing here: long enough to make guessing hopeless, short enough
# that a person who remembers the password after lunch gets in.
INTERVAL_MAX_MS = 15 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Limit:
    """`burst` attempts at once, then one every `interval_ms`.

    After `forgiven` failures in a row the interval doubles with each one more; None: it never does.
    """

    scope: str
    burst: int
    interval_ms: int
    forgiven: int | None = None

    def __post_init__(self) -> None:
        if self.burst < 1 or self.interval_ms < 1:
            raise Invalid(
                f"limit {self.scope}: burst {self.burst} and interval {self.interval_ms} must be positive"
            )


@dataclass(frozen=True, slots=True)
class Spent:
    """What one subject has taken: paid back at `due_at_ms`, after `failures` in a row."""

    due_at_ms: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer to one attempt: the state to keep, and how long to wait if it was refused (else 0)."""

    spent: Spent
    wait_ms: int


# Five a minute on one login, twenty a minute from one address (which a whole office may share). Only the
# pair waits ever longer: otherwise a stranger who guesses at a login would keep its owner out.
SIGN_IN_PER_LOGIN = Limit("sign_in_login", burst=5, interval_ms=12_000)
SIGN_IN_PER_ADDRESS = Limit("sign_in_address", burst=20, interval_ms=3_000)
SIGN_IN_PER_PAIR = Limit("sign_in_pair", burst=5, interval_ms=12_000, forgiven=5)

# A person with a folder of papers checks one every few seconds; a program that tries codes gets nowhere.
VERIFICATION_PER_ADDRESS = Limit("verification", burst=30, interval_ms=3_000)
# A day's work of boxes is enrolled from one office; who guesses gets no further. Each token has its own five.
ENROL_PER_ADDRESS = Limit("enrol_address", burst=20, interval_ms=3_000, forgiven=5)
# A box renews every two months; one that does it all day is broken.
RENEW_PER_GATEWAY = Limit("renew_gateway", burst=5, interval_ms=3600 * 1000)

# A guard types a code every few seconds; who tries codes of eight digits waits ever longer.
VISIT_CODE_PER_USER = Limit("visit_code", burst=10, interval_ms=3_000, forgiven=10)
# Six digits and a shelf of some dozens: ten tries are a slip of the finger, more are guessing.
PARCEL_CODE_PER_USER = Limit("parcel_code", burst=10, interval_ms=3_000, forgiven=10)
# Six digits that only the holder of one link may try: the tenth wrong one is no slip of the finger.
HOUSEHOLD_CODE_PER_LINK = Limit("household_code", burst=5, interval_ms=60_000, forgiven=5)
# Six digits and a handful of slips that let out.
GOODS_CODE_PER_USER = Limit("goods_code", burst=10, interval_ms=3_000, forgiven=10)
# Six digits of which three are good at a time: ten tries, then ever more slowly.
SECOND_FACTOR_PER_USER = Limit("second_factor", burst=5, interval_ms=12_000, forgiven=5)

# What somebody tries in vain is worth knowing, not worth filling a disk with.
DENIALS_AUDITED = Limit("denial_audit", burst=20, interval_ms=60_000)


def take(limit: Limit, spent: Spent, now_ms: int) -> Taken:
    """Take one attempt if the bucket has one; a refused attempt costs nothing, so waiting always ends."""
    interval_ms = _interval_ms(limit, spent.failures)
    due_at_ms = max(spent.due_at_ms, now_ms) + interval_ms
    early_ms = due_at_ms - now_ms - max(limit.burst * limit.interval_ms, interval_ms)
    if early_ms > 0:
        return Taken(spent, early_ms)
    return Taken(Spent(due_at_ms, spent.failures), 0)


def failed(spent: Spent) -> Spent:
    """Return the state after the attempt turned out wrong."""
    return Spent(spent.due_at_ms, spent.failures + 1)


def succeeded(limit: Limit, spent: Spent) -> Spent:
    """Return the state after the attempt turned out right: the attempt is given back, failures forgotten."""
    return Spent(max(0, spent.due_at_ms - _interval_ms(limit, spent.failures)), 0)


def _interval_ms(limit: Limit, failures: int) -> int:
    if limit.forgiven is None or failures <= limit.forgiven:
        return limit.interval_ms
    doublings = min(failures - limit.forgiven, 20)
    return max(limit.interval_ms, min(limit.interval_ms << doublings, INTERVAL_MAX_MS))
