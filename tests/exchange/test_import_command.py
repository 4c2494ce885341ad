"""Tables from a command line: dry run, refused rows, carrying out and undoing, on a real database file."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from python_calamine import CalamineWorkbook

from cloud.config import DEFAULT_TENANT
from cloud.domain.user import system_user
from cloud.import_cli import import_group
from cloud.services import premises, tenants
from cloud.store import migrate
from cloud.store.db import Database

SYSTEM = system_user(DEFAULT_TENANT)
TABLE = """房号,楼栋,楼栋名称,单元,楼层,类型,建筑面积（㎡）
2-101,2,2 号楼,1,1,住宅,89.6
2-102,2,2 号楼,1,1,住宅,很大
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database with one empty site, DG."""
    found = f"sqlite:///{tmp_path}/gatehouse.db"
    migrate.upgrade(found)
    database = Database(found, clock=lambda: 1_795_400_000_000)
    database.write_now(DEFAULT_TENANT, tenants.ensure_tenant)
    database.write_now(DEFAULT_TENANT, premises.add_site, SYSTEM, "DG", "东港花园", "", "Asia/Shanghai")
    database.close()
    return found


def run(*args: str) -> Result:
    return CliRunner().invoke(import_group, args)


def spaces(url: str) -> list[str]:
    database = Database(url, clock=lambda: 1_795_400_000_000)
    site = database.read_now(DEFAULT_TENANT, premises.site_by_code, SYSTEM, "DG")
    found = database.read_now(DEFAULT_TENANT, premises.list_spaces, SYSTEM, site.site_id)
    database.close()
    return [one.code for one in found]


def test_a_table_is_tried_carried_out_and_undone_from_a_command_line(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where keys are made
    table, refused = tmp_path / "房产.csv", tmp_path / "refused.xlsx"
    table.write_text(TABLE, encoding="utf-8")
    bring = ("bring", "--database", url, "--site", "DG", "--refused", str(refused), "spaces", str(table))

    tried = run(*bring)
    before = spaces(url)
    done = run(*bring, "--carry-out")
    after = spaces(url)
    named = re.search(r"gatehouse import undo (\S+)", done.output)
    assert named is not None, done.output
    listed = run("list", "--database", url, "--site", "DG")
    undone = run("undo", "--database", url, named[1])

    assert (tried.exit_code, done.exit_code) == (1, 1)  # a row was refused
    assert "new 1" in tried.output
    assert "row 3: " in tried.output
    assert "a dry run: nothing was written" in tried.output
    assert (before, after) == ([], ["2-101"])
    assert "错误" in [
        str(cell) for cell in CalamineWorkbook.from_path(refused).get_sheet_by_index(0).to_python()[0]
    ]
    assert named[1] in listed.output
    assert undone.exit_code == 0, undone.output
    assert spaces(url) == []


def test_a_template_is_written_and_what_does_not_exist_is_named(url: str, tmp_path: Path) -> None:
    target = tmp_path / "meters.xlsx"

    written = run("template", "meters", str(target))
    no_table = run("template", "cats", str(tmp_path / "cats.xlsx"))
    no_site = run("list", "--database", url, "--site", "XX")
    no_import = run("undo", "--database", url, "1")

    assert written.exit_code == 0, written.output
    assert CalamineWorkbook.from_path(target).sheet_names
    assert "there is no table 'cats'" in no_table.output
    assert "there is no site 'XX'" in no_site.output
    assert "there is no import '1'" in no_import.output
