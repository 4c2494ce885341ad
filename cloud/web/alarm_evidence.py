"""Handing out the evidence of an alarm: one ZIP with the facts, the frames, the photos and a report.

The invariant: what is in the ZIP stands in its manifest, which is written last; the same evidence gives
the same bytes but for the instant it was taken out.
"""

import asyncio
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from cloud.domain.alarm_evidence import MANIFEST, AlarmEvidence, manifest_of
from cloud.domain.user import Locale
from cloud.keys import PRESS
from cloud.press.evidence import evidence_sheet

ZIP = "application/zip"
# No clock in the archive: the instants that count stand in the files.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


async def evidence_response(
    request: web.Request, found: AlarmEvidence, language: Locale, said: Callable[[str], str] = str
) -> web.Response:
    """Return the bundle of an alarm's evidence, named for the alarm."""
    report = await request.app[PRESS].print([evidence_sheet(found, language, said)])
    body = await asyncio.to_thread(packed, found, report)
    name = f"{found.alarm.number}-evidence.zip"
    return web.Response(
        body=body,
        content_type=ZIP,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def files_of(found: AlarmEvidence, report: bytes) -> dict[str, bytes]:
    """Return every file of the bundle but its manifest, by name."""
    files = {"report.pdf": report}
    told: dict[str, Any] = {
        name: msgspec.to_builtins(getattr(found, name))
        for name in ("alarm", "site", "as_of_ms", "made_by", "entries", "acts", "doors", "told")
    }
    told["plan"] = {
        "plan": msgspec.to_builtins(found.plan.plan),
        "done": [msgspec.to_builtins(one) for one in found.plan.done.values()],
    }
    told["events"] = []
    for number, event in enumerate(found.events, start=1):
        line = {
            name: msgspec.to_builtins(getattr(event, name))
            for name in ("occurred_at_ms", "received_at_ms", "kind", "state", "severity", "message")
        }
        line |= {"epoch": event.epoch, "seq": event.seq}
        if event.frame is not None:
            stem = f"frames/{number:03d}"
            frame = event.frame
            files[f"{stem}-request.bin"], files[f"{stem}-reply.bin"] = frame.request, frame.reply
            line["frame"] = {
                "protocol": frame.protocol,
                "line": frame.line,
                "captured_at_ms": frame.captured_at_ms,
                "sha256_at_arrival": event.frame_sha256,
                "sha256_now": frame.digest().hex(),
                "files": [f"{stem}-request.bin", f"{stem}-reply.bin"],
            }
        told["events"].append(line)
    for photo in found.photos:
        files[f"photos/{photo.name}"] = photo.content
    told["pictures"] = [
        {
            "file": f"photos/{photo.name}",
            "camera": photo.camera,
            "taken_at_ms": photo.taken_at_ms,
            "sha256_at_camera": photo.sha256_at_camera,
        }
        for photo in found.photos
        if photo.camera
    ]
    files["alarm.json"] = json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True).encode()
    return files


def packed(found: AlarmEvidence, report: bytes) -> bytes:
    """Return the ZIP of everything, its manifest last."""
    files = files_of(found, report)
    manifest = {"format": 1, "number": found.alarm.number, "as_of_ms": found.as_of_ms}
    listed = json.dumps(manifest | {"files": manifest_of(files)}, ensure_ascii=False, indent=1).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _NO_TIME), files[name], zipfile.ZIP_DEFLATED)
        archive.writestr(zipfile.ZipInfo(MANIFEST, _NO_TIME), listed, zipfile.ZIP_DEFLATED)
    return target.getvalue()
