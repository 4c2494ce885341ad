"""Work on many accounts: a group in one transaction or, where that fails, one account a transaction.

Async because it stands between transactions. The invariant: an account at which the program fails is set
aside with what went wrong and holds up none of its neighbours; what is nobody's account's fault (the
period was closed meanwhile, the database is gone) ends the whole run.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from cloud.domain.errors import Conflict, Forbidden, Unavailable
from cloud.domain.ids import AccountId

log = logging.getLogger(__name__)

Done = TypeVar("Done")

# Accounts a transaction. One account each would pay one flush to disk each; a hundred share one and
# still hold the writer for well under a quarter of a second.
GROUP_SIZE = 100


async def by_account(
    group: Sequence[AccountId],
    work: Callable[[Sequence[AccountId]], Awaitable[Done]],
    set_aside: Callable[[AccountId, str], Awaitable[Done]],
) -> list[Done]:
    """Do a group's work in one transaction, else each account's in its own; return what every one gave.

    `set_aside` writes down an account the program failed at, with what to say of it.
    """
    try:
        return [await work(group)]
    except (Conflict, Forbidden, Unavailable):
        raise
    except Exception as error:  # whatever one account brings to light must not hold up the others
        if len(group) == 1:
            log.exception(
                "the program failed at an account; it was set aside", extra={"account_id": group[0]}
            )
            return [await set_aside(group[0], f"{type(error).__name__}: report the log")]
        log.warning("a group of accounts is worked on one by one", exc_info=True)
    return [done for one in group for done in await by_account([one], work, set_aside)]
