"""The table of requirements is true: every test it names exists, and no requirement is without one."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "edge-requirements.md"
_TEST = re.compile(r"`(tests/[a-z_/0-9]+\.py)::(test_[a-z_0-9]+)`")


def test_every_requirement_names_tests_that_exist() -> None:
    table = TABLE.read_text(encoding="utf-8")
    rows = [line for line in table.splitlines() if re.match(r"\| \d+ \|", line)]

    missing = [
        f"{path}::{name}"
        for path, name in _TEST.findall(table)
        if f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")
    ]

    assert [int(row.split("|")[1]) for row in rows] == list(range(1, 21))
    assert all(_TEST.search(row) for row in rows)
    assert missing == []
