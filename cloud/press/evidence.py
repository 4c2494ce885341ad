"""The evidence of an alarm on paper: what was seen, done and told, line by line to the millisecond."""

from collections.abc import Callable

from cloud.domain.alarm import AlarmEntryKind
from cloud.domain.alarm_evidence import AlarmEvidence
from cloud.domain.periods import time_zone
from cloud.domain.user import Locale
from cloud.press.sheet import Labelled, Row, Section, Sheet
from cloud.press.words import Words
from protocol.event import EventState


def evidence_sheet(found: AlarmEvidence, language: Locale, said: Callable[[str], str] = str) -> Sheet:
    """Return the sheet of an alarm's evidence; `said` puts what a device says into the reader's language."""
    words = Words(language, time_zone(found.site.time_zone))
    alarm = found.alarm
    over = words.say("evidence.still") if alarm.cleared_at_ms is None else words.exact(alarm.cleared_at_ms)
    kind = words.say(f"plan.{found.plan.plan.kind.value}")
    version = found.plan.plan.version  # none: it is the one the program comes with
    head = (
        Labelled(words.say("evidence.what"), f"{kind} · {said(alarm.message or alarm.kind)}"),
        Labelled(words.say("evidence.where"), alarm.device_title or alarm.point_key),
        Labelled(words.say("evidence.handled"), over),
        Labelled(words.say("evidence.raised"), words.exact(alarm.raised_at_ms)),
        Labelled(words.say("evidence.made"), words.exact(found.as_of_ms)),
        Labelled(words.say("evidence.who"), found.made_by),
    )
    sections = (
        _section(words, "evidence.condition", _seen(found, words, said)),
        _section(words, "evidence.acts", _acts(found, words)),
        Section(
            words.say("evidence.plan", str(version)) if version else words.say("evidence.plan_supplied"),
            "",
            "",
            "other",
            _plan(found, words, language),
        ),
        _section(words, "evidence.pictures", _pictures(found, words)),
        _section(words, "evidence.told", _told(found, words)),
        _section(words, "evidence.doors", _doors(found, words)),
    )
    return Sheet(
        template="evidence",
        language=language.value,
        title=words.say("evidence"),
        site=found.site.name,
        number=alarm.number,
        head=head,
        total_label="",
        total="",
        capitals="",
        columns=(words.say("evidence.time"), words.say("evidence.what"), words.say("evidence.who")),
        sections=tuple(section for section in sections if section.rows),
        notes=(words.say("evidence.manifest"),),
        foot=f"{found.site.name} · {alarm.number}",
    )


def _section(words: Words, title: str, rows: tuple[Row, ...]) -> Section:
    return Section(words.say(title), "", "", "other", rows)


def _seen(found: AlarmEvidence, words: Words, said: Callable[[str], str]) -> tuple[Row, ...]:
    states = {EventState.RAISED: "evidence.raised", EventState.CLEARED: "evidence.cleared"}
    rows = []
    for event in found.events:
        text = said(event.message or event.kind)
        if event.state in states:
            text = f"{words.say(states[event.state])} · {text}"
        rows.append(Row((words.exact(event.occurred_at_ms), text, "")))
        if event.frame is not None:
            rows.append(Row(("", words.say("evidence.frame", event.frame_sha256), "")))
    return tuple(rows)


def _acts(found: AlarmEvidence, words: Words) -> tuple[Row, ...]:
    said = [
        (one.at_ms, words.say(f"evidence.{one.kind.value}"), one.user_name)
        for one in found.entries
        if one.kind in (AlarmEntryKind.ACKNOWLEDGED, AlarmEntryKind.CLEARED)
    ]
    for act in found.acts:
        about = act.about_name if act.kind.value == "assigned" else act.text
        key = f"evidence.{act.kind.value}"
        text = words.say(key) if act.kind.value == "unshelved" else words.say(key, about)
        said.append((act.at_ms, text, act.user_name or act.about_name))
    return tuple(Row((words.exact(at_ms), text, who)) for at_ms, text, who in sorted(said))


def _plan(found: AlarmEvidence, words: Words, language: Locale) -> tuple[Row, ...]:
    rows = []
    for number, step in enumerate(found.plan.plan.steps, start=1):
        done = found.plan.done.get(number)
        text = f"{number}. {step.said(language)}"
        if done is None:
            rows.append(Row(("", words.say("evidence.undone", text), "")))
        else:
            rows.append(Row((words.exact(done.at_ms), words.say("evidence.done", text), done.user_name)))
    return tuple(rows)


def _pictures(found: AlarmEvidence, words: Words) -> tuple[Row, ...]:
    return tuple(
        Row((words.exact(one.taken_at_ms), f"{one.camera} · photos/{one.name}", ""))
        for one in found.photos
        if one.taken_at_ms is not None
    )


def _told(found: AlarmEvidence, words: Words) -> tuple[Row, ...]:
    rows = []
    for one in found.told:
        way = words.say("evidence.console")
        if one.channel is not None and one.state is not None:
            way = f"{one.channel.value} {one.address} {one.state.value}"
        rows.append(Row((words.exact(one.at_ms), way, one.name or words.say("evidence.staff"))))
    return tuple(rows)


def _doors(found: AlarmEvidence, words: Words) -> tuple[Row, ...]:
    return tuple(
        Row(
            (
                words.exact(one.occurred_at_ms),
                f"{one.entrance_name} · {words.say(f'outcome.{one.outcome.value}')}",
                f"{one.space_code} {one.who}".strip() or "—",
            )
        )
        for one in found.doors
    )
