"""The ladder year goes on where the system before left it."""

from datetime import date
from decimal import Decimal

import pytest

from cloud.domain.errors import Conflict
from cloud.domain.imports.plan import Outcome
from cloud.domain.recompute import recompute, trace_from_json, trace_to_json
from cloud.services import invoices
from tests.billing.estate import SYSTEM, Estate, at
from tests.databases import TENANT
from tests.exchange.conftest import workbook
from tests.exchange.test_imports import bring, check, outcomes, undo

HEADER = ("户号", "类别", "起始日", "截止日", "累计用量")
ROW = ("A-00101", "电", "2026-01-01", "2026-08-31", "2850")


@pytest.fixture
def moved(estate: Estate) -> Estate:
    """A flat that was billed by another system until August; 100 kWh in September."""
    estate.add_flat("101", water=None)
    estate.read("E-101", at(date(2026, 9, 1)), "0")
    estate.read("E-101", at(date(2026, 10, 1)), "100")
    return estate


async def test_the_ladder_goes_on_where_it_stood(moved: Estate) -> None:
    bring(moved, "opening_usage", ROW, header=HEADER)

    await moved.close("2026-09")

    # Beijing's first tier ends at 2880 kWh: 30 at 0.4883, 70 at 0.5383.
    [one] = moved.database.read_now(TENANT, invoices.list_invoices, SYSTEM, limit=9).items
    found = moved.database.read_now(TENANT, invoices.get_invoice, SYSTEM, one.invoice_id)
    assert [(line.quantity, line.amount_fen) for line in found.lines] == [
        (Decimal(30), 1465),
        (Decimal(70), 3768),
    ]
    trace = moved.database.read_now(TENANT, invoices.trace, SYSTEM, one.invoice_id, 2)
    again = recompute(trace_from_json(trace_to_json(trace)))
    assert (again.amount_fen, again.faults) == (3768, ())


async def test_usage_no_bill_stands_on_is_undone_and_other_usage_is_not(moved: Estate) -> None:
    undo(moved, bring(moved, "opening_usage", ROW, header=HEADER))
    done = bring(moved, "opening_usage", ROW, header=HEADER)
    assert outcomes(check(moved, "opening_usage", workbook(HEADER, ROW))) == [Outcome.UNCHANGED]
    await moved.close("2026-09")

    with pytest.raises(Conflict, match="bills since 2026-09-01 stand on this usage"):
        undo(moved, done)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (("A-9", "电", "2026-01-01", "2026-08-31", "1"), "没有户号“A-9”"),
        (("A-00101", "水", "2026-01-01", "2026-08-31", "1"), "户号“A-00101”没有（或不止一个）这种计量点"),
        (("A-00101", "电", "2026-09-01", "2026-08-31", "1"), "截止日 2026-08-31 早于起始日 2026-09-01"),
        (("A-00101", "电", "2026-01-01", "2027-08-31", "1"), "2027-08-31 还没到"),
    ],
    ids=["account", "supply", "days", "ahead"],
)
def test_rows_that_cannot_be_are_refused(moved: Estate, row: tuple[str, ...], fault: str) -> None:
    checked = check(moved, "opening_usage", workbook(HEADER, row))

    assert checked.plan is not None
    assert fault in [one.text(is_chinese=True) for one in checked.plan.rows[0].faults]


async def test_a_ladder_is_not_moved_under_a_bill(moved: Estate) -> None:
    await moved.close("2026-09")

    checked = check(moved, "opening_usage", workbook(HEADER, ROW))

    assert checked.plan is not None
    [fault] = checked.plan.rows[0].faults
    assert fault.text(is_chinese=True) == "本系统从 2026-09-01 起已出账，阶梯不能再改"
