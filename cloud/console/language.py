"""The languages of the pages: catalogues, and which one a request gets.

Source strings are English; the Chinese catalogue (`locale/zh_CN/console.po`) is read as it is
when first asked for, so there is no compiled file that could be stale. The invariant, held by a
test: every string of the templates has a Chinese translation with the same placeholders.
"""

from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import babel
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from cloud.domain.user import Locale

CATALOGUES = Path(__file__).parent / "locale"


def mark(message: str) -> str:
    """Return `message` as it is; marks a string that is translated where it is shown."""
    return message


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its tag in HTML, its rules for dates and numbers, its catalogue."""

    tag: Locale
    rules: babel.Locale
    catalogue: NullTranslations

    def gettext(self, message: str) -> str:
        """Return the translation of `message`."""
        return str(self.catalogue.gettext(message))

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        """Return the translation that fits `number`."""
        return str(self.catalogue.ngettext(singular, plural, number))


@cache
def language_of(tag: Locale) -> Language:
    """Return the language of that tag, its catalogue loaded."""
    match tag:
        case Locale.CHINESE:
            return Language(tag, babel.Locale("zh", script="Hans", territory="CN"), _read_catalogue("zh_CN"))
        case Locale.ENGLISH:
            return Language(tag, babel.Locale("en"), NullTranslations())


def locale_asked_for(accept_language: str) -> Locale:
    """Return what the browser would rather read; Chinese unless English comes before it."""
    wishes: list[tuple[float, Locale]] = []
    for part in accept_language.split(","):
        tag, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        language = tag.split("-")[0].lower()
        if language in ("zh", "en"):
            wishes.append((weight, Locale.CHINESE if language == "zh" else Locale.ENGLISH))
    return max(wishes, key=lambda wish: wish[0])[1] if wishes else Locale.CHINESE


def _read_catalogue(name: str) -> Translations:
    with (CATALOGUES / name / "console.po").open("rb") as source:
        catalogue = read_po(source, locale=name)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled, domain="console")
