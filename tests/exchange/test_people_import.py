"""People come by tables: sealed, known again by their numbers, masked on their way out, undone."""

from datetime import date

import pytest
import sqlalchemy as sa

from cloud.domain.imports.plan import Outcome
from cloud.domain.person import PersonField
from cloud.services import imports, persons
from cloud.services.imports import CheckedImport
from cloud.store import imports as records
from cloud.store import many_people
from cloud.store.db import Tx
from cloud.store.schema import import_run
from cloud.store.sealing import Damaged, destroy_key
from tests.billing.estate import SYSTEM, Estate
from tests.databases import TENANT
from tests.exchange.conftest import workbook
from tests.exchange.test_imports import SPACES, bring, carry_out, check, outcomes, undo

PEOPLE = ("房号", "姓名", "身份", "入住日期", "迁出日期", "手机", "身份证号", "车牌", "备注")
# GB 11643-1999's own example has this check character.
_IDENTITY, _PHONE = "11010519491231002X", "13812348000"
_WANG = ("2-101", "王建国", "业主", "2026-01-01", "", _PHONE, _IDENTITY, "京A·12345", "怕狗")


@pytest.fixture
def homes(estate: Estate) -> Estate:
    """An estate with two homes more."""
    rows = [(f"2-10{number}", "2", "", "1", 1, "住宅", 89.6) for number in (1, 2)]
    bring(estate, "spaces", *rows, header=SPACES)
    return estate


def _bring(estate: Estate, *rows: tuple[str, ...]) -> CheckedImport:
    return carry_out(estate, check(estate, "people", workbook(PEOPLE, *rows)))


def _homes(estate: Estate) -> list[tuple[str, str, str, date | None]]:
    found = estate.database.read_now(TENANT, many_people.homes_of_people, estate.site_id)
    return [(one.space_code, one.name, one.relation, one.to_on) for one in found]


def test_a_person_with_two_homes_is_one_person_with_sealed_numbers(homes: Estate) -> None:
    family = ("2-101", "李梅", "家人", "2026-01-01", "", "", "", "", "")
    done = _bring(homes, _WANG, family, ("2-102", *_WANG[1:]))

    assert _homes(homes) == [
        ("2-101", "王建国", "owner", None),
        ("2-101", "李梅", "family", None),
        ("2-102", "王建国", "owner", None),
    ]
    page = homes.database.read_now(TENANT, persons.list_people, SYSTEM, homes.site_id, _PHONE)
    [wang] = page.items
    assert (wang.person.phone, wang.person.identity) == ("138****8000", "110105********002X")
    assert [home.space_code for home in wang.homes] == ["2-101", "2-102"]
    whole = homes.database.write_now(
        TENANT, persons.reveal, SYSTEM, wang.person.person_id, PersonField.PLATE, "挪车挡住消防通道"
    )
    assert whole == "京A12345"

    undo(homes, done)
    assert _homes(homes) == []


def test_who_is_known_is_found_again_and_what_comes_out_masked_comes_back_unchanged(homes: Estate) -> None:
    _bring(homes, _WANG)

    again = check(homes, "people", workbook(PEOPLE, _WANG))
    kind, rows = homes.database.read_now(TENANT, imports.present_rows, SYSTEM, homes.site_id, "people")
    out = [tuple(row[column.key] for column in kind.columns) for row in rows]
    back = check(homes, "people", workbook([column.title_zh for column in kind.columns], *map(_cells, out)))
    _bring(homes, ("2-102", *_WANG[1:]))

    assert outcomes(again) == [Outcome.UNCHANGED]
    assert out[0][5:7] == ("138****8000", "110105********002X")
    assert outcomes(back) == [Outcome.UNCHANGED]
    known = homes.database.read_now(TENANT, persons.list_people, SYSTEM, homes.site_id, "王建国").items
    assert [len(row.homes) for row in known] == [2]


def _cells(row: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(str(cell) if isinstance(cell, date) else cell for cell in row)


def test_a_row_that_cannot_be_true_is_refused_with_why(homes: Estate) -> None:
    checked = check(
        homes,
        "people",
        workbook(
            PEOPLE,
            _WANG,
            ("9-999", "甲", *_WANG[2:6], "", "", ""),
            ("2-101", "乙", *_WANG[2:5], "138****8000", "", "", ""),
            ("2-101", "丙", *_WANG[2:5], "12345", "", "", ""),
            ("2-101", "丁", *_WANG[2:6], "110105194912310021", "", ""),
            ("2-101", "戊", *_WANG[2:4], "2025-12-31", *_WANG[5:6], "", "", ""),
            ("2-102", "王建", *_WANG[2:]),
        ),
    )

    assert checked.plan is not None
    assert outcomes(checked) == [Outcome.NEW] + 6 * [Outcome.WRONG]
    assert [[fault.text(is_chinese=True) for fault in row.faults] for row in checked.plan.rows[1:]] == [
        ["没有房号“9-999”"],
        ["“138****8000”是打码后的号码，请填完整"],
        ["“12345”不是手机号（11 位，13 到 19 开头）"],
        ["“110105194912310021”不是有效的身份证号（18 位，含校验位）"],
        ["迁出日期 2025-12-31 早于入住日期 2026-01-01"],
        ["这个身份证号属于“王建国”，姓名不一致"],
    ]


def test_who_has_left_is_said_by_a_table_and_undone(homes: Estate) -> None:
    _bring(homes, _WANG)

    done = _bring(homes, (*_WANG[:4], "2026-10-31", *_WANG[5:8], "已搬走"))

    assert _homes(homes) == [("2-101", "王建国", "owner", date(2026, 10, 31))]
    undo(homes, done)
    assert _homes(homes) == [("2-101", "王建国", "owner", None)]


def test_an_uploaded_table_is_kept_sealed_and_opens_in_its_own_import_alone(homes: Estate) -> None:
    table = workbook(PEOPLE, _WANG)
    checked = check(homes, "people", table)
    other = check(homes, "people", workbook(PEOPLE, (*_WANG[:1], "李梅", *_WANG[2:5], "", "", "", "")))
    ids = checked.run.import_id, other.run.import_id

    def kept(tx: Tx) -> list[bytes]:
        rows = tx.conn.execute(
            sa.select(import_run.c.id, import_run.c.body_sealed).where(import_run.c.id.in_(ids))
        )
        by_id = {row.id: bytes(row.body_sealed) for row in rows}
        return [by_id[one] for one in ids]

    def swap(tx: Tx) -> None:
        tx.conn.execute(
            sa.update(import_run).where(import_run.c.id == ids[1]).values(body_sealed=kept(tx)[0])
        )

    sealed, _ = homes.database.read_now(TENANT, kept)
    assert len(sealed) > len(table)
    # A workbook is a ZIP: as it was uploaded it would begin with these letters and open.
    assert b"PK" + b"\x03\x04" not in sealed
    assert table[64:128] not in sealed
    assert homes.database.read_now(TENANT, records.body_of, ids[0]) == table
    homes.database.write_now(TENANT, swap)
    with pytest.raises(Damaged):
        homes.database.read_now(TENANT, records.body_of, ids[1])

    homes.database.write_now(TENANT, destroy_key)

    found = homes.database.read_now(TENANT, imports.get_import, SYSTEM, ids[0])
    assert found.plan is None
