"""The way from paper back to us: a QR code to the page that tells whether the paper is genuine."""

import segno

from cloud.press.sheet import Proof
from cloud.press.words import Words


def verification_path(number: str, code: str) -> str:
    """Return the address of a document's verification, without its host."""
    return f"/verify/{number}/{code}"


def proof_of(origin: str, number: str, code: str, words: Words) -> Proof:
    """Return the QR code of a document with what is printed beside it."""
    address = origin + verification_path(number, code)
    # Level Q bears a fold or a stamp over a quarter of it; no border, the page has room.
    # Any of the eight masks reads; trying out which is the handsomest takes four fifths of the time.
    picture = segno.make(address, error="q", micro=False, mask=2)
    svg = picture.svg_inline(border=0, dark="#13201E", omitsize=True)
    return Proof(svg, f"{words.say('code')} {code}", f"{origin}/verify", words.say("check"))
