"""The colours keep their promises: enough contrast, one source, three copies that agree."""

import re
from pathlib import Path

import pytest

ASSETS = Path(__file__).resolve().parents[2] / "cloud" / "console" / "assets"
TOKENS = (ASSETS / "css" / "tokens.css").read_text(encoding="utf-8")

_COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsla?\(|\boklch\(")
_GROUNDS = ("surface", "bg", "sunken")
_TEXTS = ("ink", "ink2", "ink3", "accent", "crit", "warn", "info", "ok", "elec", "water")
_TINTED = ("crit", "warn", "info", "ok")


def blocks() -> dict[str, dict[str, str]]:
    """Return each block's custom properties, by its selector."""
    found: dict[str, dict[str, str]] = {}
    text = re.sub(r"/\*.*?\*/", "", TOKENS, flags=re.DOTALL)
    for selector, body in re.findall(r"([^{};]+)\{([^{}]*)\}", text):
        values = dict(re.findall(r"--([\w-]+):\s*([^;]+);", body))
        found[selector.strip()] = {**found.get(selector.strip(), {}), **values}
    return found


LIGHT = blocks()[":root"]
DARK = blocks()[":root[data-theme=dark]"]


def luminance(colour: str) -> float:
    """Return the relative luminance of #RRGGBB (WCAG 2.2)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_of_black_and_white_is_twenty_one() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("text", _TEXTS)
@pytest.mark.parametrize("ground", _GROUNDS)
def test_text_can_be_read_on_every_ground(theme: dict[str, str], text: str, ground: str) -> None:
    assert contrast(theme[text], theme[ground]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("status", _TINTED)
def test_a_status_can_be_read_on_its_own_tint(theme: dict[str, str], status: str) -> None:
    assert contrast(theme[status], theme[f"{status}-w"]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_a_button_s_label_can_be_read(theme: dict[str, str]) -> None:
    assert contrast(theme["on-accent"], theme["accent"]) >= 4.5
    assert contrast(theme["surface"], theme["crit"]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("shape", ["line2", "t1", "t2", "t3", "warn-f"])
def test_a_shape_that_means_something_stands_out(theme: dict[str, str], shape: str) -> None:
    assert contrast(theme[shape], theme["surface"]) >= 3.0


def test_dark_by_system_is_dark_by_choice() -> None:
    assert blocks()[":root:not([data-theme=light])"] == DARK


def test_print_is_light_on_white() -> None:
    printed = blocks()[":root, :root[data-theme=dark], :root:not([data-theme=light])"]

    for name, value in printed.items():
        assert value in (LIGHT.get(name), "#FFFFFF", "none"), name
    assert printed["bg"] == printed["raised"] == "#FFFFFF"


def test_no_colour_is_written_outside_the_tokens() -> None:
    # The icons of tab and phone cannot use a token: they are loaded without a page.
    files = [
        path
        for path in [*ASSETS.rglob("*.css"), *ASSETS.rglob("*.js"), *ASSETS.rglob("*.svg")]
        if path.name not in ("app-icon.svg", "favicon.svg", "tokens.css")
    ]
    templates = (ASSETS.parent / "templates").rglob("*.html")

    # `url(#hatch)` and fragment links are names, not colours.
    wrong = {
        path.name: found
        for path in [*files, *templates]
        if (
            found := [
                match
                for match in _COLOUR.findall(re.sub(r"url\(#[^)]*\)", "", path.read_text(encoding="utf-8")))
                if not re.fullmatch(r"#(face|added|feed|dead|bad)", match)
            ]
        )
    }

    assert wrong == {}


def test_no_template_has_an_inline_style_or_handler() -> None:
    for path in (ASSETS.parent / "templates").rglob("*.html"):
        text = path.read_text(encoding="utf-8")

        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", text), path.name
