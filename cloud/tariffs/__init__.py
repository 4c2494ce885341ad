"""Tariff documents that ship with Gatehouse: published tariffs with source, date and confidence.

They are offered for import, never in force by themselves: a person reads source and confidence and
activates what holds for the site. `calendars/` has time-of-use calendars whose base price changes
every month: times and factors, to which a site adds its own price.
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


def _json_files(folder: Traversable) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".json"):
            yield entry.name, entry.read_bytes()
