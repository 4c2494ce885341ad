"""The picture of a code or link of ours, for a telephone or a reader to take from the screen."""

import segno
from markupsafe import Markup


def picture_of_code(code: str) -> Markup:
    """Return the QR code of something we made ourselves, not a person's markup."""
    drawn = segno.make(code, error="m", micro=False)
    return Markup(drawn.svg_inline(omitsize=True, dark="#000", light="#fff", border=3))  # noqa: S704
