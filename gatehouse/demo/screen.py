"""What a demonstration shows while it works: steps, a progress bar, one live line.

The invariant: without a terminal there is not one control code, and progress is a line now and then.
"""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

_BAR_CELLS = 28
_REDRAW_S = 0.1
_PLAIN_LINE_S = 5.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far something is: `done` of `total` steps, and how many rows, called `unit`, that was."""

    done: int
    total: int
    rows: int
    unit: str
    label: str = ""


class Screen:
    """A terminal, or a file that looks on."""

    def __init__(self, stream: TextIO, *, is_terminal: bool) -> None:
        self._stream = stream
        self._is_terminal = is_terminal
        self._began_at_s = 0.0
        self._drawn_at_s = 0.0
        self._is_told = False  # the progress under way has been shown to its end
        self._is_bar_open = False
        self._is_live_open = False

    def say(self, text: str = "") -> None:
        """Print a line that stays."""
        self._close_line()
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def begin(self) -> None:
        """Begin a progress: rates and the time left count from here."""
        self._began_at_s = self._drawn_at_s = time.monotonic()
        self._is_told = False

    def progress(self, progress: Progress) -> None:
        """Show how far it is, with rows a second and the time left."""
        now_s = time.monotonic()
        pause_s = _REDRAW_S if self._is_terminal else _PLAIN_LINE_S
        is_last = progress.done >= progress.total
        if self._is_told or (now_s - self._drawn_at_s < pause_s and not is_last):
            return
        self._drawn_at_s = now_s
        self._is_told = is_last
        spent_s = max(now_s - self._began_at_s, 1e-6)
        share = progress.done / progress.total
        left_s = spent_s * (progress.total - progress.done) / max(progress.done, 1)
        rates = f"{share:4.0%}  {progress.rows:>9,} {progress.unit}  {progress.rows / spent_s:>7,.0f}/s"
        told = f"{rates}  {_clock(spent_s if is_last else left_s)} {'taken' if is_last else 'left'}"
        if not self._is_terminal:
            self.say(f"  {told}  {progress.label}".rstrip())
            return
        self._is_bar_open = True
        filled = round(share * _BAR_CELLS)
        self._draw(f"  {'█' * filled}{'░' * (_BAR_CELLS - filled)} {told}  {progress.label}")
        if is_last:
            self._close_line()

    def live(self, text: str) -> None:
        """Show the one line that changes."""
        if self._is_terminal:
            self._is_live_open = True
            self._draw(text)
        elif time.monotonic() - self._drawn_at_s >= 2 * _PLAIN_LINE_S:
            self._drawn_at_s = time.monotonic()
            self.say(text)

    def _draw(self, text: str) -> None:
        # Cut, since a line that wraps cannot be drawn over; erased behind the text, so that nothing flickers.
        self._stream.write(f"\r{text[: shutil.get_terminal_size().columns - 1]}\x1b[K")
        self._stream.flush()

    def _close_line(self) -> None:
        """Leave a bar standing; wipe the live line, which will be drawn again."""
        if self._is_bar_open:
            self._stream.write("\n")
        elif self._is_live_open:
            self._stream.write("\r\x1b[K")
        self._is_bar_open = self._is_live_open = False


def table(rows: Sequence[tuple[str, str]], *, is_figures: bool = False) -> list[str]:
    """Return names and values as aligned lines; figures to the right, so that they can be compared."""
    names, values = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [
        f"{name:<{names}}  {value:>{values}}" if is_figures else f"{name:<{names}}  {value}"
        for name, value in rows
    ]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
