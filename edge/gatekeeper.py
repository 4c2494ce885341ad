"""Letting people in: a badge is judged by the grants, the verdict written down, the door opened.

The invariants: no cloud is asked; the same policy and interlocks hold as for commands, and what fire holds
open stays so; every badge shown leaves one event, with who by an opaque id, where and why; and a door that
was to open and did not, or nobody knows, leaves another.
"""

import asyncio
import logging
from collections.abc import Mapping

from edge.access import Judge, Moment, Verdict
from edge.clock import Clock
from edge.downlink import Downlink
from edge.intake import Intake
from edge.porter import Shown
from protocol.access import ACCESS_DENIED, ACCESS_FAILED, ACCESS_GRANTED, AccessReason, BadgeKind
from protocol.command import CommandState
from protocol.event import Event, EventState, Severity
from protocol.reading import ClockQuality
from provisioning.config import DeviceId
from provisioning.grants import GrantSet

log = logging.getLogger(__name__)

# What a guard should look at: a lost card in somebody's hand, somebody who tries codes.
_GRAVE = frozenset({AccessReason.BLOCKED, AccessReason.TOO_MANY})


class Gatekeeper:
    """Decides by the grants it was last given, and opens through the downlink."""

    def __init__(self, judge: Judge, downlink: Downlink, intake: Intake, clock: Clock) -> None:
        self._judge = judge
        self._downlink = downlink
        self._intake = intake
        self._clock = clock
        self._readers = frozenset(judge.readers)
        self._under_way: set[str] = set()  # badges good once, between the verdict and the book

    def take(self, grants: GrantSet) -> None:
        """Decide by these grants from now on."""
        self._judge.take(grants)
        self._readers = frozenset(self._judge.readers)

    def minds(self, reader: DeviceId) -> bool:
        """Tell whether the grants have a door for this reader."""
        return reader in self._readers

    async def attend(self, shown: Shown) -> bool:
        """Decide, write down, and open; tell whether somebody was let in."""
        verdict, held = self._verdict(shown)
        if not verdict.is_granted:
            why = verdict.reason.value.replace("_", " ")
            self._tell(ACCESS_DENIED, shown, verdict, held or f"not let in: {why}")
            return False
        grant = verdict.grant
        assert grant is not None, "only a known badge is let in"
        self._tell(ACCESS_GRANTED, shown, verdict, "let in")
        if grant.is_once:
            self._under_way.add(grant.badge_id)
        try:
            outcome = await self._downlink.open_door(verdict.door, grant.badge_id, is_once=grant.is_once)
        finally:
            self._under_way.discard(grant.badge_id)
        if outcome.state is not CommandState.DONE:
            extra = {"outcome": outcome.state.value}
            self._tell(ACCESS_FAILED, shown, verdict, outcome.detail, extra)
        return outcome.state is not CommandState.REFUSED

    def _verdict(self, shown: Shown) -> tuple[Verdict, str]:
        """Return the verdict, and the interlock's own words where one held the door."""
        is_sure = self._clock.quality is ClockQuality.SYNCED
        at = Moment(self._clock.wall_ms(), self._clock.monotonic_ms(), is_sure)
        verdict = self._judge.judge(shown.reader, shown.kind, shown.secret, at)
        if not verdict.is_granted:
            return verdict, ""
        if verdict.grant is not None and verdict.grant.badge_id in self._under_way:
            return Verdict(AccessReason.USED, verdict.door, verdict.grant), ""
        if shown.may_be_late:
            return Verdict(AccessReason.LATE, verdict.door, verdict.grant), ""
        if held := self._downlink.own_refusal(verdict.door):
            return Verdict(AccessReason.HELD_BACK, verdict.door, verdict.grant), held
        return verdict, ""

    def _tell(
        self,
        kind: str,
        shown: Shown,
        verdict: Verdict,
        message: str,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        told = {
            "reason": verdict.reason.value,
            "door": verdict.door,
            "kind": shown.kind.value,
            **(extra or {}),
        }
        if verdict.grant is not None:
            told["badge"] = verdict.grant.badge_id
        if verdict.token and shown.kind is BadgeKind.CARD:
            told["token"] = verdict.token.hex()
        if shown.ends:
            told["ends"] = shown.ends
        is_grave = kind == ACCESS_FAILED or verdict.reason in _GRAVE
        severity = Severity.MINOR if is_grave else Severity.INFO
        key = f"{shown.reader}/reader"
        event = Event(
            kind, EventState.OCCURRED, severity, key, self._clock.wall_ms(), message, attributes=told
        )
        # Not waited for: nobody stands in the rain for a slow disk. The opening itself is written first.
        self._intake.accept((), [event]).add_done_callback(_note_failure)


def _note_failure(stored: asyncio.Future[None]) -> None:
    if not stored.cancelled() and (error := stored.exception()) is not None:
        log.warning("what happened at a door is not stored", extra={"reason": str(error)})
