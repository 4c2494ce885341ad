"""What a simulated camera sees: a place drawn anew for each picture, with the time and its name in it.

The invariant: nobody in a picture has a face. Pillow is imported when a picture is drawn, since not
every machine that plays a building has it.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from io import BytesIO
from types import MappingProxyType
from typing import Any

SIZE = (1280, 720)
# Cameras write local time into their picture; the demonstration's property is in Beijing.
_BEIJING = timezone(timedelta(hours=8))
_JPEG_QUALITY = 80
_LETTER_HEIGHT = 34
_SKIN, _COAT = (196, 164, 140), ((58, 66, 92), (96, 62, 58), (60, 84, 70), (110, 104, 92))


@dataclass(frozen=True, slots=True)
class View:
    """One camera's view: its name as written into the picture, and what it looks at."""

    name: str
    place: str  # one of SCENES


def picture(view: View, at_ms: int) -> bytes:
    """Return what the camera sees at that instant as JPEG."""
    from PIL import Image, ImageDraw, ImageFilter

    second = at_ms // 1000
    chance = random.Random(f"{view.name} {second // 4}")  # noqa: S311 - who passes, not a secret
    image = Image.new("RGB", SIZE)
    draw = ImageDraw.Draw(image, "RGBA")
    SCENES[view.place](draw, chance, second)
    image = image.filter(ImageFilter.GaussianBlur(1.2))
    image = Image.blend(image, _noise(), 0.06)
    _write_over(ImageDraw.Draw(image), view, second)
    written = BytesIO()
    image.save(written, "JPEG", quality=_JPEG_QUALITY)
    return written.getvalue()


def _write_over(draw: Any, view: View, second: int) -> None:
    at = datetime.fromtimestamp(second, UTC).astimezone(_BEIJING)
    for place, text, anchor in (
        ((28, 24), at.strftime("%Y-%m-%d %H:%M:%S"), "la"),
        ((SIZE[0] - 28, SIZE[1] - 24), view.name, "rd"),
    ):
        draw.text(place, text, font=_font(), anchor=anchor, fill="white", stroke_width=2, stroke_fill="black")


@cache
def _noise() -> Any:
    """Return the grain of a cheap sensor; made once, since drawing must not keep meters from answering."""
    from PIL import Image

    return Image.effect_noise(SIZE, 22).convert("RGB")


@cache
def _font() -> Any:
    from importlib import resources

    from PIL import ImageFont

    try:
        with resources.as_file(resources.files("pylopdf_fonts_zh_cn")) as folder:
            typeface = next(path for path in folder.rglob("*") if path.suffix in (".otf", ".ttf"))
            return ImageFont.truetype(str(typeface), _LETTER_HEIGHT)
    except (ImportError, StopIteration, OSError):
        return ImageFont.load_default(_LETTER_HEIGHT)  # has no Chinese, but the time can be read


def _lobby(draw: Any, chance: random.Random, second: int) -> None:
    """A hall seen from above its doors: floor tiles, two lifts, a guard's desk, who passes."""
    _shade(draw, (0, 0, 1280, 300), (188, 182, 170), (150, 145, 134))
    _shade(draw, (0, 300, 1280, 720), (120, 116, 110), (168, 164, 156))
    for i in range(-8, 9):
        draw.line(((640 + 60 * i, 300), (640 + 260 * i, 720)), fill=(90, 88, 84, 120), width=2)
    for i in range(7):
        y = 300 + i * i * 12
        draw.line(((0, y), (1280, y)), fill=(90, 88, 84, 120), width=2)
    for x in (430, 690):
        draw.rectangle((x - 12, 88, x + 162, 306), fill=(92, 90, 88))
        draw.rectangle((x, 100, x + 150, 304), fill=(150, 154, 158))
        draw.line(((x + 75, 100), (x + 75, 304)), fill=(84, 88, 92), width=3)
        draw.rectangle((x + 52, 66, x + 98, 84), fill=(30, 30, 30))
        draw.text((x + 64, 62), str(1 + (second // 9 + x) % 6), fill=(240, 90, 40), font_size=20)
    draw.rectangle((60, 250, 330, 400), fill=(110, 84, 60))
    draw.rectangle((48, 236, 344, 262), fill=(150, 122, 92))
    draw.rectangle((1030, 90, 1240, 330), fill=(206, 222, 232))
    draw.line(((1135, 90), (1135, 330)), fill=(120, 126, 130), width=5)
    for _ in range(chance.choice((0, 1, 1, 2))):
        _person(draw, chance.randint(420, 1060), chance.randint(330, 560), chance)


def _pump_room(draw: Any, chance: random.Random, second: int) -> None:
    """A pump room: two pumps, pipes, a sump, a lamp that has seen better days."""
    flicker = 6 if second % 7 == 0 else 0
    _shade(draw, (0, 0, 1280, 330), (84 + flicker, 92, 96), (110 + flicker, 116, 118))
    _shade(draw, (0, 330, 1280, 720), (74, 78, 80), (112, 114, 112))
    for y, width in ((110, 26), (176, 34)):
        draw.line(((0, y), (1280, y)), fill=(52, 104, 126), width=width)
        draw.line(((0, y - width // 4), (1280, y - width // 4)), fill=(110, 160, 178, 150), width=4)
    for x in (300, 700):
        draw.rectangle((x + 60, 176, x + 92, 420), fill=(46, 92, 112))
        draw.rectangle((x, 420, x + 230, 560), fill=(38, 78, 120))
        draw.ellipse((x + 170, 410, x + 320, 570), fill=(60, 66, 74))
        draw.rectangle((x - 30, 556, x + 340, 584), fill=(58, 58, 58))
        draw.ellipse((x + 40, 440, x + 84, 484), fill=(210, 214, 214))
        draw.line(((x + 62, 462), (x + 74, 448)), fill=(190, 40, 40), width=3)
    draw.polygon(((900, 640), (1200, 640), (1260, 720), (860, 720)), fill=(40, 46, 50))
    wet = 120 + 20 * ((second // 3) % 3)
    draw.ellipse((1080 - wet, 596, 1080 + wet, 660), fill=(70, 100, 116, 120))
    if chance.random() < 0.15:
        _person(draw, chance.randint(150, 260), 520, chance)


def _garage(draw: Any, chance: random.Random, second: int) -> None:
    """A garage's aisle: columns, lines, parked cars, now and then one that drives."""
    _shade(draw, (0, 0, 1280, 280), (96, 98, 100), (130, 132, 132))
    _shade(draw, (0, 280, 1280, 720), (86, 90, 88), (128, 132, 130))
    for i in range(5):
        draw.rectangle((560 - 24 * i, 30 + 40 * i, 720 + 24 * i, 36 + 44 * i), fill=(236, 238, 226, 210))
    draw.polygon(((600, 280), (680, 280), (940, 720), (340, 720)), fill=(70, 92, 84))
    for side in (-1, 1):
        for i in range(4):
            x, y, size = 640 + side * (110 + 120 * i), 290 + 74 * i, 50 + 34 * i
            draw.rectangle((x - size // 8, y - 2 * size, x + size // 8, y + 20), fill=(170, 172, 168))
            draw.rectangle((x - size // 8, y - size // 2, x + size // 8, y + 20), fill=(214, 176, 44))
            if (i * 7 + side) % 3:
                _car(draw, x + side * size, y + 20, size, (90 + 30 * i, 92 + 12 * i, 104))
    if second % 20 < 6:
        _car(draw, 640, 380 + 40 * (second % 20), 90 + 12 * (second % 20), (168, 172, 178))
    elif chance.random() < 0.4:
        _person(draw, chance.randint(480, 800), chance.randint(380, 560), chance)


SCENES: Mapping[str, Callable[[Any, random.Random, int], None]] = MappingProxyType(
    {"garage": _garage, "lobby": _lobby, "pump_room": _pump_room}
)


def _shade(draw: Any, box: tuple[int, int, int, int], top: Any, bottom: Any) -> None:
    left, upper, right, lower = box
    for y in range(upper, lower, 4):
        part = (y - upper) / (lower - upper)
        colour = tuple(round(a + (b - a) * part) for a, b in zip(top, bottom, strict=True))
        draw.rectangle((left, y, right, y + 4), fill=colour)


def _person(draw: Any, x: int, y: int, chance: random.Random) -> None:
    size = 30 + (y - 280) // 4
    coat = chance.choice(_COAT)
    draw.ellipse((x - size, y + 3 * size - 8, x + size, y + 3 * size + 14), fill=(30, 30, 30, 90))
    draw.rounded_rectangle((x - size // 2, y, x + size // 2, y + 2 * size), size // 3, fill=coat)
    for side in (-1, 1):
        foot = x + side * size // 4
        draw.line(((foot, y + 2 * size - 6), (foot, y + 3 * size)), fill=(40, 42, 48), width=size // 3)
    # Nobody is known by a face that is not drawn.
    draw.ellipse((x - size // 3, y - size * 3 // 4, x + size // 3, y), fill=_SKIN)


def _car(draw: Any, x: int, y: int, size: int, colour: tuple[int, int, int]) -> None:
    draw.ellipse((x - size, y + size // 4, x + size, y + size * 3 // 5), fill=(20, 20, 20, 110))
    draw.rounded_rectangle((x - size, y - size // 4, x + size, y + size // 3), size // 6, fill=colour)
    draw.rounded_rectangle(
        (x - size * 2 // 3, y - size * 2 // 3, x + size * 2 // 3, y - size // 8), size // 5, fill=(52, 62, 72)
    )
    for side in (-1, 1):
        lamp = x + side * size * 3 // 4
        draw.ellipse(
            (lamp - size // 8, y - size // 10, lamp + size // 8, y + size // 8), fill=(240, 236, 200)
        )
