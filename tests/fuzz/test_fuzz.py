"""A share of the fuzzing in every test run, and proof that a finding would be found."""

import random
import time

import pytest

from protocol.fieldbus import CODECS
from tests.fuzz.run import fuzz
from tests.fuzz.targets import Target, targets


@pytest.mark.parametrize("name", sorted(targets()))
def test_nothing_but_refusals_comes_of_damaged_input(name: str) -> None:
    outcome = fuzz(
        name, targets()[name], inputs=1_000, chance=random.Random(f"2026 {name}"), annotate_every=2
    )

    assert outcome.findings == ()


def test_a_decoder_that_raises_something_else_is_found() -> None:
    def reads_a_byte_that_may_be_missing(data: bytes) -> int:
        return data[3]

    target = Target(reads_a_byte_that_may_be_missing, (b"\x68\x01\x02\x03",))

    findings = fuzz("short", target, inputs=100, chance=random.Random(1)).findings

    assert any("IndexError" in finding.what and len(finding.data) < 4 for finding in findings)


def test_a_decoder_that_keeps_what_it_read_is_found() -> None:
    kept: list[list[bytes]] = []
    target = Target(lambda data: kept.append([bytes(data)]), (b"\x68\x01",))

    findings = fuzz("hoarder", target, inputs=12_000, chance=random.Random(1)).findings

    assert "stayed behind" in findings[0].what


def test_every_decoder_and_every_reader_of_a_line_has_a_target() -> None:
    names = " ".join(targets())

    assert {name for name in CODECS if name not in names} == set()
    assert all(f"modbus-{framing}-replies" in names for framing in ("rtu", "tcp"))


def test_a_decoder_that_dawdles_is_found() -> None:
    def computes_for_120_ms(data: bytes) -> None:
        end = time.thread_time() + 0.12
        while time.thread_time() < end:
            pass

    target = Target(computes_for_120_ms, (b"\x68",))

    findings = fuzz("slow", target, inputs=1, chance=random.Random(1)).findings

    assert "took" in findings[0].what
