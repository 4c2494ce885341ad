"""Children end with their parent, however it ends, and a failure is told in their own words."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gatehouse.demo.errors import DemoError
from gatehouse.demo.processes import Children

DEADLINE_S = 20.0
SIMULATE = ("simulate", "--control-port", "0", "--no-mqtt")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_children_end_when_the_block_does(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        child = children.start("simulator", *SIMULATE)
        children.wait_for("its words", lambda: "control" in child.log.read_text(), DEADLINE_S)

    assert child.process.returncode == 0
    assert not is_alive(child.process.pid)


def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from gatehouse.demo.processes import Children
        with Children(Path({str(tmp_path)!r})) as children:
            child = children.start("simulator", *{SIMULATE!r})
            print(child.process.pid, flush=True)
            time.sleep(60)
    """)
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    until(lambda: is_alive(pid))

    parent.kill()
    parent.wait()

    until(lambda: not is_alive(pid))
    parent.stdout.close()


def test_ctrl_c_at_the_terminal_does_not_reach_children(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        child = children.start("simulator", *SIMULATE)

        assert os.getpgid(child.process.pid) != os.getpgrp()


def test_a_failure_is_told_in_the_programs_words(tmp_path: Path) -> None:
    with Children(tmp_path) as children, pytest.raises(DemoError, match="No such command 'nonsense'"):
        children.run("nonsense", "nonsense")


def test_a_program_that_ends_by_itself_is_noticed(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        child = children.start("simulator", *SIMULATE)
        child.process.send_signal(signal.SIGKILL)
        child.process.wait()

        with pytest.raises(DemoError, match="the simulator ended with exit code -9"):
            children.check()


def test_what_does_not_come_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with Children(tmp_path) as children, pytest.raises(DemoError, match="the moon did not come within 0 s"):
        children.wait_for("the moon", lambda: False, 0.1)
