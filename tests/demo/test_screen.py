"""What is shown: control codes only on a terminal, figures that add up."""

import io

from gatehouse.demo.screen import Progress, Screen, table


def test_without_a_terminal_there_is_no_control_code() -> None:
    stream = io.StringIO()
    screen = Screen(stream, is_terminal=False)

    screen.begin()
    for done in range(1, 101):
        screen.progress(Progress(done, 100, done * 50, "readings", "2026-09-01"))
    screen.live("something happens")
    screen.say("done")

    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()


def test_the_end_of_a_progress_is_told_once() -> None:
    stream = io.StringIO()
    screen = Screen(stream, is_terminal=False)

    screen.begin()
    screen.progress(Progress(100, 100, 5_000, "readings"))
    screen.progress(Progress(100, 100, 5_000, "readings"))

    [line] = stream.getvalue().splitlines()
    assert "100%" in line
    assert "5,000 readings" in line
    assert line.endswith("taken")


def test_a_terminal_gets_a_bar_that_fills() -> None:
    stream = io.StringIO()
    screen = Screen(stream, is_terminal=True)

    screen.begin()
    screen.progress(Progress(100, 100, 5_000, "readings"))
    screen.say("next")

    assert "█" * 28 in stream.getvalue()
    assert stream.getvalue().endswith("\nnext\n")


def test_news_take_the_place_of_the_live_line() -> None:
    stream = io.StringIO()
    screen = Screen(stream, is_terminal=True)

    screen.live("12 readings")
    screen.say("ALARM")

    assert stream.getvalue().endswith("\r\x1b[KALARM\n")


def test_figures_stand_under_each_other() -> None:
    lines = table([("readings", "25,271"), ("invoices", "48")], is_figures=True)

    assert lines == ["readings  25,271", "invoices      48"]
