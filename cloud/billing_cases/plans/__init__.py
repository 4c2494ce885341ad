"""Tariffs that published worked examples use without stating them in full."""

from collections.abc import Iterator
from importlib import resources


def example_plans() -> Iterator[bytes]:
    """Return the documents in alphabetical order of their files."""
    for entry in sorted(resources.files(__name__).iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".json"):
            yield entry.read_bytes()
