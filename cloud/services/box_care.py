"""What a box says of itself that a person must see to: its certificate, its clock, its disk.

The invariant: each has one alarm of its own about the gateway, told anew when it gets worse and ended when
the box says that it is over. A box that is silent is another alarm's; what it said last stays.
"""

from cloud.domain.gateway import Gateway, GatewayIdentity, GatewayState
from cloud.services import alarms
from cloud.store.alarms import lock_open, open_about_gateways
from cloud.store.db import Tx
from protocol.event import Severity

CLOCK_ALARM = "gateway_clock"
EXPIRING_ALARM = "gateway_certificate_expiring"
STORAGE_ALARM = "gateway_storage_fault"

_DAY_MS = 24 * 3600 * 1000
# A box renews thirty days before the end by itself; a day later somebody should know, and ever more so.
_EXPIRY_STAGES = (
    (1, Severity.CRITICAL),
    (7, Severity.CRITICAL),
    (14, Severity.MAJOR),
    (29, Severity.MINOR),
)
# A hello is at most five seconds on its way, which looks like a clock that is late.
_AHEAD_MS_MAX = 5_000
_LATE_MS_MAX = 10_000

OpenKinds = frozenset[tuple[str, str]]  # gateway, kind


def open_kinds(tx: Tx) -> OpenKinds:
    """Return which of these alarms are open, for all gateways at once: most have none."""
    return open_about_gateways(tx, (CLOCK_ALARM, EXPIRING_ALARM, STORAGE_ALARM))


def look_after(tx: Tx, identity: GatewayIdentity, box: Gateway, are_open: OpenKinds) -> None:
    """Raise and end the alarms of one box by what it said last."""
    if box.state is GatewayState.REVOKED:
        return
    name = f"{box.name} ({box.code})"
    if box.paper is not None:
        left_ms = box.paper.expires_at_ms - tx.now_ms
        stage = next(((days, how) for days, how in _EXPIRY_STAGES if left_ms <= days * _DAY_MS), None)
        text = "" if stage is None else f"{name}, {stage[0]} d"
        _tell(tx, identity, EXPIRING_ALARM, text, Severity.INFO if stage is None else stage[1], are_open)
    if box.health is None or box.state is not GatewayState.ONLINE:
        return
    _tell(tx, identity, STORAGE_ALARM, box.health.storage_fault and name, Severity.CRITICAL, are_open)
    skew_ms = box.health.clock_skew_ms
    is_off = skew_ms is not None and not -_LATE_MS_MAX <= skew_ms <= _AHEAD_MS_MAX
    _tell(tx, identity, CLOCK_ALARM, name if is_off else "", Severity.MINOR, are_open)


def _tell(
    tx: Tx, identity: GatewayIdentity, kind: str, text: str, severity: Severity, are_open: OpenKinds
) -> None:
    """Let the alarm of that kind be open with that text, or, without one, be over."""
    is_open = (identity.gateway_id, kind) in are_open
    if is_open and text:
        held = lock_open(tx, identity.gateway_id, "", kind)
        if held is not None and held.message == text:
            return
    if is_open:
        alarms.clear_own(tx, identity, kind)
    if text:
        alarms.raise_own(tx, identity, kind, severity, text, tx.now_ms)
