"""From what somebody wants printed to a run: the ids, and how their facts are read."""

import uuid
from collections.abc import Sequence
from datetime import date

from aiohttp import web

from cloud.domain.ids import AccountId, InvoiceId, SiteId
from cloud.domain.user import Locale, User
from cloud.keys import DATABASE
from cloud.press.works import Form, Order, Paper
from cloud.services import bills, print_orders
from cloud.web.origin import own_origin
from cloud.web.printing import PRINT_RUNS, PrintRun


async def begin_bills(
    request: web.Request, actor: User, site_id: SiteId, period_code: str, form: Form, language: Locale
) -> PrintRun:
    """Begin printing everything that was issued for a month."""
    database = request.app[DATABASE]
    title, ids = await database.read(
        actor.tenant_id, print_orders.bills_to_print, actor, site_id, period_code
    )

    async def read(part: Sequence[str]) -> Sequence[Paper]:
        wanted = [InvoiceId(one) for one in part]
        return await database.read(actor.tenant_id, bills.bills_of, actor, wanted)

    order = Order(form, language, own_origin(request))
    return request.app[PRINT_RUNS].begin(actor, str(uuid.uuid4()), title, ids, read, order)


async def begin_notices(
    request: web.Request, actor: User, site_id: SiteId, as_of: date, form: Form, language: Locale
) -> PrintRun:
    """Begin printing a notice for everybody who has something to pay as of a day."""
    database = request.app[DATABASE]
    title, ids = await database.read(actor.tenant_id, print_orders.debtors_to_print, actor, site_id, as_of)

    async def read(part: Sequence[str]) -> Sequence[Paper]:
        wanted = [AccountId(one) for one in part]
        return await database.read(actor.tenant_id, print_orders.notices_of, actor, wanted, as_of)

    order = Order(form, language, own_origin(request))
    return request.app[PRINT_RUNS].begin(actor, str(uuid.uuid4()), title, ids, read, order)
