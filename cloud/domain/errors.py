"""What can go wrong inside the cloud, in the words of the domain.

Doors translate these in one table each; nothing below a door knows a status code. The message
names the thing and the value and says what was expected; it is shown to people, so it holds no secret.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing wrong in a document: where (a JSON pointer such as `/tiers/1/price`), and what."""

    pointer: str
    detail: str


class GatehouseError(Exception):
    """Anything the cloud refuses or cannot do."""


class Invalid(GatehouseError):
    """The caller's input does not make sense; `problems` lists every part that does not."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class NotFound(GatehouseError):
    """There is no such thing, or the caller may not know that there is."""


class Conflict(GatehouseError):
    """The thing is in another state than the caller's act needs, or already exists otherwise."""


class Forbidden(GatehouseError):
    """The caller is known, and may not do this."""


class Unauthenticated(GatehouseError):
    """Nobody knows who the caller is: no credential, or one that does not hold."""


class ReauthenticationNeeded(Unauthenticated):
    """The caller is known, and must show again that it is they who ask: it has been too long."""


class SecondFactorNeeded(Unauthenticated):
    """The password was right, and the code of the second factor is missing."""


class TooMany(GatehouseError):
    """The caller, or everybody together, asks faster than we answer; try again later."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(GatehouseError):
    """The store cannot be reached or cannot write just now; nothing was changed, try again later."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
