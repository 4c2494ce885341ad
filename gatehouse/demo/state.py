"""What a demonstration remembers between two starts: how far it has lived.

The invariant: a state that is on disk is true; it is written after what it tells, and as a whole.
"""

import shutil
from pathlib import Path

import msgspec

from gatehouse.demo.errors import DemoError

_FORMAT = 1
_FILE = "demo.json"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """`lived_to_ms` is the last instant the edge has read; 0 while the past is not complete."""

    format: int = _FORMAT
    seed: int
    lived_to_ms: int = 0


def read_state(folder: Path) -> State | None:
    """Return what the last start left, None where there is nothing that can be gone on with."""
    try:
        state = msgspec.json.decode((folder / _FILE).read_bytes(), type=State)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return state if state.format == _FORMAT and state.lived_to_ms else None


def write_state(folder: Path, state: State) -> None:
    """Remember the state."""
    new = folder / f"{_FILE}.new"
    new.write_bytes(msgspec.json.encode(state))
    new.replace(folder / _FILE)


def clear(folder: Path) -> None:
    """Make an empty folder; DemoError where it holds what is not ours."""
    if folder.exists() and any(folder.iterdir()) and not (folder / _FILE).exists():
        raise DemoError(f"{folder} is not empty and not a demonstration's; name another with --dir")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _FILE).write_bytes(msgspec.json.encode(State(seed=0)))
