"""The press room: a press for single papers, kept warm, beside the event loop.

The invariant: one paper is printed at a time here, so a hundred residents who open their bills at once
cost one processor and no more; big runs have processes of their own.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from cloud.press.compiler import Press
from cloud.press.sheet import LabelSheet, Sheet


class PressRoom:
    """Prints a few pages for somebody who waits for them."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="press")
        self._press: Press | None = None

    async def print(self, sheets: Sequence[Sheet] | LabelSheet) -> bytes:
        """Return one PDF of all sheets or labels."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._print, sheets)

    def close(self) -> None:
        """End when the page at hand is printed."""
        self._thread.shutdown(cancel_futures=True)

    def _print(self, sheets: Sequence[Sheet] | LabelSheet) -> bytes:
        # Made at the first page: the typeface is 8 MB that a process without readers does not need.
        if self._press is None:
            self._press = Press()
        return self._press.print(sheets)
