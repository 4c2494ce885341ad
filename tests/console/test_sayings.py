"""What codecs say is told in the reader's language without touching a value."""

import pytest

from cloud.console.frames import frame_view
from cloud.console.language import language_of
from cloud.console.sayings import say
from cloud.domain.user import Locale
from protocol.evidence import Evidence
from protocol.fieldbus import dlt645
from provisioning.profiles import load_profile, profile_names

CHINESE, ENGLISH = language_of(Locale.CHINESE), language_of(Locale.ENGLISH)


@pytest.mark.parametrize(
    ("said", "zh"),
    [
        ("meter address 202607000123, lowest byte first", "表地址 202607000123，低字节在前"),
        (
            "data identifier 00010000: forward active energy total (settlement 0)",
            "数据标识 00010000：正向有功电能 总（当前）",
        ),
        ("control 91: reply, read data", "控制码 91：应答，读数据"),
        ("total 151.90 kWh", "总 151.90 kWh"),
        ("status 0000: valve open, battery good", "状态 0000：阀门开，电池正常"),
        ("photoelectric smoke detector, 3-5 of system 1: fire", "点型光电感烟火灾探测器 3-5（系统 1）：火警"),
        ("the meter's clock is right, it was 47 s slow", "电表时钟准确，校时前慢 47 秒"),
        (
            "the totals were frozen at 2026-09-01 10:00 by the meter's clock",
            "已冻结电量，时间为电表时钟的 2026-09-01 10:00",
        ),
        ("1.5 is no whole number", "1.5 不是整数"),
        ("1.005 has more than 2 decimals", "1.005 的小数超过 2 位"),
        ("no reply; the clock was set later, by +1.5 s", "没有应答；时钟后来校准，移动 +1.5 秒"),
    ],
)
def test_a_known_sentence_is_translated_around_its_values(said: str, zh: str) -> None:
    assert say(said, CHINESE) == zh
    assert say(said, ENGLISH) == said


def test_an_unknown_sentence_is_shown_as_it_was_said() -> None:
    assert say("the maker's own register 7", CHINESE) == "the maker's own register 7"


@pytest.mark.parametrize("name", profile_names())
def test_what_a_profile_says_of_an_alarm_is_translated(name: str) -> None:
    for point in load_profile(name).points:
        if point.alarm:
            assert say(point.alarm.message, CHINESE) != point.alarm.message, point.name


def exchange() -> Evidence:
    """A meter's answer as it was on the wire (DL/T 645-2007, 151.90 kWh)."""
    request = dlt645.encode_frame(dlt645.read_request("202607000123", "00010000"))
    reply = bytes.fromhex("FEFEFEFE682301000726206891083333343 3C38434335516".replace(" ", ""))
    return Evidence("dlt645-2007", "bus-1", request, reply, 1_793_462_402_400, 186_000)


def test_a_frame_is_explained_and_its_hash_checked() -> None:
    evidence = exchange()

    view = frame_view(evidence, evidence.digest().hex(), CHINESE)

    assert view.is_intact
    assert view.picture is not None
    values = {b.meaning.role: b.meaning.value for b in view.picture.brackets if b.meaning.value}
    assert values["address"] == "202607000123"
    assert values["value"] == "151.90 kWh"
    assert [cell.plain for cell in view.picture.cells if cell.plain] == [
        "00", "00", "01", "00", "90", "51", "01", "00",
    ]  # fmt: skip


def test_a_frame_whose_bytes_were_changed_is_called_so() -> None:
    assert not frame_view(exchange(), "00" * 32, CHINESE).is_intact


def test_bytes_that_are_no_frame_are_shown_with_the_reason() -> None:
    broken = Evidence("dlt645-2007", "bus-1", b"", b"\x68\x00", 0, 0)

    view = frame_view(broken, broken.digest().hex(), ENGLISH)

    assert view.picture is None
    assert view.problem
    assert view.shown == b"\x68\x00"
