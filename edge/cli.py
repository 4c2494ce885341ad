"""What every command of `gatehouse edge` needs: the configuration argument, a loop, messages, a log."""

import asyncio
import importlib
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TypeVar

import click

from edge.errors import EdgeError
from provisioning.config import Config
from provisioning.config_file import load_config
from provisioning.identity import IdentityError
from provisioning.strict import Malformed

CONFIG = click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))

_T = TypeVar("_T")


def checked(path: Path) -> Config:
    """Return the configuration; a message a person can act on if it is wrong."""
    try:
        return load_config(path)
    except Malformed as error:
        raise click.ClickException(str(error)) from None


def run_async(work: Coroutine[object, object, _T]) -> _T:
    """Run the coroutine on uvloop where there is one; turn what a person can act on into a message."""
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(work)
    except (EdgeError, IdentityError, Malformed) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        raise click.exceptions.Exit(130) from None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    except ImportError:
        return None
    return factory


def log_to_stderr(level: str) -> None:
    """Log one line a record, fields behind the message as key=value."""
    handler = logging.StreamHandler()
    handler.setFormatter(_KeyValue("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _KeyValue(logging.Formatter):
    """Puts a record's extra fields behind its constant message, as key=value."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with a traceback below it if there is one."""
        fields = {k: v for k, v in vars(record).items() if k not in _STANDARD_FIELDS}
        line = super().format(record)
        return line + "".join(f" {key}={value!r}" for key, value in fields.items()) if fields else line
