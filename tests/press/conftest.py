"""An estate with one billed month, and a press."""

from datetime import date

import pytest

from cloud.domain.bill import Bill
from cloud.press.compiler import Press
from cloud.services import bills, invoices
from cloud.store.db import Database
from tests.billing.estate import SYSTEM, Estate, at, make_estate
from tests.databases import TENANT

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)


@pytest.fixture
def estate(database: Database) -> Estate:
    """An empty estate with tariffs in force; 2026-11-24 08:00 in Shanghai."""
    return make_estate(database)


@pytest.fixture(scope="session")
def press() -> Press:
    """One press for the session."""
    return Press()


async def billed(estate: Estate, used_kwh: str = "3000") -> Bill:
    """Bill one flat for September; 3000 kWh reach into the second tier."""
    estate.add_flat("101", water=None, max_per_day="4000")
    estate.read("E-101", at(SEPTEMBER), "151.90")
    estate.read("E-101", at(OCTOBER), str(151.90 + float(used_kwh)))
    await estate.close("2026-09")
    return newest_bill(estate)


def newest_bill(estate: Estate) -> Bill:
    """Return the last document issued, ready to print."""
    [newest] = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM, limit=1).items
    return estate.database.read_now(TENANT, bills.bill_of, SYSTEM, newest.invoice_id)
