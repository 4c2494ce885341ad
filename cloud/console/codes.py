"""The picture of a code of digits, for a reader at a door or a guard's phone."""

import segno
from markupsafe import Markup


def picture_of_code(code: str) -> Markup:
    """Return the QR code of digits we made ourselves; nothing a person typed is in it."""
    drawn = segno.make(code, error="m", micro=False)
    return Markup(drawn.svg_inline(omitsize=True, dark="#000", light="#fff", border=3))  # noqa: S704
