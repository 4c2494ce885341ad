"""Labels for equipment: what is read standing before it, and a code that opens its page on a phone."""

from collections.abc import Sequence

import segno

from cloud.domain.equipment import Equipment
from cloud.domain.periods import time_zone
from cloud.domain.premises import Site
from cloud.domain.user import Locale
from cloud.press.sheet import Label, LabelSheet
from cloud.press.words import Words


def label_path(equipment_id: str) -> str:
    """Return the address a label leads to, without its host: it holds whatever the equipment is called."""
    return f"/labels/{equipment_id}"


def label_sheet(
    site: Site, pieces: Sequence[tuple[Equipment, str]], language: Locale, origin: str
) -> LabelSheet:
    """Return the labels of equipment with where it stands, in the order given."""
    words = Words(language, time_zone(site.time_zone))
    return LabelSheet(
        language.value,
        words.say("labels"),
        site.name,
        words.say("label_use"),
        tuple(_label(one, place, origin) for one, place in pieces),
    )


def _label(one: Equipment, place: str, origin: str) -> Label:
    # Level M: a label is touched and wiped, but small. Any mask reads; trying all takes most of the time.
    picture = segno.make(origin + label_path(one.equipment_id), error="m", micro=False, mask=2)
    svg = picture.svg_inline(border=2, dark="#000", light="#fff", omitsize=True)
    model = f"{one.brand} {one.model}".strip()
    return Label(svg, one.code, one.name, tuple(text for text in (model, one.serial_number, place) if text))
