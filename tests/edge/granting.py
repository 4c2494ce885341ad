"""What tests of the doors share: a key that signs, badges, and a set of grants over two doors."""

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol.access import BadgeKind, Window, badge_token
from provisioning.grants import GRANTS_VERSION, Grant, GrantedDoor, GrantSet, Permission
from tests.edge.building_blocks import MIDNIGHT_MS

SIGNER = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
GATEWAY = "0199a000-0000-7000-8000-000000000001"
SITE_KEY = b"\x07" * 32
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
# 2026-09-01 was a Tuesday.
WORKDAYS = Window(0b0011111, 8 * 60, 18 * 60)
NIGHTS = Window(0b1111111, 22 * 60, 6 * 60)

ALWAYS, AT_WORK, AT_NIGHT = -1, 0, 1
FRONT, CELLAR = 0, 1


def grant(
    secret: str, *permissions: tuple[int, int], kind: BadgeKind = BadgeKind.CARD, **changed: object
) -> Grant:
    values: Mapping[str, object] = {
        "token": badge_token(SITE_KEY, kind, secret),
        "badge_id": f"badge-{secret}",
        "kind": kind,
        "permissions": [Permission(*one) for one in permissions],
        "from_ms": 0,
        "until_ms": 0,
        "is_once": False,
        "is_blocked": False,
        **changed,
    }
    return Grant(**values)  # type: ignore[arg-type]


def grant_set(*grants: Grant, **changed: object) -> GrantSet:
    values: Mapping[str, object] = {
        "version": GRANTS_VERSION,
        "gateway_id": GATEWAY,
        "number": 3,
        "issued_at_ms": MIDNIGHT_MS,
        "expires_at_ms": MIDNIGHT_MS + 7 * DAY_MS,
        "time_zone": "Asia/Shanghai",
        "key": SITE_KEY,
        "doors": [GrantedDoor("reader-1", ["reader-1"]), GrantedDoor("lock-1", ["keypad-1"])],
        "times": [[WORKDAYS], [NIGHTS]],
        "grants": list(grants),
        **changed,
    }
    return GrantSet(**values)  # type: ignore[arg-type]
