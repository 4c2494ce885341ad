"""One bill run in a process of its own, to be killed: `close` is what the process does.

In a module by itself because a process that is begun by name imports no more than it needs.
"""

import asyncio
import time
from multiprocessing.connection import Connection

from cloud.domain.errors import Conflict, Unavailable
from cloud.domain.ids import PeriodId
from cloud.services.closing import close_period
from cloud.store.db import Database
from tests.billing.estate import SYSTEM
from tests.databases import PRIVACY_KEY, TENANT, Keyring

# Sixty-four at once want more connections, or wait longer for the lock, than a database may grant.
_ATTEMPTS = 200


def close(url: str, now_ms: int, period_id: PeriodId, begun: Connection) -> None:
    """Close a period as a server would; one that is closed already is well."""
    database = Database(url, clock=lambda: now_ms, keyring=Keyring(PRIVACY_KEY))
    begun.send(True)
    last: Unavailable | None = None
    for _ in range(_ATTEMPTS):
        try:
            asyncio.run(close_period(database, TENANT, SYSTEM, period_id, group_size=1))
        except Conflict:
            return  # another run was done already
        except Unavailable as error:
            last = error
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("the database was never to be had") from last
