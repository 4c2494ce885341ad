"""Bring the console's Chinese catalogue up to date with the strings in its templates and code.

New strings are added without a translation, gone ones are dropped, nothing is guessed. Prints what is
still to be translated; a test refuses a catalogue that is not complete.
"""

import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
CONSOLE = ROOT / "cloud" / "console"
CATALOGUE = CONSOLE / "locale" / "zh_CN" / "console.po"

METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
OPTIONS = {
    "templates/**.html": {
        "extensions": "jinja2.ext.i18n,jinja2.ext.do",
        "trim_blocks": "true",
        "lstrip_blocks": "true",
    }
}
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2), "mark": None}


def main() -> int:
    """Update the file; return 1 while strings are untranslated."""
    catalogue = stored_catalogue()
    catalogue.update(extracted(), no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    with CATALOGUE.open("wb") as target:
        write_po(target, catalogue, width=110, omit_header=False, sort_output=True, no_location=True)
    missing = untranslated(catalogue)
    for message in missing:
        print(f"  {message!r}")
    print(f"{len(catalogue)} strings, {len(missing)} not translated")
    return 1 if missing else 0


def extracted() -> Catalog:
    """Return the strings that templates and code hold now."""
    catalogue = Catalog(locale="zh_CN", project="gatehouse")
    found = extract_from_dir(CONSOLE, METHODS, OPTIONS, KEYWORDS, directory_filter=_is_source)
    for filename, line, message, comments, context in found:
        catalogue.add(message, None, [(filename, line)], auto_comments=comments, context=context)
    return catalogue


def stored_catalogue() -> Catalog:
    """Return the catalogue in the repository."""
    with CATALOGUE.open("rb") as source:
        return read_po(source, locale="zh_CN")


def untranslated(catalogue: Catalog) -> list[str]:
    """Return the strings that have no translation, plural forms included."""
    missing = []
    for message in catalogue:
        forms = message.string if isinstance(message.string, tuple | list) else (message.string,)
        if message.id and not all(forms):
            missing.append(message.id[0] if isinstance(message.id, tuple | list) else message.id)
    return missing


def _is_source(folder: str) -> bool:
    return Path(folder).name not in ("node_modules", "static", "web", "locale", "__pycache__")


if __name__ == "__main__":
    sys.exit(main())
