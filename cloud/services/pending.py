"""Usage that ladders count although it is not billed yet: for what is computed ahead of the bill.

The invariant: usage is counted once. What is billed already stands in the books and is not added here.
"""

from collections.abc import Collection, Sequence
from zoneinfo import ZoneInfo

from cloud.domain.ids import AccountId, ServicePointId
from cloud.domain.periods import ServicePeriod
from cloud.services.assessment import Assessment, assess
from cloud.store import subjects
from cloud.store.db import Tx
from cloud.store.subjects import Subject
from cloud.store.usage import HistoryRow

Pending = dict[ServicePointId, list[HistoryRow]]


def add_holders_before(
    tx: Tx,
    found: Sequence[Subject],
    dates: ServicePeriod,
    zone: ZoneInfo,
    pending: Pending,
    as_of_ms: int | None = None,
    billed: Collection[AccountId] = (),
) -> None:
    """Add what those used who had a service point earlier in these dates: ladders may go on there.

    `as_of_ms` as for `assess`; those who are `billed` are in the books.
    """
    took_over = {
        service.service_point_id
        for subject in found
        for service in subject.services
        if service.service_point_id is not None and service.dates.start_on > dates.start_on
    }
    before = subjects.holders_before(tx, took_over, dates)
    holders = sorted({account_id for rows in before.values() for account_id, _ in rows} - set(billed))
    if holders:
        earlier = subjects.load_subjects(tx, holders, dates, dates.bounds_ms(zone))
        for outcome in assess(tx, earlier, zone, as_of_ms, pending):
            if isinstance(outcome, Assessment):
                add_usage(pending, outcome)


def add_usage(pending: Pending, outcome: Assessment) -> None:
    """Add what an assessed account used."""
    account_id = outcome.subject.account.account_id
    for service in outcome.services:
        point = service.service.service_point_id
        if point is None:
            continue
        rows = pending.setdefault(point, [])
        rows += [
            HistoryRow(point, account_id, part.planned.dates, part.used.quantity) for part in service.slices
        ]
