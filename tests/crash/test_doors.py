"""A door is opened at most once, wherever the box fails between a command and its outcome."""

from unittest.mock import patch

import pytest

from edge.intents import Intents
from tests.crash.doors import run_doors


def test_no_crash_opens_a_door_twice() -> None:
    doors = run_doors(1, 150)

    assert doors.double == []
    assert doors.crashes.total() == 150
    assert set(doors.crashes) == {"disk", "before", "after", "look", "tell", "none"}
    assert doors.opened.total() > 40  # doors were opened, and crashes fell about the opening
    assert doors.unknown > 40


def test_a_book_that_is_not_written_before_the_door_is_asked_is_found_out() -> None:
    forgetful = patch.object(Intents, "accept", lambda *_: None)
    with forgetful, pytest.raises(AssertionError, match="not in the book"):
        run_doors(1, 30)
