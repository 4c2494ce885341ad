"""A home's usage by month, and beside homes alike: billed figures, and never another home's own."""

from datetime import date
from decimal import Decimal

import pytest

from cloud.domain.errors import NotFound
from cloud.domain.ids import UserId
from cloud.domain.usage_history import Likeness, UsageHistory, middle_of
from cloud.domain.user import Role, User
from cloud.services import running, usage_history
from tests.billing.estate import Estate, at
from tests.databases import TENANT, FakeClock

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)


def _electricity(estate: Estate, flat: str) -> UsageHistory:
    account_id = estate.accounts[flat]
    resident = User(UserId(account_id), TENANT, Role.RESIDENT, "王建国", account_ids=frozenset({account_id}))
    [found] = estate.database.read_now(TENANT, usage_history.usage_of_account, resident, account_id)
    return found


async def test_a_home_sees_its_months_and_the_middle_of_homes_alike(estate: Estate, clock: FakeClock) -> None:
    used = {f"1{number:02}": 100 + 10 * number for number in range(1, 13)}
    for flat, quantity in {**used, "201": 900}.items():
        estate.add_flat(flat, water=None, area_dm2=13_000 if flat == "201" else 8_943, max_per_day="350")
        estate.read(f"E-{flat}", at(OCTOBER), "0")
        estate.read(f"E-{flat}", at(NOVEMBER), str(quantity))
    await estate.close("2026-10")
    estate.read("E-101", clock() - 3_600_000, "152.5")
    estate.database.write_now(TENANT, running.update, estate.site_id, [estate.accounts["101"]])

    own, large = _electricity(estate, "101"), _electricity(estate, "201")

    assert (len(own.months), own.months[0].month) == (13, date(2025, 11, 1))
    assert (own.year_before.quantity, own.month_before.quantity) == (None, Decimal(110))
    assert (own.this_month.month, own.this_month.quantity) == (NOVEMBER, Decimal("42.5"))
    # Of eleven others the middle one used 170: it is averaged with 160 and 180, and the large flat left out.
    assert own.alike is not None
    assert (own.alike.by, own.alike.count, own.alike.middle) == (Likeness.AREA, 11, Decimal("170.0"))
    assert large.compared == large.month_before
    assert large.alike is not None
    assert (large.alike.count, large.alike.middle) == (0, None)


def test_another_home_s_usage_is_not_there(estate: Estate) -> None:
    own, other = estate.add_flat("101"), estate.add_flat("102")
    resident = User(UserId(own), TENANT, Role.RESIDENT, "王建国", account_ids=frozenset({own}))

    assert estate.database.read_now(TENANT, usage_history.usage_of_account, resident, own) == []
    with pytest.raises(NotFound):
        estate.database.read_now(TENANT, usage_history.usage_of_account, resident, other)


@pytest.mark.parametrize(
    ("used", "middle"),
    [
        ([Decimal(one) for one in range(9)], None),
        ([Decimal(one) for one in range(10)], Decimal("4.5")),
        # 5 used 1000, and its neighbours 0 and 2000.4: nobody's own figure is the middle.
        ([Decimal(0)] * 5 + [Decimal(1000)] + [Decimal("2000.4")] * 5, Decimal("1000.1")),
    ],
    ids=["too few", "even", "odd"],
)
def test_the_middle_of_homes_is_nobodys_own_figure(used: list[Decimal], middle: Decimal | None) -> None:
    assert middle_of(used) == middle
