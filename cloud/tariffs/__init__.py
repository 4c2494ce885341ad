"""Tariff documents that ship with Gatehouse: published tariffs with source, date and confidence.

They are offered for import, never in force by themselves: a person reads source and confidence and
activates what holds for the site. `calendars/` has time-of-use calendars whose base price changes
every month: times and factors, to which a site adds its own price. `holidays/` has the days off and
the weekends worked, year by year, by the number of the notice that says so.
"""

from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable


def shipped_documents() -> Iterator[tuple[str, bytes]]:
    """Return the file name and the bytes of every shipped document, in alphabetical order."""
    yield from _json_files(resources.files(__name__))


def shipped_calendars() -> Iterator[tuple[str, bytes]]:
    """Return the file name and the bytes of every shipped time-of-use calendar, in alphabetical order."""
    yield from _json_files(resources.files(__name__) / "calendars")


def shipped_holidays(region: str) -> bytes | None:
    """Return the holiday calendar of a region such as "CN-BJ", or None where none ships."""
    entry = resources.files(__name__) / "holidays" / f"{region[:2].lower()}.json"
    return entry.read_bytes() if entry.is_file() else None


def _json_files(folder: Traversable) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".json"):
            yield entry.name, entry.read_bytes()
