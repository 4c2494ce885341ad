"""The agent holds no more after its network, its broker and its buses came and went than before."""

from pathlib import Path

from tests.torture.soak import Held, grows, soak


def test_what_comes_and_goes_leaves_neither_tasks_nor_files_behind(tmp_path: Path) -> None:
    held = soak(tmp_path, flaps=24, pause_s=0.1, seed=20261124, rests=2)

    assert [one.flaps for one in held] == [12, 24]
    assert not grows(held), held


def test_a_task_or_a_file_left_by_each_flap_would_be_seen() -> None:
    assert grows([Held(12, 48, 40, 90_000), Held(24, 60, 40, 90_000)])
    assert grows([Held(12, 48, 40, 90_000), Held(24, 48, 52, 90_000)])
