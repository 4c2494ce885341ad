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

from cloud.press.sheet import LabelSheet, Sheet

TEMPLATES = Path(__file__).parent / "templates"
FONTS = Path(pylopdf_fonts_zh_cn.__file__).parent


class PressError(Exception):
    """A sheet that cannot be printed: a mistake of ours, or a typeface that is not there."""


class Press:
    """One compiler with its typeface in memory; used by one thread at a time."""

    def __init__(self) -> None:
        self._fonts = typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)]
        )
        self._compilers: dict[str, typst.Compiler] = {}

    def print(self, sheets: Sequence[Sheet] | LabelSheet) -> bytes:
        """Return one PDF: of documents, each beginning on a page of its own; of labels, page by page."""
        template = "labels.typ" if isinstance(sheets, LabelSheet) else "document.typ"
        return self._print(template, encode(sheets))

    def _print(self, template: str, data: str) -> bytes:
        if template not in self._compilers:
            path = str(TEMPLATES / template)
            self._compilers[template] = typst.Compiler(
                path, root=str(TEMPLATES), font_paths=self._fonts, ignore_system_fonts=True
            )
        try:
            made, warnings = self._compilers[template].compile_with_warnings(
                format="pdf", sys_inputs={"data": data}, timestamp=0, pdf_tags=False
            )
        except typst.TypstError as error:
            raise PressError(f"typst: {error.diagnostic or error.message}") from error
        if warnings:
            raise PressError("typst warns: " + "; ".join(warning.message for warning in warnings))
        assert isinstance(made, bytes), "a PDF is one file"
        return made


def encode(sheets: Sequence[Sheet] | LabelSheet) -> str:
    """Return sheets as their template reads them."""
    return msgspec.json.encode(sheets).decode()
