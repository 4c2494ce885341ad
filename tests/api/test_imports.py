"""Tables through the API: template, dry run, carried out, refused rows, undone; limits of what is taken."""

import io
import zipfile
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from cloud.domain.user import Role
from cloud.workbook.reading import FILE_BYTES_MAX
from tests.api.conftest import Cloud, Reply
from tests.api.homes import Homes, build_homes
from tests.exchange.conftest import workbook

SPACES = ("房号", "楼栋", "单元", "楼层", "类型", "建筑面积（㎡）")


@pytest.fixture
async def homes(cloud: Cloud) -> Homes:
    """Two homes."""
    return await build_homes(cloud, await cloud.token_of(await cloud.add_user("manager")))


async def _upload(homes: Homes, kind: str, data: bytes, name: str = "a.xlsx", token: str = "") -> Reply:
    return await homes.cloud.call(
        "POST",
        f"/api/v1/sites/{homes.site_id}/imports/{kind}",
        token=token or homes.token,
        data=data,
        params={"name": name},
        headers={"Content-Type": "application/octet-stream"},
    )


def _rows(reply: Reply) -> list[list[Any]]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(reply.body))
    return book.get_sheet_by_index(0).to_python(skip_empty_area=False)


async def test_a_table_is_checked_carried_out_and_undone(homes: Homes) -> None:
    data = workbook(
        SPACES,
        ("3-101", "3", "1", 1, "住宅", 88.5),
        ("1-101", "1", "1", 1, "住宅", 95),
        ("3-102", "3", "1", 1, "?", 1),
    )

    checked = await _upload(homes, "spaces", data)
    detail = checked.json
    path = f"/api/v1/imports/{detail['summary']['import_id']}"
    done = await homes.post(f"{path}/carry_out", {"digest": detail["digest"]})

    assert checked.status == 201
    assert [row["outcome"] for row in detail["rows"]] == ["new", "changed", "wrong"]
    assert detail["rows"][1]["before"] == {"area_m2": "89.5"}
    assert "类型：“?”不在可选值内" in detail["rows"][2]["errors"]
    assert (done["state"], done["counts"]["new"], done["counts"]["changed"]) == ("done", 1, 1)
    rejected = await homes.cloud.call("GET", f"{path}/rejected", token=homes.token)
    assert [row[0] for row in _rows(rejected)] == ["房号", "3-102"]
    assert (await homes.post(f"{path}/undo"))["state"] == "undone"
    again = await _upload(homes, "spaces", data)
    assert [row["outcome"] for row in again.json["rows"]] == ["new", "changed", "wrong"]
    listed = await homes.get(f"/api/v1/sites/{homes.site_id}/imports")
    assert [one["state"] for one in listed["items"]] == ["checked", "undone"]


async def test_a_template_has_titles_and_what_is_there_has_rows(homes: Homes) -> None:
    template = await homes.cloud.call(
        "GET", "/api/v1/import_kinds/meters/template?language=en", token=homes.token
    )
    table = await homes.cloud.call("GET", f"/api/v1/sites/{homes.site_id}/tables/meters", token=homes.token)

    assert _rows(template)[0][:2] == ["Serial number*", "Commodity*"]
    assert len(_rows(template)) == 1
    assert len(_rows(table)) == 5
    kinds = await homes.get("/api/v1/import_kinds")
    assert [one["code"] for one in kinds["items"]] == [
        "spaces",
        "accounts",
        "people",
        "meters",
        "readings",
        "opening_balances",
        "opening_usage",
        "former_charges",
        "equipment",
        "nearby_services",
    ]


async def test_csv_in_gbk_is_read(homes: Homes) -> None:
    text = "房号,楼栋,单元,楼层,类型,建筑面积（㎡）\r\n3-101,3,1,1,住宅,88.50\r\n"

    checked = await _upload(homes, "spaces", text.encode("gb18030"), "房产.csv")

    assert [row["outcome"] for row in checked.json["rows"]] == ["new"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"PK\x03\x04 not a workbook", "damaged"),
        (b"\xff\xfe\x00\x01\x02", "no workbook"),
        (b"a" * (FILE_BYTES_MAX + 1), ""),
        (workbook(SPACES, ("3-101", "3", "1", 1, "住宅", 88.5), merge="B5:C6"), "B5:C6 are merged"),
    ],
    ids=["nothing", "damaged", "bytes", "too large", "merged"],
)
async def test_what_is_no_table_is_refused_and_named(homes: Homes, data: bytes, said: str) -> None:
    reply = await _upload(homes, "spaces", data)

    assert reply.status in (413, 422)
    assert said in reply.json["detail"]


async def test_a_file_that_unpacks_to_an_enormous_one_is_refused(homes: Homes) -> None:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as entry,
    ):
        for _ in range(320):
            entry.write(bytes(1024 * 1024))

    reply = await _upload(homes, "spaces", file.getvalue())

    assert reply.status == 422
    assert "unpacks to" in reply.json["detail"]


async def test_a_technician_brings_in_meters_and_no_accounts(homes: Homes) -> None:
    token = await homes.cloud.token_of(await homes.cloud.add_user("li", Role.MAINTENANCE))

    refused = await _upload(homes, "accounts", b"x", token=token)
    kinds = await homes.cloud.call("GET", "/api/v1/import_kinds", token=token)

    assert refused.status == 403
    assert [one["code"] for one in kinds.json["items"]] == ["meters", "readings", "equipment"]


async def test_the_directory_of_nearby_services_is_brought_in_corrected_and_undone(homes: Homes) -> None:
    titles = ("名称", "类别", "电话", "地址", "排序")
    first = workbook(
        titles,
        ("仁和药店", "药店", "0769 2212 3456", None, 2),
        ("第一小学", "学校", None, "示范路 12 号", 1),
        ("开锁王师傅", "维修", "找王师傅", None, None),
        ("无名", "其他", None, None, None),
    )
    checked = await _upload(homes, "nearby_services", first)
    path = f"/api/v1/imports/{checked.json['summary']['import_id']}"
    await homes.post(f"{path}/carry_out", {"digest": checked.json["digest"]})
    corrected = workbook(titles, ("仁和药店", "药店", "0769 2212 9999", None, 2))
    again = await _upload(homes, "nearby_services", corrected)
    later = f"/api/v1/imports/{again.json['summary']['import_id']}"
    await homes.post(f"{later}/carry_out", {"digest": again.json["digest"]})

    listed = f"/api/v1/sites/{homes.site_id}/nearby_services"
    changed = (await homes.get(listed))["items"]
    table = await homes.cloud.call(
        "GET", f"/api/v1/sites/{homes.site_id}/tables/nearby_services", token=homes.token
    )
    await homes.post(f"{later}/undo")
    before = (await homes.get(listed))["items"]
    await homes.post(f"{path}/undo")

    assert [row["outcome"] for row in checked.json["rows"]] == ["new", "new", "wrong", "wrong"]
    assert "“找王师傅”不是能拨打的号码" in checked.json["rows"][2]["errors"]
    assert "电话和地址至少填一项" in checked.json["rows"][3]["errors"]
    assert [(one["name"], one["phone"]) for one in changed] == [
        ("仁和药店", "0769 2212 9999"),
        ("第一小学", ""),
    ]
    assert [row[0] for row in _rows(table)[1:]] == ["仁和药店", "第一小学"]
    assert [(one["name"], one["phone"]) for one in before] == [
        ("仁和药店", "0769 2212 3456"),
        ("第一小学", ""),
    ]
    assert (await homes.get(listed))["items"] == []
