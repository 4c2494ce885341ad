"""The typst compiler: sheets in, one PDF out.

The invariant: nothing but the sheets, our templates and the one typeface decides a byte. The typeface
comes from a Python package; the machine's own fonts are not looked at, so a page looks the same on a
bare server. A warning (the typeface is missing) is an error: a bill with blanks in place of its amounts
must not exist. A rare character of a name that the typeface lacks is printed as a box, not left out.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pylopdf_fonts_zh_cn
import typst

from cloud.press.sheet import Sheet

TEMPLATES = Path(__file__).parent / "templates"
FONTS = Path(pylopdf_fonts_zh_cn.__file__).parent


class PressError(Exception):
    """A sheet that cannot be printed: a mistake of ours, or a typeface that is not there."""


class Press:
    """One compiler with its typeface in memory; used by one thread at a time."""

    def __init__(self) -> None:
        fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])
        self._compiler = typst.Compiler(
            str(TEMPLATES / "document.typ"), root=str(TEMPLATES), font_paths=fonts, ignore_system_fonts=True
        )

    def print(self, sheets: Sequence[Sheet]) -> bytes:
        """Return one PDF of all sheets, each beginning on a page of its own."""
        return self.print_encoded(encode(sheets))

    def print_encoded(self, data: str) -> bytes:
        """Return one PDF of sheets as `encode` wrote them."""
        try:
            made, warnings = self._compiler.compile_with_warnings(
                format="pdf", sys_inputs={"data": data}, timestamp=0, pdf_tags=False
            )
        except typst.TypstError as error:
            raise PressError(f"typst: {error.diagnostic or error.message}") from error
        if warnings:
            raise PressError("typst warns: " + "; ".join(warning.message for warning in warnings))
        assert isinstance(made, bytes), "a PDF is one file"
        return made


def encode(sheets: Sequence[Sheet]) -> str:
    """Return sheets as the template reads them."""
    return msgspec.json.encode(sheets).decode()
