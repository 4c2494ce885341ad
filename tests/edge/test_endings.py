"""A backlog of events cut into batches: what was over is named, wherever the cuts fall."""

import pytest

from edge.endings import Endings
from protocol.envelope import Block, decode_events, encode_events
from protocol.event import Event, EventState, Severity

_RAISED, _CLEARED = EventState.RAISED, EventState.CLEARED


def _block(seq: int, state: EventState, point: str = "leak-1") -> Block:
    event = Event("water_leak", state, Severity.MAJOR, f"{point}/water_leak", 1_000 + seq, "")
    return Block(seq, 1, encode_events([event]))


@pytest.mark.parametrize("cut", range(1, 8))
def test_wherever_a_backlog_is_cut_only_what_still_holds_is_told(cut: int) -> None:
    backlog = [
        _block(1, _CLEARED, "leak-0"),  # of a beginning that was told before the outage
        _block(2, _RAISED, "leak-1"),
        _block(3, _RAISED, "leak-2"),
        _block(4, _CLEARED, "leak-1"),
        _block(5, _RAISED, "leak-1"),
        _block(6, _CLEARED, "leak-1"),
        _block(7, _CLEARED, "leak-2"),
        _block(8, _RAISED, "leak-1"),  # still holds
    ]
    endings, told = Endings(), set[int]()

    for batch, behind in ((backlog[:cut], backlog[cut:]), (backlog[cut:], [])):
        over = endings.over_in(batch, behind)
        told |= {block.first_seq for block in batch} - set(over) - _paired_within(batch)

    assert told == {1, 8}


def test_a_batch_made_again_names_the_same() -> None:
    endings = Endings()
    sent, behind = [_block(1, _RAISED), _block(2, _RAISED, "leak-2")], [_block(3, _CLEARED)]

    assert [endings.over_in(sent, behind), endings.over_in(sent, behind)] == [[1], [1]]
    assert [endings.over_in(behind, []), endings.over_in(behind, [])] == [[3], [3]]


def test_what_cannot_be_read_or_was_given_up_is_passed_over() -> None:
    sent = [Block(1, 3, b""), Block(4, 1, b"\x90"), _block(5, _RAISED)]

    assert Endings().over_in(sent, [_block(6, _CLEARED)]) == [5]


def _paired_within(batch: list[Block]) -> set[int]:
    """Return what a reader of the batch alone sees to be over."""
    over: set[int] = set()
    begun: dict[str, list[int]] = {}
    for block in batch:
        [event] = decode_events(block.payload, 1)
        if event.state is _RAISED:
            begun.setdefault(event.point_key, []).append(block.first_seq)
        elif event.point_key in begun:
            over |= {*begun.pop(event.point_key), block.first_seq}
    return over
