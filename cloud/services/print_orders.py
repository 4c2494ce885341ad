"""What is printed in one run: the bills of a month, or a notice for everybody who has something to pay."""

from collections.abc import Sequence
from datetime import date

from cloud.domain.access import Action, require
from cloud.domain.errors import NotFound
from cloud.domain.ids import AccountId, InvoiceId, SiteId
from cloud.domain.paid import AccountNotice
from cloud.domain.user import User
from cloud.services import billing, papers
from cloud.services.premises import site_of
from cloud.store import bills, payments, people
from cloud.store.db import Tx


def bills_to_print(tx: Tx, actor: User, site_id: SiteId, period_code: str) -> tuple[str, list[InvoiceId]]:
    """Return what a run of a month's documents is called, and the documents by number."""
    require(actor, Action.READ_LEDGER)
    site = site_of(tx, site_id)
    period = next((one for one in billing.list_periods(tx, actor, site_id) if one.code == period_code), None)
    if period is None:
        raise NotFound(f"site {site.code} has no period {period_code!r}")
    return f"{site.code}-{period_code}", bills.list_ids(tx, period.period_id)


def debtors_to_print(tx: Tx, actor: User, site_id: SiteId, as_of: date) -> tuple[str, list[AccountId]]:
    """Return what a run of notices is called, and the accounts with an open invoice, by number."""
    require(actor, Action.READ_LEDGER)
    site = site_of(tx, site_id)
    accounts = people.accounts_by_number(tx, site_id)
    owing = payments.owing_accounts(tx, site_id)
    ids = [account.account_id for _, account in sorted(accounts.items()) if account.account_id in owing]
    return f"{site.code}-notices-{as_of}", ids


def notices_of(tx: Tx, actor: User, account_ids: Sequence[AccountId], as_of: date) -> list[AccountNotice]:
    """Return the notices of some accounts; one that has paid meanwhile is left out."""
    require(actor, Action.READ_LEDGER)
    notices = []
    for account_id in account_ids:
        try:
            notices.append(papers.notice_of(tx, actor, account_id, as_of))
        except NotFound:
            continue
    return notices
