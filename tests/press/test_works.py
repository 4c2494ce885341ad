"""Many papers at once: in order, complete, the same bytes as one by one."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cloud.domain.bill import Bill
from cloud.domain.user import Locale
from cloud.press.compiler import Press
from cloud.press.works import FILES_A_PART, Form, Order, Paper, name_of, print_all, sheet_of
from tests.billing.estate import Estate
from tests.press.conftest import billed
from tests.press.reading import pages_of, text_of

ORIGIN = "https://gatehouse.example"


def numbered(bill: Bill, number: int) -> Bill:
    return replace(bill, invoice=replace(bill.invoice, number=f"DG-2026-09-{number:04}"))


async def test_files_come_in_order_and_are_what_one_press_prints(estate: Estate, press: Press) -> None:
    bill = await billed(estate)
    order = Order(Form.FILES, Locale.CHINESE, ORIGIN)
    count = FILES_A_PART + 7
    known = {f"{number}": numbered(bill, number) for number in range(1, count + 1)}

    async def read(ids: Sequence[str]) -> Sequence[Paper]:
        return [known[one] for one in ids]

    ids = list(known)
    parts = [ids[:FILES_A_PART], ids[FILES_A_PART:]]
    files = [file async for part in print_all(parts, read, order) for file in part]

    assert [file.name for file in files] == [f"{name_of(known[one])}.pdf" for one in ids]
    assert files[-1].name == "1-101_DG-2026-09-0107.pdf"
    assert files[3].body == press.print([sheet_of(known["4"], order)])


async def test_a_volume_holds_all_papers_of_its_part(estate: Estate) -> None:
    bill = await billed(estate)

    async def read(ids: Sequence[str]) -> Sequence[Paper]:
        return [numbered(bill, int(one)) for one in ids]

    order = Order(Form.VOLUMES, Locale.ENGLISH, ORIGIN)
    [[volume]] = [part async for part in print_all([["1", "2", "3"]], read, order)]

    assert volume.name == "DG-2026-09-0001_DG-2026-09-0003.pdf"
    assert (volume.papers, pages_of(volume.body)) == (3, 3)
    assert "DG-2026-09-0002" in text_of(volume.body)


async def test_what_cannot_be_read_ends_the_run(estate: Estate) -> None:
    async def read(ids: Sequence[str]) -> Sequence[Paper]:
        raise LookupError("the database is gone")

    with pytest.raises(LookupError):
        async for _ in print_all([["1"]], read, Order(Form.FILES, Locale.CHINESE, ORIGIN)):
            pass


def test_a_file_s_name_holds_nothing_a_system_refuses(estate: Estate) -> None:
    from cloud.press.works import _safe

    assert _safe('3/2-101 "甲"') == "3-2-101 -甲-"
