"""Both languages are complete: nothing untranslated, nothing left over, no placeholder lost."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONSOLE = ROOT / "cloud" / "console"
sys.path.insert(0, str(ROOT / "scripts"))

import messages  # noqa: E402 - a script, found by its folder

from cloud.console.audit_words import ACT_WORDS, SUBJECT_WORDS  # noqa: E402
from cloud.console.language import language_of, locale_asked_for  # noqa: E402
from cloud.domain.user import Locale  # noqa: E402

_PLACEHOLDER = re.compile(r"%\(\w+\)s|%s|%%|\{\}|`[^`]*`")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
# Names that stay in their own language, and the currency's sign.
_CHINESE_ALLOWED = re.compile(r"中文|元|年|月|《|》|至")


def test_the_catalogue_has_exactly_the_strings_that_are_used() -> None:
    stored = {(message.context, _first(message.id)) for message in messages.stored_catalogue() if message.id}
    used = {(message.context, _first(message.id)) for message in messages.extracted() if message.id}

    assert used - stored == set(), "run `python scripts/messages.py` and translate what it lists"
    assert stored - used == set(), "run `python scripts/messages.py`: these strings are gone"


def test_every_string_is_translated_with_the_same_placeholders() -> None:
    for message in messages.stored_catalogue():
        if not message.id:
            continue
        sources = message.id if isinstance(message.id, tuple | list) else (message.id,)
        forms = message.string if isinstance(message.string, tuple | list) else (message.string,)
        assert all(forms), f"not translated: {sources[0]!r}"
        for form in forms:
            wanted = {frozenset(_PLACEHOLDER.findall(source)) for source in sources}
            # Words come in another order there: {0}, {1} stand for the same {} and {}.
            unnumbered = re.sub(r"\{\d\}", "{}", form)
            assert frozenset(_PLACEHOLDER.findall(unnumbered)) in wanted, (sources, form)
        assert "fuzzy" not in message.flags, sources[0]


def test_source_strings_are_english() -> None:
    for path in [*CONSOLE.glob("*.py"), *(CONSOLE / "templates").rglob("*.html")]:
        text = _CHINESE_ALLOWED.sub("", path.read_text(encoding="utf-8"))
        text = re.sub(r"\{#.*?#\}|\"\"\".*?\"\"\"", "", text, flags=re.DOTALL)

        assert not _CHINESE.search(text), path.name


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", Locale.CHINESE),
        ("zh-CN,zh;q=0.9,en;q=0.8", Locale.CHINESE),
        ("en-GB,en;q=0.9", Locale.ENGLISH),
        ("de-DE,de;q=0.9", Locale.CHINESE),
        ("de,en;q=0.5,zh;q=0.4", Locale.ENGLISH),
        ("en;q=broken", Locale.CHINESE),
    ],
)
def test_a_browser_gets_the_language_it_asks_for(header: str, expected: Locale) -> None:
    assert locale_asked_for(header) is expected


def test_plurals_follow_the_language() -> None:
    english, chinese = language_of(Locale.ENGLISH), language_of(Locale.CHINESE)

    assert english.ngettext("%(num)s alarm", "%(num)s alarms", 1) == "%(num)s alarm"
    assert english.ngettext("%(num)s alarm", "%(num)s alarms", 2) == "%(num)s alarms"
    assert chinese.ngettext("%(num)s alarm", "%(num)s alarms", 2) == "%(num)s 条报警"


def _first(message_id: str | tuple[str, ...] | list[str]) -> str:
    return message_id if isinstance(message_id, str) else message_id[0]


def test_the_acts_of_the_audit_log_have_words() -> None:
    recorded = re.compile(r'audit\.record\(\s*tx,\s*[^,"]+,\s*"([a-z_]+)",\s*"([a-z_]+)"')
    found = [
        pair
        for path in (ROOT / "cloud" / "services").glob("*.py")
        for pair in recorded.findall(path.read_text(encoding="utf-8"))
    ]
    acts, subjects = ({pair[at] for pair in found} for at in (0, 1))

    assert "reveal_number" in acts, "the pattern still finds them"
    assert acts <= ACT_WORDS.keys(), sorted(acts - ACT_WORDS.keys())
    assert subjects <= SUBJECT_WORDS.keys(), sorted(subjects - SUBJECT_WORDS.keys())
