"""A lease: how a copied box gives itself away.

The cloud hands each gateway a random lease with its Welcome; the box keeps it beside its key and shows it
with its next Hello. The sentence a property manager would recognise: *of two boxes that both say they are
gateway 3, at least one shows a lease that was replaced long ago.* The lease changes with every start of a
box and every hour, so an SD card copied yesterday and a disk restored from last month both show an old one.
A lease whose answer was lost may be shown once more: until the new one has been seen, the old one counts.
"""

from dataclasses import dataclass, replace

# Seldom enough for a memory card (24 small writes a day), often enough that no copy stays current.
RENEWED_EVERY_MS = 3600 * 1000
# Somebody who was heard within this is still running: then there are two.
STILL_THERE_MS = 60 * 1000
# What a box shows that has never been given one, or whose first one was lost on the way.
_NEVER_GIVEN = "none"


@dataclass(frozen=True, slots=True)
class Lease:
    """What a box was given: `current`, and `before` while `current` has not been seen yet, else empty."""

    current: str
    before: str
    boot_id: str  # of the box that was given it
    boot_id_before: str
    given_at_ms: int


def shown(lease: Lease | None, value: str, boot_id: str, now_ms: int, fresh: str) -> Lease | None:
    """Return the lease after a Hello showed `value`; None if no box that is the only one would show it.

    `fresh` is what to give next, where it is time to.
    """
    value = value or _NEVER_GIVEN
    if lease is None:
        return Lease(fresh, value, boot_id, "", now_ms)
    if boot_id == lease.boot_id_before != lease.boot_id:
        return None  # it had stopped and another had begun
    if value == lease.current:
        if boot_id != lease.boot_id:
            return Lease(fresh, value, boot_id, lease.boot_id, now_ms)
        if now_ms - lease.given_at_ms >= RENEWED_EVERY_MS:
            return replace(lease, current=fresh, before=value, given_at_ms=now_ms)
        return replace(lease, before="") if lease.before else lease
    if lease.before and value == lease.before:
        if boot_id != lease.boot_id:
            return replace(lease, boot_id=boot_id, boot_id_before=lease.boot_id)
        return lease
    return None
