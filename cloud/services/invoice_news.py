"""Telling an account's people of its bill, once each, after the bill run and apart from it.

The invariant: an invoice is told of once, however often this runs; telling never holds up billing.
"""

from cloud.domain.ids import PeriodId
from cloud.domain.notice import NewNotice, Topic
from cloud.services.notices import notify
from cloud.services.premises import site_of
from cloud.store import invoice_news
from cloud.store.db import Tx

_TOLD_AT_ONCE = 50


def tell_some(tx: Tx, period_id: PeriodId) -> bool:
    """Hand the notices of some invoices of a period to the outbox; tell whether there may be more."""
    untold = invoice_news.list_untold(tx, period_id, _TOLD_AT_ONCE)
    for one in untold:
        values = {
            "site": site_of(tx, one.site_id).name,
            "space": one.space_code or one.account_number,
            "account": one.account_number,
            "month": one.period_code,
            "number": one.number,
            "amount": f"{one.total_fen // 100}.{one.total_fen % 100:02}",
            "due": one.due_on.isoformat(),
        }
        notify(
            tx,
            NewNotice(
                Topic.INVOICE,
                f"{invoice_news.NOTICE_KEY}{one.number}",
                values,
                account_id=one.account_id,
                about=f"{invoice_news.NOTICE_KEY}{one.number}",
                link=f"/home/bills/{one.number}",
            ),
        )
    return len(untold) == _TOLD_AT_ONCE
