"""Imports end to end on both databases: dry run, carried out, again, refused rows, undone."""

import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from cloud.domain.equipment import EquipmentDetail
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.imports.plan import Outcome
from cloud.domain.imports.run import UNDO_WITHIN_MS, ImportState
from cloud.domain.user import Role, User
from cloud.services import equipment, imports, invoices, meters, premises
from cloud.services.imports import CheckedImport
from cloud.store import manual_readings as records
from cloud.workbook.writing import rejected_workbook, table_workbook
from tests.billing.estate import SYSTEM, Estate, at
from tests.databases import TENANT, FakeClock
from tests.exchange.conftest import workbook

SPACES = ("房号", "楼栋", "楼栋名称", "单元", "楼层", "类型", "建筑面积（㎡）")
ACCOUNTS = ("户号", "户主姓名", "房号", "户籍人数", "开户日期")
METERS = ("表号", "类别", "型号", "房号", "安装日期", "起始读数", "倍率", "整数位数", "户号", "价目")
READINGS = ("表号", "抄表日期", "读数", "说明")
OCTOBER = date(2026, 10, 1)


def check(estate: Estate, kind: str, data: bytes, name: str = "表.xlsx") -> CheckedImport:
    return estate.database.write_now(TENANT, imports.check, SYSTEM, estate.site_id, kind, name, data)


def carry_out(estate: Estate, checked: CheckedImport) -> CheckedImport:
    return estate.database.write_now(TENANT, imports.carry_out, SYSTEM, checked.run.import_id)


def bring(estate: Estate, kind: str, *rows: Any, header: tuple[str, ...]) -> CheckedImport:
    return carry_out(estate, check(estate, kind, workbook(header, *rows)))


def undo(estate: Estate, done: CheckedImport) -> None:
    estate.database.write_now(TENANT, imports.undo, SYSTEM, done.run.import_id)


def outcomes(checked: CheckedImport) -> list[Outcome]:
    assert checked.plan is not None
    return [row.outcome for row in checked.plan.rows]


def spaces(estate: Estate) -> dict[str, tuple[int, int]]:
    found = estate.database.read_now(TENANT, premises.list_spaces, SYSTEM, estate.site_id)
    return {one.code: (one.floor, one.built_area_dm2) for one in found}


def a_home(estate: Estate) -> None:
    """Bring in one home from nothing: flat, account, meter."""
    bring(estate, "spaces", ("2-101", "2", "2 号楼", "1", 1, "住宅", 89.6), header=SPACES)
    bring(estate, "accounts", ("B-00101", "李梅", "2-101", 3, "2026-01-01"), header=ACCOUNTS)
    bring(
        estate,
        "meters",
        ("202607000901", "电", "DDZY", "2-101", "2026-01-01", 12.5, 1, 6, "B-00101", "cn-beijing-elec-res"),
        header=METERS,
    )


async def test_a_home_from_nothing_is_billed_from_tables_alone(estate: Estate) -> None:
    a_home(estate)
    readings = [("202607000901", "2026-09-01", "100.5", ""), ("202607000901", "2026-10-01", "300.5", "")]
    bring(estate, "readings", *readings, header=READINGS)

    await estate.close("2026-09")

    page = estate.database.read_now(TENANT, invoices.list_invoices, SYSTEM)
    assert [(one.holder_name, one.space_code, one.total_fen) for one in page.items] == [
        ("李梅", "2-101", 9766)  # 200 kWh at 0.4883
    ]


def test_a_dry_run_writes_nothing(estate: Estate) -> None:
    before = spaces(estate)

    checked = check(estate, "spaces", workbook(SPACES, ("9-101", "9", "", "", 1, "住宅", 50)))

    assert outcomes(checked) == [Outcome.NEW]
    assert checked.run.state is ImportState.CHECKED
    assert spaces(estate) == before


def test_the_same_table_again_changes_nothing(estate: Estate) -> None:
    rows = [("2-101", "2", "2 号楼", "1", 1, "住宅", 89.6), ("2-102", "2", "", "1", 1, "商铺", "120")]
    bring(estate, "spaces", *rows, header=SPACES)

    again = check(estate, "spaces", workbook(SPACES, *rows))

    assert outcomes(again) == [Outcome.UNCHANGED, Outcome.UNCHANGED]


def test_rows_are_new_changed_unchanged_in_conflict_or_wrong(estate: Estate) -> None:
    bring(
        estate,
        "spaces",
        ("2-101", "2", "", "1", 1, "住宅", 89.6),
        ("2-102", "2", "", "1", 1, "住宅", 89.6),
        ("2-103", "2", "", "1", 1, "住宅", 89.6),
        header=SPACES,
    )

    checked = check(
        estate,
        "spaces",
        workbook(
            SPACES,
            ("2-101", "2", "", "1", 1, "住宅", 89.6),
            ("2-102", "2", "", "1", 1, "住宅", "９０。5"),
            ("2-103", "3", "", "1", 1, "住宅", 89.6),
            ("2-104", "2", "", "1", 1, "别墅", 89.6),
            ("2-105", "2", "", "1", "一层", "住宅", 89.6),
            ("2-106", "2", "", "1", 1, None, None),
            ("2-106", "2", "", "1", 1, None, None),
        ),
    )

    assert outcomes(checked) == [
        Outcome.UNCHANGED,
        Outcome.CHANGED,
        Outcome.CONFLICT,
        Outcome.WRONG,
        Outcome.WRONG,
        Outcome.NEW,
        Outcome.WRONG,
    ]
    assert checked.plan is not None
    changed = checked.plan.rows[1]
    assert (changed.before, changed.values["area_m2"]) == ({"area_m2": Decimal("89.6")}, Decimal("90.5"))
    texts = [[fault.text(is_chinese=True) for fault in row.faults] for row in checked.plan.rows[2:]]
    assert texts[0] == ["“楼栋”现在是“2”，不能由导入改成“3”"]
    assert "住宅" in texts[1][0]
    assert texts[2] == ["“一层”不是数字"]
    assert texts[4] == ["与第 7 行重复"]


def test_good_rows_are_carried_out_and_the_others_come_back_with_why(estate: Estate) -> None:
    data = workbook(
        SPACES, ("2-101", "2", "", "1", 1, "住宅", 89.6), ("2-102", "2", "", "1", None, "住宅", 89.6)
    )

    done = carry_out(estate, check(estate, "spaces", data))

    assert "2-101" in spaces(estate)
    assert "2-102" not in spaces(estate)
    assert done.plan is not None
    book = CalamineWorkbook.from_filelike(_file(rejected_workbook(done.plan, is_chinese=True)))
    rows = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    assert rows == [[*SPACES, "错误"], ["2-102", "2", "", "1", "", "住宅", 89.6, "楼层：必填"]]


def test_the_refused_rows_mended_are_taken_as_they_come_back(estate: Estate) -> None:
    data = workbook((*SPACES, "错误"), ("2-102", "2", "", "1", 1, "住宅", 89.6, "楼层：必填"))

    assert outcomes(carry_out(estate, check(estate, "spaces", data))) == [Outcome.NEW]


def test_undoing_removes_what_was_made_and_puts_back_what_was_changed(estate: Estate) -> None:
    bring(estate, "spaces", ("2-101", "2", "", "1", 1, "住宅", 89.6), header=SPACES)
    before = spaces(estate)
    done = bring(
        estate,
        "spaces",
        ("2-101", "2", "", "1", 2, "住宅", 91),
        ("3-101", "3", "3 号楼", "1", 1, "住宅", 60),
        header=SPACES,
    )
    assert spaces(estate) == {**before, "2-101": (2, 9100), "3-101": (1, 6000)}

    undo(estate, done)

    assert spaces(estate) == before
    buildings = estate.database.read_now(TENANT, premises.list_buildings, SYSTEM, estate.site_id)
    assert "3" not in {one.code for one in buildings}
    with pytest.raises(Conflict):
        undo(estate, done)


def test_what_others_build_on_is_not_undone(estate: Estate) -> None:
    done = bring(estate, "spaces", ("2-101", "2", "", "1", 1, "住宅", 89.6), header=SPACES)
    bring(estate, "accounts", ("B-00101", "李梅", "2-101", 3, "2026-01-01"), header=ACCOUNTS)

    with pytest.raises(Conflict, match="space"):
        undo(estate, done)

    assert "2-101" in spaces(estate)


def test_what_was_changed_since_is_not_undone(estate: Estate) -> None:
    bring(estate, "spaces", ("2-101", "2", "", "1", 1, "住宅", 89.6), header=SPACES)
    done = bring(estate, "spaces", ("2-101", "2", "", "1", 1, "住宅", 90), header=SPACES)
    bring(estate, "spaces", ("2-101", "2", "", "1", 1, "住宅", 91), header=SPACES)

    with pytest.raises(Conflict, match="2-101"):
        undo(estate, done)


def test_an_import_is_undone_within_a_day_only(estate: Estate, clock: FakeClock) -> None:
    done = bring(estate, "spaces", ("2-101", "2", "", "1", 1, "住宅", 89.6), header=SPACES)
    clock.now_ms += UNDO_WITHIN_MS + 1

    with pytest.raises(Conflict):
        undo(estate, done)


def test_a_meter_comes_with_place_register_and_who_pays(estate: Estate) -> None:
    a_home(estate)

    page = estate.database.read_now(TENANT, meters.list_meters, SYSTEM, estate.site_id)
    [row] = page.items
    assert (row.serial, row.service_point_code, row.space_code) == ("202607000901", "E-2-101", "2-101")
    _, supplies = estate.database.read_now(TENANT, premises.get_account, SYSTEM, _account(estate, "B-00101"))
    assert [(one.tariff_code, one.from_on) for one in supplies] == [("cn-beijing-elec-res", date(2026, 1, 1))]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("M1", "电", "", "9-999", "2026-01-01", 0, 1, 6, None, None), "没有房号“9-999”"),
        (
            ("M1", "电", "", "2-101", "2026-01-01", 0, 1, 6, None, None),
            "计量点“E-2-101”已装有表 202607000901",
        ),
        (("M1", "水", "", "2-101", "2027-01-01", 0, 1, 6, None, None), "2027-01-01 还没到"),
        (("M1", "水", "", "2-101", "2026-01-01", 0, 1, 6, "B-00101", None), "填了“户号”就要填“价目”"),
        (("M1", "水", "", "2-101", "2026-01-01", 0, 1, 6, "B-00101", "nowhere"), "没有在用的价目“nowhere”"),
        (("M1", "水", "", "2-101", "2026-01-01", 0, 1, 6, "X", "cn-beijing-water-res"), "没有户号“X”"),
        (("M1", "气", "", "2-101", "2026-01-01", 0, 1, 6, None, None), "“气”不在可选值内"),
    ],
)
def test_a_meter_that_does_not_fit_is_refused_with_why(
    estate: Estate, row: tuple[Any, ...], said: str
) -> None:
    a_home(estate)

    checked = check(estate, "meters", workbook(METERS, row))

    assert checked.plan is not None
    faults = [fault.text(is_chinese=True) for fault in checked.plan.rows[0].faults]
    assert any(said in fault for fault in faults), faults


def test_two_rows_for_one_place_are_one_meter(estate: Estate) -> None:
    a_home(estate)
    rows = [(f"M{n}", "水", "", "2-101", "2026-01-01", 0, 1, 6, None, None) for n in (1, 2)]

    assert outcomes(check(estate, "meters", workbook(METERS, *rows))) == [Outcome.NEW, Outcome.WRONG]


def test_another_reading_for_the_day_holds_and_undoing_brings_the_first_back(estate: Estate) -> None:
    a_home(estate)
    bring(estate, "readings", ("202607000901", "2026-10-01", 300, "现场"), header=READINGS)
    second = bring(estate, "readings", ("202607000901", "2026年10月1日", "310.25", ""), header=READINGS)
    assert outcomes(second) == [Outcome.CHANGED]
    assert _holding(estate) == Decimal("310.25")

    undo(estate, second)

    assert _holding(estate) == 300


def test_a_reading_the_meter_cannot_have_shown_is_refused(estate: Estate) -> None:
    a_home(estate)

    checked = check(
        estate,
        "readings",
        workbook(
            READINGS,
            ("202607000901", "2026-10-01", 1_000_000, ""),
            ("202607000901", "2025-10-01", 10, ""),
            ("202607000901", "2026-12-01", 10, ""),
            ("2026-nobody", "2026-10-01", 10, ""),
        ),
    )

    assert checked.plan is not None
    told = [row.faults[0].text(is_chinese=False) for row in checked.plan.rows]
    assert told == [
        "meter 202607000901 cannot show 1000000; it shows 0 to 1000000",
        "meter 202607000901 was not yet installed on 2025-10-01",
        "2026-12-01 has not come yet",
        "there is no meter 2026-nobody",
    ]


def test_what_was_looked_at_is_what_is_carried_out_or_nothing(estate: Estate) -> None:
    checked = check(estate, "spaces", workbook(SPACES, ("2-101", "2", "", "1", 1, "住宅", 89.6)))
    assert checked.plan is not None
    bring(estate, "spaces", ("2-101", "2", "", "1", 1, "住宅", 50), header=SPACES)

    with pytest.raises(Conflict, match="changed since"):
        estate.database.write_now(
            TENANT, imports.carry_out, SYSTEM, checked.run.import_id, checked.plan.digest
        )

    assert spaces(estate)["2-101"] == (1, 5000)


def test_an_import_is_carried_out_once(estate: Estate) -> None:
    checked = check(estate, "spaces", workbook(SPACES, ("2-101", "2", "", "1", 1, "住宅", 89.6)))
    carry_out(estate, checked)

    with pytest.raises(Conflict):
        carry_out(estate, checked)


def test_what_is_there_comes_out_as_a_table_that_comes_back_unchanged(estate: Estate) -> None:
    a_home(estate)
    bring(estate, "readings", ("202607000901", "2026-10-01", 300, "现场"), header=READINGS)

    bring(estate, "equipment", ("lift-4", "4 号电梯", "电梯", "312000.5"), header=EQUIPMENT)

    for kind in ("spaces", "accounts", "meters", "readings", "equipment"):
        described, rows = estate.database.read_now(TENANT, imports.present_rows, SYSTEM, estate.site_id, kind)
        for is_chinese in (True, False):
            data = table_workbook(described, rows, is_chinese=is_chinese)
            assert set(outcomes(check(estate, kind, data))) == {Outcome.UNCHANGED}, kind


def test_each_table_asks_for_its_own_permission(estate: Estate) -> None:
    technician = User(SYSTEM.user_id, TENANT, Role.MAINTENANCE, "x")
    resident = User(SYSTEM.user_id, TENANT, Role.RESIDENT, "x")
    data = workbook(ACCOUNTS, ("B-1", "李梅", None, 1, "2026-01-01"))

    for actor in (technician, resident):
        with pytest.raises(Forbidden):
            estate.database.write_now(TENANT, imports.check, actor, estate.site_id, "accounts", "x", data)
    with pytest.raises(NotFound):
        estate.database.write_now(TENANT, imports.check, SYSTEM, estate.site_id, "nothing", "x", data)


def test_another_table_is_refused_by_its_titles(estate: Estate) -> None:
    with pytest.raises(Invalid, match="户号"):
        check(estate, "spaces", workbook(ACCOUNTS, ("B-1", "李梅", None, 1, "2026-01-01")))


def test_an_uploaded_file_is_forgotten_after_a_day(estate: Estate, clock: FakeClock) -> None:
    checked = check(estate, "spaces", workbook(SPACES, ("2-101", "2", "", "1", 1, "住宅", 89.6)))
    clock.now_ms += imports.BODY_KEPT_MS + 1

    assert estate.database.write_now(TENANT, imports.forget_files) == 1

    found = estate.database.read_now(TENANT, imports.get_import, SYSTEM, checked.run.import_id)
    assert found.plan is None


def _holding(estate: Estate) -> Decimal:
    page = estate.database.read_now(TENANT, meters.list_meters, SYSTEM, estate.site_id)
    installation_id = page.items[0].installation_id
    found = estate.database.read_now(TENANT, records.readings_at, [installation_id], at(OCTOBER))
    return found[installation_id].value


def _account(estate: Estate, number: str) -> Any:
    page = estate.database.read_now(TENANT, premises.list_accounts, SYSTEM, estate.site_id, number)
    return page.items[0].account_id


def _file(data: bytes) -> Any:
    return io.BytesIO(data)


EQUIPMENT = ("设备编号", "设备名称", "设备类别", "价格（元）")


def test_equipment_comes_in_is_changed_with_its_history_and_undone(estate: Estate) -> None:
    bring(estate, "equipment", ("lift-4", "4 号电梯", "电梯", "312000.5"), header=EQUIPMENT)
    renamed = workbook(
        EQUIPMENT, ("lift-4", "东侧电梯", "电梯", "312000.5"), ("gen-1", "发电机", "发电机", None)
    )
    checked = check(estate, "equipment", renamed)
    carry_out(estate, checked)

    def shown(code: str) -> EquipmentDetail:
        return estate.database.read_now(TENANT, equipment.equipment_by_code, SYSTEM, estate.site_id, code)

    lift = shown("lift-4")
    assert outcomes(checked) == [Outcome.CHANGED, Outcome.NEW]
    assert lift.status.equipment.purchase.price_fen == 31_200_050
    assert [one.fields for one in lift.changes] == [(("name", "4 号电梯", "东侧电梯"),)]

    estate.database.write_now(TENANT, imports.undo, SYSTEM, checked.run.import_id)
    assert shown("lift-4").status.equipment.name == "4 号电梯"
    with pytest.raises(NotFound):
        shown("gen-1")


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        pytest.param("楼栋", "99", "no_building", id="a building nobody has"),
        pytest.param("公共部位", "9-机房", "no_space", id="a space nobody has"),
        pytest.param("设备类别", "飞船", "choice", id="a kind nobody knows"),
    ],
)
def test_a_row_of_equipment_that_cannot_be_says_why(
    estate: Estate, column: str, value: str, fault: str
) -> None:
    titles = ("设备编号", "设备名称", "设备类别", column) if column != "设备类别" else EQUIPMENT[:3]
    row = ("lift-4", "4 号电梯", "电梯", value) if column != "设备类别" else ("lift-4", "4 号电梯", value)

    checked = check(estate, "equipment", workbook(titles, row))

    assert checked.plan is not None
    assert [one.code for one in checked.plan.rows[0].faults] == [fault]
