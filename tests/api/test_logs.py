"""How a log line looks to a person and to a collector."""

import logging
import sys

import msgspec

from cloud.logs import JsonLines, TextLines


def _record(**fields: object) -> logging.LogRecord:
    record = logging.LogRecord("cloud.x", logging.WARNING, __file__, 1, "no reply", None, None)
    record.created = 1_795_400_000.004
    record.__dict__.update(fields)
    return record


def test_a_line_for_people_names_every_field() -> None:
    line = TextLines().format(_record(status=503, route="/a b", user_id=None))

    assert line == "2026-11-23T02:13:20.004Z WARNING cloud.x no reply status=503 route='/a b'"


def test_a_line_for_collectors_is_one_json_object() -> None:
    entry = msgspec.json.decode(JsonLines().format(_record(status=503, error=ValueError("odd"))))

    assert entry == {
        "at": "2026-11-23T02:13:20.004Z",
        "level": "WARNING",
        "logger": "cloud.x",
        "message": "no reply",
        "status": 503,
        "error": "odd",
    }


def test_a_newline_in_a_field_cannot_forge_a_line() -> None:
    line = TextLines().format(_record(agent="a\n2026 INFO forged"))

    assert "\n" not in line


def test_a_traceback_follows_its_line() -> None:
    try:
        int("odd")
    except ValueError:
        record = _record()
        record.exc_info = sys.exc_info()

    assert TextLines().format(record).splitlines()[-1].startswith("ValueError: invalid literal")
    assert "ValueError: invalid literal" in msgspec.json.decode(JsonLines().format(record))["traceback"]
