"""The books after random months at the desk; `make books` does the same for a million steps."""

import shutil
from pathlib import Path

import pytest

from tests.billing.books import run


@pytest.mark.parametrize("seed", [1, 2])
def test_random_months_at_the_desk_balance_to_the_fen(
    sqlite_template: Path, tmp_path: Path, seed: int
) -> None:
    path = tmp_path / "books.db"
    shutil.copy(sqlite_template, path)

    done = run(path, seed, 400)

    assert done["pay"] > 50
    assert done["decide"] > 0
