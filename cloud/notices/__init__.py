"""What notices say: one TOML file a topic, with a title and a text in every language.

A word that begins with `$` is filled in by whoever sends the notice. `sms` lists the values in the
order in which the topic's text, registered with the carrier, has its gaps; several with a space between
them share a gap. A value of a closed list (a state) is sent as its code, and `words` says what that is in
the language. `defaults` are for notices written down before a value was asked for. The invariant: every
language of a topic asks for the same values, so no reader gets a gap where another gets a figure.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from string import Template

from cloud.domain.errors import Invalid
from cloud.domain.notice import Topic
from cloud.domain.user import Locale


@dataclass(frozen=True, slots=True)
class NoticeText:
    """A topic's title and text in one language."""

    title: Template
    text: Template
    words: Mapping[str, str]
    defaults: Mapping[str, str]

    def filled(self, values: Mapping[str, str]) -> tuple[str, str]:
        """Return title and text with their gaps filled; Invalid names a value that is missing."""
        told = self.told(values)
        try:
            return self.title.substitute(told).strip(), self.text.substitute(told)
        except KeyError as error:
            raise Invalid(f"the notice lacks its value {error.args[0]!r}") from error

    def told(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return every value as this language says it, those that were never given by their default."""
        return {name: self.said(value) for name, value in {**self.defaults, **values}.items()}

    def said(self, value: str) -> str:
        """Return a value as this language says it."""
        return self.words.get(value, value)

    def gaps(self) -> frozenset[str]:
        """Return the names of the values it asks for."""
        return frozenset(self.title.get_identifiers()) | frozenset(self.text.get_identifiers())


@dataclass(frozen=True, slots=True)
class TopicTexts:
    """Everything a topic says."""

    by_locale: Mapping[Locale, NoticeText]
    sms: tuple[str, ...]


@cache
def texts_of(topic: Topic) -> TopicTexts:
    """Return the texts of a topic, read once from its file."""
    document = tomllib.loads((resources.files(__name__) / f"{topic.value}.toml").read_text("utf-8"))
    by_locale = {
        locale: NoticeText(
            Template(document[locale.value]["title"]),
            Template(document[locale.value]["text"]),
            document[locale.value].get("words", {}),
            document.get("defaults", {}),
        )
        for locale in Locale
    }
    return TopicTexts(by_locale, tuple(document["sms"]))
