"""What lists have in common: filters above them, and links that keep what was chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Filter:
    """One chip above a list; `count` is None where it would cost as much as the list."""

    label: str
    href: str
    is_on: bool
    count: int | None = None


def link(path: str, query: Mapping[str, str | None]) -> str:
    """Return an address with those parts of the query that say something."""
    said = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(said)}" if said else path
