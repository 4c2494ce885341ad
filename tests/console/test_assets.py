"""Pages name the files that are there, even after a build under a running cloud."""

import json
import os
from pathlib import Path

import pytest

from cloud.console.assets import Assets, MissingAssets


def put_build(folder: Path, at_s: int, **names: str) -> None:
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({"files": {name.replace("_", "."): file for name, file in names.items()}}))
    os.utime(manifest, (at_s, at_s))


def test_a_missing_build_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(MissingAssets, match=r"build_web\.py"):
        Assets(tmp_path)


def test_a_new_build_is_taken_over_without_a_restart(tmp_path: Path) -> None:
    put_build(tmp_path, 1_000, console_css="console-A.css")
    assets = Assets(tmp_path)
    assert assets.url("console.css") == "/static/console-A.css"

    put_build(tmp_path, 2_000, console_css="console-B.css")

    assert assets.url("console.css") == "/static/console-B.css"


def test_a_build_that_is_being_put_in_place_disturbs_nobody(tmp_path: Path) -> None:
    put_build(tmp_path, 1_000, console_css="console-A.css")
    assets = Assets(tmp_path)

    (tmp_path / "manifest.json").unlink()

    assert assets.url("console.css") == "/static/console-A.css"
    with pytest.raises(MissingAssets, match="console\\.js"):
        assets.url("console.js")
