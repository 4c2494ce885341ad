"""One frame of a person's own, sent in its turn; whatever comes back until the line falls silent."""

from dataclasses import dataclass

from edge.driver import Ask, Priority
from edge.errors import EXCHANGE_FAILURES, EdgeError, LineDown, NoReply
from edge.line import Line

_ADDRESS = "a person's frame"


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What was heard; `failure` says why nothing was."""

    reply: bytes
    failure: str = ""


class _Everything:
    """Hears whatever comes, for the whole time."""

    def __init__(self) -> None:
        self.heard = b""

    def feed(self, data: bytes) -> bytes | None:
        self.heard += data
        return None

    def failure(self) -> EdgeError:
        return NoReply("nothing more came")


async def send_raw(line: Line, wire: bytes, timeout_ms: int, *, is_guarded: bool = True) -> RawAnswer:
    """Send the bytes as they are and return all that comes within the time; nothing is believed of it.

    Guarded, the bus is drained afterwards and the next such frame waits until a late answer to this
    one can no longer come. Who tells answers apart by what they say need not wait.
    """
    ears = _Everything()
    identity = _ADDRESS if is_guarded else None
    ask = Ask(_ADDRESS, wire, 0, ears, identity=identity, question=wire, timeout_ms=timeout_ms)
    try:
        await line.exchange(ask, Priority.COMMAND)
    except LineDown as failure:
        return RawAnswer(ears.heard, str(failure))
    except EXCHANGE_FAILURES:
        return RawAnswer(ears.heard, "" if ears.heard else "nothing came back")
    finally:
        line.forget(_ADDRESS)
    raise AssertionError("a listener that never ends was answered")
