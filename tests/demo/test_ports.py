"""Two demonstrations on one machine do not meet on a port, and wait for what they started to answer."""

import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gatehouse.demo.errors import DemoError
from gatehouse.demo.local_http import HOST, ask
from gatehouse.demo.ports import Ports, chosen_ports
from gatehouse.demo.processes import Children
from gatehouse.demo.stage import Stage

_ANOTHER = """
import sys
from gatehouse.demo.ports import chosen_ports
with chosen_ports(None) as ports:
    print(ports.cashier, ports.cloud, ports.gateways, ports.control, ports.mqtt, ports.edge_page, flush=True)
    sys.stdin.read()
"""


def _numbers(ports: Ports) -> set[int]:
    return {getattr(ports, field.name) for field in dataclasses.fields(ports)}


def test_two_at_once_have_no_port_in_common_though_neither_listens_yet() -> None:
    with chosen_ports(None) as first, chosen_ports(None) as second:
        assert not _numbers(first) & _numbers(second)


def test_another_process_keeps_away_until_this_one_ends_even_if_it_is_killed() -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", _ANOTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout is not None
        theirs = {int(word) for word in other.stdout.readline().split()}
        with chosen_ports(None) as ours:
            assert not _numbers(ours) & theirs
        with pytest.raises(DemoError, match="is taken; name another with --port"), chosen_ports(max(theirs)):
            pass
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        with chosen_ports(max(theirs)) as ours:
            assert ours.cloud == max(theirs)


def test_a_port_somebody_listens_on_is_not_chosen() -> None:
    with contextlib.closing(socket.socket()) as busy:
        busy.bind((HOST, 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(DemoError, match=f"port {port} is taken"), chosen_ports(port):
            pass


def test_the_cashier_answers_once_started_also_with_the_keys_of_an_earlier_start(
    tmp_path: Path,
) -> None:
    for _ in range(2):
        with chosen_ports(None) as ports, Children(tmp_path / "logs") as children:
            Stage(tmp_path, ports, children, seed=1).start_cashier()

            assert ask(ports.cashier, "GET", "/") is not None
            assert f'gateway = "http://{HOST}:{ports.cashier}"' in (tmp_path / "cloud.toml").read_text()
