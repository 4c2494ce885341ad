"""What a site's present day and month ask for, done once by whichever process comes first.

The invariant: it does what a missed run would have done; how long nobody turned the calendar makes no
difference to what is there afterwards.
"""

from cloud.domain.periods import local_date, month_code, time_zone
from cloud.domain.user import SessionLimits, User
from cloud.services import billing, dunning, idempotency, imports, maintenance, rate_limits, users, webhooks
from cloud.store import job_runs, premises
from cloud.store.db import Tx

_HOUR_MS = 3600 * 1000
_DAY_MS = 24 * _HOUR_MS


def turn(tx: Tx, actor: User, limits: SessionLimits) -> dict[str, int]:
    """Open running billing months, ask for maintenance that is due, forget what has ended.

    Returns how much of each was done; nothing on a day whose work is done.
    """
    done = {"periods_opened": 0, "work_orders": 0, "reminders": 0, "forgotten": 0}
    for site in premises.list_sites(tx):
        today = local_date(tx.now_ms, time_zone(site.time_zone))
        month = month_code(today)
        if job_runs.begin(tx, "open_period", f"{site.code} {month}"):
            billing.open_period(tx, actor, site.site_id, month)
            done["periods_opened"] += 1
        # What equipment says of itself does not wait for the night.
        if job_runs.begin(tx, "work_orders", f"{site.code} {tx.now_ms // _HOUR_MS}"):
            done["work_orders"] += maintenance.generate_work_orders(tx, actor, site.site_id)
        if job_runs.begin(tx, "dunning", f"{site.code} {today}"):
            done["reminders"] += dunning.remind(tx, actor, site.site_id)
    if job_runs.begin(tx, "forget", str(tx.now_ms // _DAY_MS)):
        done["forgotten"] += users.forget_ended_sessions(tx, limits)
        done["forgotten"] += rate_limits.forget_old(tx)
        done["forgotten"] += idempotency.forget_old(tx)
        done["forgotten"] += webhooks.forget_old(tx)
        done["forgotten"] += imports.forget_files(tx)
    return done
