"""How the cloud writes its log: a constant message and fields, as text for people or JSON for collectors.

The invariant: whatever a module passes in `extra` appears, and nothing is formatted into the message,
so lines can be counted and searched.
"""

import logging
import sys
from datetime import UTC, datetime

import msgspec

from cloud.config import Logs

# What a bare record has; everything else came in `extra`.
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def configure_logs(config: Logs) -> None:
    """Send everything to standard error in the configured form; call once, when the process starts."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if config.form == "json" else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(config.level)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)  # we write our own line a request
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)


class TextLines(logging.Formatter):
    """`2026-11-23T01:02:03.004Z INFO cloud.web.request_log request status=200 …`"""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, then the traceback if there is one."""
        fields = "".join(f" {name}={_bare(value)}" for name, value in _fields(record).items())
        line = f"{_instant(record)} {record.levelname} {record.name} {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one JSON object."""
        entry: dict[str, object] = {
            "at": _instant(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(entry, enc_hook=str).decode()


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {
        name: value for name, value in record.__dict__.items() if name not in _STANDARD and value is not None
    }


def _instant(record: logging.LogRecord) -> str:
    return (
        datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def _bare(value: object) -> str:
    text = str(value)
    return text if text and text.isprintable() and " " not in text else repr(text)
