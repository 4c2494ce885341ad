"""The local page and the metrics: the agent's own figures, escaped, and parsed by Prometheus' parser."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from edge.health import (
    DeviceHealth,
    EarHealth,
    EventHealth,
    Health,
    LineHealth,
    OutputHealth,
    PointHealth,
    SpeakerHealth,
    StreamHealth,
)
from edge.metrics import exposition
from edge.page import render
from edge.page_words import CHINESE
from tests.edge.building_blocks import MIDNIGHT_MS

STREAM = StreamHealth(
    read=120,
    rejected=0,
    stored=100,
    acked=70,
    pending=25,
    evicted=4,
    put_aside=1,
    oldest_row_at_ms=MIDNIGHT_MS - 60_000,
    lane_fault="",
    lane_attempts=9,
    last_acked_at_ms=MIDNIGHT_MS,
)
DEVICE = DeviceHealth(
    id="em-101",
    profile="dlt645_single_phase",
    address="202607000101",
    is_online=False,
    asked=40,
    answered=30,
    refused=2,
    no_reply=7,
    bad_frame=1,
    breaker="open",
    retry_in_s=12.5,
    breaker_opened=3,
    round_trip_p50_ms=120.0,
    round_trip_p95_ms=300.0,
    polls=10,
    overruns=4,
    last_poll_ms=500.0,
)
HEALTH = Health(
    gateway="gw-1",
    version="0.1.0",
    boot_id="boot",
    config_version="abc",
    now_ms=MIDNIGHT_MS,
    started_at_ms=MIDNIGHT_MS - 7_200_000,
    clock_quality="synced",
    epoch=1,
    buffer_bytes=1024 * 1024,
    buffer_fault="",
    hello_fault="",
    events_seen=5,
    streams={"history": STREAM},
    lines=[
        LineHealth("bus-1", "", 0.42, 2, 17, 3, [DEVICE]),
        LineHealth("bus-2", "no such port", 0.0, 0, 0, 0, []),
    ],
    points=[
        PointHealth("em-101/voltage", 230_100_000, "V", "", "good", "", MIDNIGHT_MS - 3000),
        PointHealth("em-101/current", None, "A", "", "no_reply", "<script>alert(1)</script>", MIDNIGHT_MS),
        PointHealth("lift-1/lift_mode", 1_000_000, "", "inspection", "good", "", MIDNIGHT_MS),
    ],
    ears=[
        EarHealth(
            "panels",
            "gb26875.3",
            is_connected=True,
            down_reason="",
            messages=12,
            bad_messages=1,
            devices=[
                SpeakerHealth(
                    "fire-2",
                    "gb26875_fire_panel",
                    "2c312c320000",
                    is_online=True,
                    last_heard_at_ms=MIDNIGHT_MS - 9000,
                ),
                SpeakerHealth("fire-3", "gb26875_fire_panel", "2c312c320001", False, None),
            ],
        ),
        EarHealth(
            "broker",
            "mqtt",
            is_connected=False,
            down_reason="refused",
            messages=0,
            bad_messages=0,
            devices=[],
        ),
    ],
    outputs=[OutputHealth("release", "lock-1", "door_release", "done", "fire-1/fire_alarm", 0)],
    events=[
        EventHealth(MIDNIGHT_MS - 4000, "fire_alarm", "raised", "critical", "fire-1/fire_alarm", "zone <3>")
    ],
)


@dataclass
class Page:
    text: str
    open_tags: list[str]


def read_page(health: Health, *, is_chinese: bool = False) -> Page:
    """Return the page's words and its tags; a tag closed that was not open is an error."""
    words: list[str] = []
    seen: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            seen.append(tag)

        def handle_data(self, data: str) -> None:
            words.append(data)

    Reader().feed(render(health, is_chinese=is_chinese))
    return Page(" ".join(" ".join(words).split()), seen)


def test_the_page_shows_values_with_their_age_and_why_there_are_none() -> None:
    page = read_page(HEALTH)

    assert "em-101/voltage 230.1 V good 3 s" in page.text
    assert "em-101/current no reply 0 s <script>alert(1)</script>" in page.text  # as words, not as a tag
    assert "script" not in page.open_tags
    assert "lift-1/lift_mode inspection good" in page.text


def test_the_page_shows_lines_devices_and_accounts() -> None:
    text = read_page(HEALTH).text

    assert "bus-2 down: no such port" in text
    assert "em-101 offline open · retry in 12.5 s 202607000101 40 30 2 7 1 120 300 4" in text
    assert "history 100 70 25 4 1 0 ok" in text
    assert "1 / 3 devices online" in text
    assert "up 2 h" in text


def test_the_page_shows_panels_brokers_local_outputs_and_events() -> None:
    text = read_page(HEALTH).text

    assert "panels · gb26875.3 messages 12 · unreadable 1" in text
    assert "fire-2 online gb26875_fire_panel 2c312c320000 9 s" in text
    assert "fire-3 offline gb26875_fire_panel 2c312c320001 –" in text
    assert "broker · mqtt down: refused" in text
    assert "release lock-1 door release done fire-1/fire_alarm" in text
    assert "4 s fire alarm raised critical fire-1/fire_alarm zone <3>" in text


def test_the_page_is_chinese_for_who_reads_chinese() -> None:
    text = read_page(HEALTH, is_chinese=True).text

    assert "em-101 离线 断开 · 重试于 12.5 s" in text
    assert "bus-2 中断: no such port" in text
    assert "1 / 3 设备在线" in text


def test_every_word_of_the_page_has_a_chinese_one() -> None:
    source = Path("edge/page.py").read_text(encoding="utf-8")
    template = Path("edge/page.html").read_text(encoding="utf-8")
    words = set(re.findall(r"_\(([^)]*)\)", template))
    words |= set(re.findall(r'_say\("([^"]+)"\)', source))

    assert words - set(CHINESE) == set()
    assert len(words) > 20


def test_rows_that_wait_for_the_time_are_told_while_there_are_any() -> None:
    waiting = msgspec.structs.replace(HEALTH, clock_quality="unsynced", undated_rows=1_234)

    assert "1,234 rows wait for the time" in read_page(waiting).text
    assert "1,234 待校时行" in read_page(waiting, is_chinese=True).text
    assert "wait for the time" not in read_page(HEALTH).text
    assert samples(waiting)["gatehouse_edge_rows_undated", ()] == 1_234


def test_a_fault_is_on_the_page() -> None:
    assert "disk is full" in read_page(msgspec.structs.replace(HEALTH, buffer_fault="disk is full")).text


def samples(health: Health) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = exposition(health).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_figures_are_what_prometheus_parses() -> None:
    found = samples(HEALTH)

    def figure(name: str, **labels: str) -> float:
        return found[f"gatehouse_edge_{name}", tuple(sorted(labels.items()))]

    assert figure("rows_total", stream="history", outcome="stored") == 100
    assert figure("rows_pending", stream="history") == 25
    assert figure("oldest_row_age_seconds", stream="history") == 60
    assert figure("exchanges_total", line="bus-1", device="em-101", outcome="no_reply") == 7
    assert figure("round_trip_seconds", line="bus-1", device="em-101", quantile="0.95") == 0.3
    assert figure("line_up", line="bus-2") == 0
    assert figure("device_up", line="bus-1", device="em-101") == 0
    assert figure("clock_synced") == 1
    assert figure("breaker_state", line="bus-1", device="em-101") == 2
    assert figure("ear_up", line="broker", kind="mqtt") == 0
    assert figure("messages_total", line="panels", kind="gb26875.3") == 12
    assert figure("speaker_silence_seconds", line="panels", device="fire-2") == 9
    assert figure("output_active", reaction="release", device="lock-1") == 1
    assert figure("points", quality="no_reply") == 1


def test_the_account_of_a_stream_balances_in_the_metrics() -> None:
    found = samples(HEALTH)

    def rows(outcome: str) -> float:
        return found["gatehouse_edge_rows_total", (("outcome", outcome), ("stream", "history"))]

    pending = found["gatehouse_edge_rows_pending", (("stream", "history"),)]
    assert rows("stored") == rows("acked") + pending + rows("evicted") + rows("put_aside")


def test_a_device_that_never_answered_has_no_round_trip() -> None:
    silent = msgspec.structs.replace(DEVICE, round_trip_p50_ms=None, round_trip_p95_ms=None)
    health = msgspec.structs.replace(HEALTH, lines=[LineHealth("bus-1", "", 0.0, 1, 0, 0, [silent])])

    assert not any(name == "gatehouse_edge_round_trip_seconds" for name, _ in samples(health))
