"""Whether somebody who shows a badge is let in: plain decisions over the grants, nothing else is asked.

The order is door, guessing, badge, blocked, age of the grants, validity, hours, use; the first that
fails gives the reason. The invariant on time: a clock nobody confirms opens only what is open at all hours
to a badge without an end; it never shows an earlier time than the grants themselves were issued at.
"""

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from protocol.access import AccessReason, BadgeKind, badge_token, is_within
from provisioning.grants import Grant, GrantSet

# Eight digits with fifty codes good at a time: at five tries a minute the first falls in about half a year.
_MISSES_MAX, _MISSES_WITHIN_MS = 5, 60_000


@dataclass(frozen=True, slots=True)
class Moment:
    """The time a decision is made at; `is_sure` where somebody confirms the clock."""

    wall_ms: int
    mono_ms: int
    is_sure: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided: whose badge it is, where one is known, and which lock is to open."""

    reason: AccessReason
    door: str
    grant: Grant | None = None
    token: bytes = b""  # of a badge nobody knows, so that a person can make it somebody's

    @property
    def is_granted(self) -> bool:
        """Tell whether the door is to open."""
        return self.reason is AccessReason.GRANTED


@dataclass(slots=True)
class Judge:
    """Decides over one set of grants after another; `has_opened` tells whether a badge ever has."""

    has_opened: Callable[[str], bool]
    grants: GrantSet | None = None
    _by_token: dict[bytes, Grant] = field(default_factory=dict)
    _misses: dict[str, deque[int]] = field(default_factory=dict)

    def take(self, grants: GrantSet) -> None:
        """Decide by these from now on."""
        self.grants, self._by_token = grants, dict(grants.by_token)

    @property
    def readers(self) -> Collection[str]:
        """Return the devices that open some door."""
        return {name for door in self.grants.doors for name in door.readers} if self.grants else ()

    def judge(self, reader: str, kind: BadgeKind, secret: str, at: Moment) -> Verdict:
        """Decide about one badge shown at a reader that is one of `readers`."""
        grants = self.grants
        assert grants is not None, "only readers of the grants are asked about"
        doors = {i: door.device_id for i, door in enumerate(grants.doors) if reader in door.readers}
        first = next(iter(doors.values()))
        misses = self._misses.setdefault(reader, deque(maxlen=_MISSES_MAX))
        if kind is BadgeKind.CODE and _is_guessing(misses, at.mono_ms):
            return Verdict(AccessReason.TOO_MANY, first)
        token = badge_token(grants.key, kind, secret)
        grant = self._by_token.get(token)
        if grant is None:
            if kind is BadgeKind.CODE:
                misses.append(at.mono_ms)
                return Verdict(AccessReason.UNKNOWN, first)
            return Verdict(AccessReason.UNKNOWN, first, token=token)
        for permission in grant.permissions:
            if permission.door in doors:
                first = doors[permission.door]
                break
        if reason := self._refusal(grants, grant, at):
            return Verdict(reason, first, grant)
        return self._at_door(grants, grant, doors, first, at)

    def _refusal(self, grants: GrantSet, grant: Grant, at: Moment) -> AccessReason | None:
        """Return why the badge opens nothing at all now."""
        if grant.is_blocked:
            return AccessReason.BLOCKED
        now_ms = max(at.wall_ms, grants.issued_at_ms)
        if now_ms >= grants.expires_at_ms:
            return AccessReason.STALE
        if (grant.from_ms or grant.until_ms) and not at.is_sure:
            return AccessReason.CLOCK
        if now_ms < grant.from_ms:
            return AccessReason.NOT_YET
        if grant.until_ms and now_ms >= grant.until_ms:
            return AccessReason.OVER
        if grant.is_once and self.has_opened(grant.badge_id):
            return AccessReason.USED
        return None

    def _at_door(
        self, grants: GrantSet, grant: Grant, doors: dict[int, str], first: str, at: Moment
    ) -> Verdict:
        local = datetime.fromtimestamp(at.wall_ms / 1000, UTC).astimezone(ZoneInfo(grants.time_zone))
        reason = AccessReason.OTHER_DOOR
        for permission in grant.permissions:
            if permission.door not in doors:
                continue
            if permission.times < 0:
                return Verdict(AccessReason.GRANTED, doors[permission.door], grant)
            if not at.is_sure:
                reason = AccessReason.CLOCK
            elif is_within(grants.times[permission.times], local):
                return Verdict(AccessReason.GRANTED, doors[permission.door], grant)
            elif reason is not AccessReason.CLOCK:
                reason = AccessReason.OUTSIDE_HOURS
        return Verdict(reason, first, grant)


def _is_guessing(misses: deque[int], now_mono_ms: int) -> bool:
    return len(misses) == _MISSES_MAX and now_mono_ms - misses[0] < _MISSES_WITHIN_MS
