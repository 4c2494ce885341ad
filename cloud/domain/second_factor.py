"""The second factor: a code from the telephone that nobody who has only the password can give.

The invariant: no code and no recovery code is good twice. How one is computed is RFC 6238: from a shared
secret and the number of 30-second intervals since 1970.
"""

import re
from dataclasses import dataclass, field

from cloud.domain.ids import UserId

INTERVAL_MS = 30_000
# A telephone's clock may be half a minute off, and typing takes a while: one interval either way.
INTERVALS_EITHER_WAY = 1

RECOVERY_CODES = 10
# 50 bits each, guessed against a rate limit; without the letters and digits people mix up.
RECOVERY_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
RECOVERY_HALF = 5  # told and typed in two halves: `7kd2m-p9xqa`

_ONE_TIME = re.compile(r"[0-9]{6}")


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """What somebody's codes come from. Unconfirmed: it was shown, and no code of it has been given yet."""

    user_id: UserId
    begun_at_ms: int
    confirmed_at_ms: int | None
    last_interval: int
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SecondFactorState:
    """What somebody may know of their own second factor."""

    confirmed_at_ms: int | None
    codes_left: int
    is_required: bool


def plain_code(typed: str) -> str:
    """Return a code as it is compared, whatever blanks, dashes and capitals it was typed with."""
    bare = re.sub(r"[\s-]", "", typed).lower()
    if len(bare) != 2 * RECOVERY_HALF:
        return bare
    return f"{bare[:RECOVERY_HALF]}-{bare[RECOVERY_HALF:]}"


def is_one_time(code: str) -> bool:
    """Tell whether a code is of the telephone's kind: six digits."""
    return _ONE_TIME.fullmatch(code) is not None


def intervals_around(now_ms: int) -> range:
    """Return the intervals whose codes are good now."""
    present = now_ms // INTERVAL_MS
    return range(present - INTERVALS_EITHER_WAY, present + INTERVALS_EITHER_WAY + 1)
