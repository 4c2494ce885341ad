"""The journal of a month for the finance department, and the chart it is written in."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from zoneinfo import ZoneInfo

from cloud.domain.access import Action, require
from cloud.domain.journal import (
    Journal,
    JournalLine,
    Subject,
    Voucher,
    check_codes,
    checked_mapping,
    subject_of,
)
from cloud.domain.ledger import CHART
from cloud.domain.periods import billing_month, local_date, midnight_ms, time_zone
from cloud.domain.user import User
from cloud.store import audit, journal, ledger, premises
from cloud.store.db import Tx
from cloud.store.journal import PostedLine


def month_journal(tx: Tx, actor: User, month: str) -> Journal:
    """Return what was posted in a local month ("2026-10") as vouchers; it balances, or it is not made."""
    require(actor, Action.READ_LEDGER)
    zone = books_zone(tx)
    dates = billing_month(month)
    mapped = journal.subjects(tx)
    posted = journal.posted_lines(tx, midnight_ms(dates.start_on, zone), midnight_ms(dates.end_on, zone))
    vouchers = [
        _voucher(number, list(lines), mapped, zone)
        for number, (_, lines) in enumerate(groupby(posted, lambda line: line.entry_id), start=1)
    ]
    return Journal(month, tuple(vouchers))


def chart_subjects(tx: Tx, actor: User) -> dict[str, Subject]:
    """Return every ledger account with what it is in the finance department's chart."""
    require(actor, Action.READ_LEDGER)
    mapped = journal.subjects(tx)
    return {code: subject_of(code, mapped) for code in CHART}


def set_subjects(tx: Tx, actor: User, subjects: Mapping[str, Subject]) -> dict[str, Subject]:
    """Say what ledger accounts are in the finance department's chart; the books stay as they are."""
    require(actor, Action.MANAGE_TARIFFS)
    ledger.ensure_chart(tx)
    mapped = {**journal.subjects(tx), **checked_mapping(subjects)}
    check_codes({code: subject_of(code, mapped) for code in CHART})
    journal.put_subjects(tx, subjects)
    audit.record(tx, actor.user_id, "set_subjects", "ledger", "", {"count": len(subjects)})
    return chart_subjects(tx, actor)


def _voucher(
    number: int, lines: Sequence[PostedLine], mapped: Mapping[str, Subject], zone: ZoneInfo
) -> Voucher:
    first = lines[0]
    return Voucher(
        number,
        local_date(first.posted_at_ms, zone),
        first.occurred_on,
        first.kind,
        first.memo,
        tuple(
            JournalLine(subject_of(line.ledger_account, mapped), line.amount_fen, line.account_number)
            for line in lines
        ),
    )


def books_zone(tx: Tx) -> ZoneInfo:
    """Return the zone the company's months are in: that of its first site."""
    sites = premises.list_sites(tx)
    return time_zone(sites[0].time_zone if sites else "UTC")
