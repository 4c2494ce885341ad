"""The table of faults is true: every fault has its row, and every test it names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
FAULTS = [
    *(f"E{number}" for number in range(1, 13)),
    *(f"S{number}" for number in range(1, 15)),
    *("C1", "C2", "C3", "C9"),
    *(f"K{number}" for number in range(1, 9)),
]
_TEST = re.compile(r"`(tests/[a-z_/0-9]+\.py)::(test_[a-z_0-9]+)`")


def test_every_fault_has_a_row_with_a_test() -> None:
    rows = {
        line.split("|")[1].strip(): line for line in PAGE.splitlines() if re.match(r"\| [ESCK]\d+ \|", line)
    }

    assert list(rows) == FAULTS
    assert [fault for fault, row in rows.items() if not _TEST.search(row)] == []


def test_every_test_the_page_names_exists() -> None:
    named = set(_TEST.findall(PAGE))

    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).exists() or f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")
    ]

    assert missing == []


def test_every_invariant_is_checked_by_the_oracle() -> None:
    oracle = (ROOT / "tests" / "simulation" / "oracle.py").read_text(encoding="utf-8")

    for invariant in re.findall(r"^\| (I\d) \|", PAGE, re.MULTILINE):
        assert re.search(rf'f"(I\d/)?{invariant}[:/]', oracle), invariant
