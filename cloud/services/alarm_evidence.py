"""The evidence of an alarm, gathered for whoever has to prove what happened: police, insurer, court."""

from dataclasses import replace

from cloud.domain.access import Action, require
from cloud.domain.alarm import Alarm
from cloud.domain.alarm_evidence import PHOTOS_MAX, AlarmEvidence, SeenPhoto
from cloud.domain.errors import NotFound
from cloud.domain.ids import AlarmId, RepairId
from cloud.domain.photo import PhotoSubject
from cloud.domain.user import User
from cloud.services import response_plans
from cloud.services.premises import site_of
from cloud.store import alarm_acts, alarm_evidence, alarms, audit, cameras, photos
from cloud.store.db import Tx


def gather(tx: Tx, actor: User, alarm_id: AlarmId) -> AlarmEvidence:
    """Return everything there is about an alarm; that it was taken out stands in the audit log."""
    require(actor, Action.EXPORT_EVIDENCE)
    alarm = alarms.find_alarm(tx, alarm_id)
    if alarm is None:
        raise NotFound(f"there is no alarm {alarm_id}")
    bare = AlarmEvidence(
        alarm,
        site_of(tx, alarm.site_id),
        tx.now_ms,
        actor.display_name,
        tuple(alarms.entries_of(tx, alarm_id)),
        tuple(alarm_acts.acts_of(tx, [alarm_id]).get(alarm_id, [])),
        response_plans.at_alarm(tx, actor, alarm),
    )
    audit.record(tx, actor.user_id, "export_evidence", "alarm", alarm_id, {"number": alarm.number})
    return replace(
        bare,
        events=tuple(alarm_evidence.events_of(tx, alarm, alarm.cleared_at_ms or tx.now_ms)),
        doors=tuple(reversed(alarm_evidence.doors_between(tx, alarm, bare.from_ms, bare.until_ms))),
        told=tuple(alarm_evidence.told_of(tx, alarm)),
        photos=(*_pictures(tx, alarm), *_photos(tx, alarm_evidence.repairs_of(tx, alarm))),
    )


def _pictures(tx: Tx, alarm: Alarm) -> list[SeenPhoto]:
    found: list[SeenPhoto] = []
    for picture in cameras.pictures_of_alarm(tx, alarm):
        content = cameras.content_of(tx, picture.picture_id)
        if content is not None and picture.taken_at_ms is not None:
            name = f"camera-{len(found) + 1:02d}.jpg"
            found.append(SeenPhoto(name, content, picture.camera_name, picture.taken_at_ms, picture.sha256))
    return found


def _photos(tx: Tx, repairs: list[tuple[RepairId, str]]) -> tuple[SeenPhoto, ...]:
    found: list[SeenPhoto] = []
    for repair_id, number in repairs:
        for position, record in enumerate(photos.list_photos(tx, PhotoSubject.REPAIR, repair_id), start=1):
            content = photos.content_of(tx, PhotoSubject.REPAIR, repair_id, record.photo_id)
            if content is not None and len(found) < PHOTOS_MAX:
                found.append(SeenPhoto(f"{number}-{position:02d}.jpg", content))
    return tuple(found)
