"""The parallel run: a month in the system before and here, charge by charge.

The invariant: nothing is computed for it. Ours is what was issued or, before that, what the newest check of
the month came to; so what agrees here is what will be billed.
"""

from cloud.domain.access import Action, require
from cloud.domain.errors import NotFound
from cloud.domain.ids import PeriodId, SiteId
from cloud.domain.parallel_run import Charged, ChargeKey, ParallelRun, Place, compare
from cloud.domain.periods import billing_month, month_code
from cloud.domain.user import User
from cloud.services.premises import site_of
from cloud.store import bill_runs, former_charges, people, periods
from cloud.store.db import Tx


def parallel_run(tx: Tx, actor: User, site_id: SiteId, month: str) -> ParallelRun:
    """Return a month in both systems; NotFound where nothing of the system before was brought in."""
    require(actor, Action.READ_LEDGER)
    site = site_of(tx, site_id)
    code = month_code(billing_month(month).start_on)
    theirs: dict[ChargeKey, Charged] = {
        (one.account_number, one.charge_code): one.charged
        for one in former_charges.charges_of(tx, site_id, code)
    }
    if not theirs:
        raise NotFound(f"nothing that the system before charged for {code} was brought in")
    period = periods.find_by_code(tx, site.site_id, code)
    ours: dict[ChargeKey, Charged] = {}
    held: set[str] = set()
    if period is not None:
        ours = former_charges.invoiced(tx, period.period_id)
        held = {hold.account_number for hold in periods.list_holds(tx, period.period_id)}
    is_issued = bool(ours)
    if period is not None and not is_issued:
        ours, held = _checked(tx, period.period_id)
    places = {
        number: Place(number, one.holder_name, one.space_code or "")
        for number, one in people.accounts_by_number(tx, site_id).items()
    }
    return compare(code, places, theirs, ours, held, is_issued=is_issued)


def months_to_compare(tx: Tx, actor: User, site_id: SiteId) -> list[str]:
    """Return the months with charges of the system before, newest first."""
    require(actor, Action.READ_LEDGER)
    return former_charges.months_of(tx, site_of(tx, site_id).site_id)


def _checked(tx: Tx, period_id: PeriodId) -> tuple[dict[ChargeKey, Charged], set[str]]:
    """Return what the newest check of a period came to, and whom it could not bill."""
    run = bill_runs.newest(tx, period_id)
    rows = [] if run is None else bill_runs.rows_of(tx, run.run_id)
    sums = {
        (row.account_number, code): Charged(fen) for row in rows for code, fen in row.checked.sums.items()
    }
    return sums, {row.account_number for row in rows if row.checked.amount_fen is None}
