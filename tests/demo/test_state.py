"""What is remembered between two starts, and what is never deleted."""

from pathlib import Path

import pytest

from gatehouse.demo.errors import DemoError
from gatehouse.demo.state import State, clear, read_state, write_state


def test_a_finished_past_is_remembered(tmp_path: Path) -> None:
    write_state(tmp_path, State(seed=7, lived_to_ms=1_700_000_000_000))

    assert read_state(tmp_path) == State(seed=7, lived_to_ms=1_700_000_000_000)


def test_a_start_that_was_broken_off_is_not_gone_on_with(tmp_path: Path) -> None:
    clear(tmp_path / "demo")

    assert read_state(tmp_path / "demo") is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 99, "seed": 1, "lived_to_ms": 5}'])
def test_a_state_that_makes_no_sense_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "demo.json").write_bytes(content)

    assert read_state(tmp_path) is None


def test_clearing_takes_away_only_what_is_a_demonstrations(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    clear(ours)
    (ours / "cloud.db").write_bytes(b"x")
    theirs.mkdir()
    (theirs / "thesis.tex").write_text("ten years")

    clear(ours)
    with pytest.raises(DemoError, match="not empty and not a demonstration's"):
        clear(theirs)

    assert not (ours / "cloud.db").exists()
    assert (theirs / "thesis.tex").exists()
