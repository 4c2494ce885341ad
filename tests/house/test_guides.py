"""The guides say the same in both languages, and show what `make pictures` takes."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ("manager", "technician", "resident")
# Taken by hand at the box's own page and tools.
_EDGE = "edge-"


def _pictures_taken() -> set[str]:
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "scripts" / "pictures.py")
    assert spec
    assert spec.loader
    pictures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pictures)
    return {f"{one.name}{mark}.png" for one in pictures.PICTURES for mark in pictures.LANGUAGES.values()}


def _by_command(names: set[str]) -> set[str]:
    return {name for name in names if not name.startswith(_EDGE)}


def _shown(page: Path) -> list[str]:
    return re.findall(r"!\[[^\]]+\]\([^)]*images/([^)]+)\)", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", GUIDES)
def test_both_languages_have_the_same_parts_and_pictures(name: str) -> None:
    english, chinese = (ROOT / "docs" / "guides" / f"{name}{mark}.md" for mark in ("", ".zh-CN"))

    assert [f"{shown.removesuffix('.png')}.zh.png" for shown in _shown(english)] == _shown(chinese)
    for part in (r"^##? ", r"^\d\. ", r"^\| ", r"^- "):
        counted = [len(re.findall(part, page.read_text(), re.MULTILINE)) for page in (english, chinese)]
        assert counted[0] == counted[1], part


def test_every_picture_is_taken_by_the_command_and_shown_somewhere() -> None:
    pages = [*ROOT.glob("README*.md"), *ROOT.glob("docs/guides/*.md")]
    shown = {name for page in pages for name in _shown(page)}
    kept = {path.name for path in (ROOT / "docs" / "images").glob("*.png")}

    assert shown <= kept
    assert _by_command(kept) == _pictures_taken() == _by_command(shown)
