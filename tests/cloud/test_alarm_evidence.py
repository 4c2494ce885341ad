"""The evidence of an alarm is whole: every file in its manifest, every frame as it was on the wire."""

import io
import json
import zipfile
from dataclasses import replace

import pytest

from cloud.domain.alarm_evidence import MANIFEST, broken_files
from cloud.domain.errors import Forbidden
from cloud.domain.user import Locale, Role
from cloud.press.compiler import Press
from cloud.press.evidence import evidence_sheet
from cloud.services import alarm_evidence, alarm_handling, alarms, audit, response_plans
from cloud.store.db import Database
from cloud.web.alarm_evidence import packed
from protocol.event import EventState, Severity
from protocol.evidence import Evidence
from protocol.sync import Stream
from tests.cloud.garden import event_block, leak, post
from tests.cloud.house import House, add_login
from tests.databases import TENANT, FakeClock
from tests.press.reading import text_of

# Modbus RTU: coil 0 of unit 1 reads 1 (Modbus over Serial Line 1.02 §6.1).
_FRAME = Evidence(
    "modbus-rtu",
    "bus-1",
    bytes.fromhex("010100000001FDCA"),
    bytes.fromhex("010101019048"),
    1_795_479_000_000,
    9_000,
)


def test_a_bundle_has_the_frame_byte_for_byte_and_a_changed_byte_is_found(
    database: Database, clock: FakeClock
) -> None:
    house = House(database)
    raised = replace(leak(EventState.RAISED, clock.now_ms, severity=Severity.CRITICAL), evidence=_FRAME)
    post(database, house.gateway, [event_block(1, [raised])], Stream.EVENT)
    [alarm] = database.read_now(TENANT, alarms.list_alarms, house.manager).items
    clock.advance(s=31)
    database.write_now(TENANT, alarm_handling.escalate)
    database.write_now(TENANT, alarms.acknowledge, house.manager, alarm.alarm_id)
    database.write_now(TENANT, alarm_handling.comment, house.manager, alarm.alarm_id, "接头松了")
    database.write_now(TENANT, response_plans.tick, house.manager, alarm.alarm_id, 1, is_done=True)

    found = database.write_now(TENANT, alarm_evidence.gather, house.manager, alarm.alarm_id)
    report = Press().print([evidence_sheet(found, Locale.CHINESE)])
    archive = zipfile.ZipFile(io.BytesIO(packed(found, report)))

    files = {name: archive.read(name) for name in archive.namelist() if name != MANIFEST}
    manifest = json.loads(archive.read(MANIFEST))["files"]
    assert broken_files(manifest, files) == []
    assert files["frames/001-reply.bin"] == _FRAME.reply
    told = json.loads(files["alarm.json"])
    assert told["events"][0]["frame"]["sha256_at_arrival"] == _FRAME.digest().hex()
    assert (len(told["acts"]), len(told["told"]), len(told["plan"]["done"])) == (2, 1, 1)
    text = text_of(files["report.pdf"])
    assert all(word in text for word in (alarm.number, "接头松了", "确认收到", _FRAME.digest().hex()[:16]))
    files["frames/001-reply.bin"] = b"\x01" + _FRAME.reply[1:-1] + b"\x49"
    assert broken_files(manifest, files) == ["frames/001-reply.bin"]
    [taken] = [
        one
        for one in database.read_now(TENANT, audit.list_entries, house.manager).items
        if one.action == "export_evidence"
    ]
    assert taken.subject_id == alarm.alarm_id


def test_evidence_is_for_managers(database: Database, clock: FakeClock) -> None:
    house = House(database)
    post(database, house.gateway, [event_block(1, [leak(EventState.RAISED, clock.now_ms)])], Stream.EVENT)
    [alarm] = database.read_now(TENANT, alarms.list_alarms, house.manager).items
    guard = add_login(house, "guard", Role.GUARD)

    with pytest.raises(Forbidden):
        database.write_now(TENANT, alarm_evidence.gather, guard, alarm.alarm_id)
