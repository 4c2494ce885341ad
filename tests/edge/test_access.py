"""Who is let in: what the grants say, at which door and when; and which grants are taken at all."""

import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.access import Judge, Moment
from edge.configurator import Trust
from edge.grants import FOLDER, GrantShelf
from edge.keypad import Keypad
from protocol.access import AccessReason, BadgeKind, card_number
from provisioning.bundle import BUNDLE_VERSION, Bundle, sealed
from provisioning.grants import GrantSet, GrantsRefused, sealed_grants
from tests.edge.building_blocks import MIDNIGHT_MS
from tests.edge.granting import (
    ALWAYS,
    AT_NIGHT,
    AT_WORK,
    CELLAR,
    DAY_MS,
    FRONT,
    GATEWAY,
    HOUR_MS,
    SIGNER,
    grant,
    grant_set,
)

OTHER = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
TRUST = Trust(SIGNER.public_key(), GATEWAY)
R = AccessReason


def reason(
    grants: GrantSet,
    secret: str,
    *,
    reader: str = "reader-1",
    kind: BadgeKind = BadgeKind.CARD,
    after_ms: int = 9 * HOUR_MS,
    is_sure: bool = True,
    used: bool = False,
) -> AccessReason:
    judge = Judge(lambda badge_id: used)
    judge.take(grants)
    return judge.judge(reader, kind, secret, Moment(MIDNIGHT_MS + after_ms, 0, is_sure)).reason


@pytest.mark.parametrize(
    ("secret", "said", "expected"),
    [
        pytest.param("1", {}, R.GRANTED, id="at-all-hours"),
        pytest.param("9", {}, R.UNKNOWN, id="nobodys"),
        pytest.param("1", {"reader": "keypad-1"}, R.OTHER_DOOR, id="another-door"),
        pytest.param("1", {"kind": BadgeKind.CODE}, R.UNKNOWN, id="a-code-is-no-card"),
        pytest.param("2", {}, R.GRANTED, id="at-work-at-nine"),
        pytest.param("2", {"after_ms": 8 * HOUR_MS - 1}, R.OUTSIDE_HOURS, id="a-moment-too-early"),
        pytest.param("2", {"after_ms": 8 * HOUR_MS}, R.GRANTED, id="on-the-hour"),
        pytest.param("2", {"after_ms": 18 * HOUR_MS}, R.OUTSIDE_HOURS, id="the-end-is-not-in-it"),
        pytest.param("2", {"after_ms": 4 * DAY_MS + 9 * HOUR_MS}, R.OUTSIDE_HOURS, id="saturday"),
        pytest.param("2", {"is_sure": False}, R.CLOCK, id="hours-and-no-clock"),
        pytest.param("3", {"after_ms": 23 * HOUR_MS}, R.GRANTED, id="before-midnight"),
        pytest.param("3", {"after_ms": DAY_MS + 5 * HOUR_MS}, R.GRANTED, id="after-midnight"),
        pytest.param("3", {"after_ms": DAY_MS + 6 * HOUR_MS}, R.OUTSIDE_HOURS, id="morning"),
        pytest.param("4", {}, R.BLOCKED, id="lost"),
        pytest.param("5", {}, R.GRANTED, id="a-visit"),
        pytest.param("5", {"used": True}, R.USED, id="a-visit-that-came"),
        pytest.param("5", {"after_ms": 8 * HOUR_MS}, R.NOT_YET, id="a-visit-too-early"),
        pytest.param("5", {"after_ms": 12 * HOUR_MS}, R.OVER, id="a-visit-too-late"),
        pytest.param("5", {"is_sure": False}, R.CLOCK, id="a-visit-and-no-clock"),
        pytest.param("1", {"is_sure": False}, R.GRANTED, id="home-and-no-clock"),
        pytest.param("1", {"is_sure": False, "after_ms": -(10**12)}, R.GRANTED, id="home-in-1994"),
        pytest.param("1", {"after_ms": 7 * DAY_MS - 1}, R.GRANTED, id="last-moment-of-the-grants"),
        pytest.param("1", {"after_ms": 7 * DAY_MS}, R.STALE, id="the-cloud-was-away-too-long"),
    ],
)
def test_a_badge_opens_what_it_may_when_it_may(secret: str, said: dict[str, object], expected: R) -> None:
    visit = {"from_ms": MIDNIGHT_MS + 9 * HOUR_MS, "until_ms": MIDNIGHT_MS + 12 * HOUR_MS, "is_once": True}
    grants = grant_set(
        grant("1", (FRONT, ALWAYS)),
        grant("2", (FRONT, AT_WORK)),
        grant("3", (FRONT, AT_NIGHT)),
        grant("4", (FRONT, ALWAYS), is_blocked=True),
        grant("5", (FRONT, ALWAYS), **visit),
    )

    assert reason(grants, secret, **said) is expected  # type: ignore[arg-type]


def test_the_second_of_two_groups_lets_in_where_the_first_does_not() -> None:
    grants = grant_set(grant("1", (CELLAR, ALWAYS), (FRONT, AT_NIGHT), (FRONT, AT_WORK)))

    assert reason(grants, "1") is R.GRANTED


def test_who_guesses_codes_waits_and_cards_still_open() -> None:
    grants = grant_set(grant("11112222", (FRONT, ALWAYS), kind=BadgeKind.CODE), grant("1", (FRONT, ALWAYS)))
    judge = Judge(lambda badge_id: False)
    judge.take(grants)

    def said(kind: BadgeKind, secret: str, mono_ms: int) -> AccessReason:
        return judge.judge("reader-1", kind, secret, Moment(MIDNIGHT_MS, mono_ms, True)).reason

    tried = [said(BadgeKind.CODE, f"0000000{n}", 1000 * n) for n in range(5)]
    assert tried == [R.UNKNOWN] * 5
    assert said(BadgeKind.CODE, "11112222", 6_000) is R.TOO_MANY
    assert said(BadgeKind.CARD, "1", 6_000) is R.GRANTED
    assert said(BadgeKind.CODE, "11112222", 60_000) is R.GRANTED


def test_grants_are_kept_through_a_restart(tmp_path: Path) -> None:
    GrantShelf(tmp_path / FOLDER, TRUST).take(sealed_grants(grant_set(grant("1", (FRONT, ALWAYS))), SIGNER))

    again = GrantShelf(tmp_path / FOLDER, TRUST)

    assert again.current == grant_set(grant("1", (FRONT, ALWAYS)))


@pytest.mark.parametrize(
    ("number", "later_ms", "is_taken"),
    [(2, DAY_MS, False), (3, 0, False), (3, -1, False), (3, 1, True), (4, -DAY_MS, True)],
    ids=["rolled-back", "replayed", "an-earlier-issue", "renewed", "newer"],
)
def test_only_newer_grants_are_taken(tmp_path: Path, number: int, later_ms: int, is_taken: bool) -> None:
    shelf = GrantShelf(tmp_path / FOLDER, TRUST)
    first = grant_set(number=3)
    shelf.take(sealed_grants(first, SIGNER))
    second = grant_set(number=number, issued_at_ms=first.issued_at_ms + later_ms)

    if is_taken:
        shelf.take(sealed_grants(second, SIGNER))
    else:
        with pytest.raises(GrantsRefused, match="not newer"):
            shelf.take(sealed_grants(second, SIGNER))

    assert shelf.current == (second if is_taken else first)
    assert GrantShelf(tmp_path / FOLDER, TRUST).current == shelf.current


def test_no_forged_or_damaged_grants_are_taken(tmp_path: Path) -> None:
    shelf = GrantShelf(tmp_path / FOLDER, TRUST)
    good = sealed_grants(grant_set(grant("1", (FRONT, ALWAYS))), SIGNER)
    chance = random.Random(5)

    with pytest.raises(GrantsRefused, match="signed by key"):
        shelf.take(sealed_grants(grant_set(), OTHER))
    for _ in range(500):
        bad = bytearray(good)
        bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
        with pytest.raises(GrantsRefused):
            shelf.take(bytes(bad))

    assert shelf.current is None


def test_a_signed_configuration_is_no_set_of_grants(tmp_path: Path) -> None:
    bundle = Bundle(BUNDLE_VERSION, GATEWAY, 9, MIDNIGHT_MS, 300, "", {})

    with pytest.raises(GrantsRefused, match="signature"):
        GrantShelf(tmp_path, TRUST).take(sealed(bundle, SIGNER))


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"gateway_id": "somebody-else"}, "for gateway somebody-else"),
        ({"number": 0}, "number 0"),
        ({"expires_at_ms": MIDNIGHT_MS}, "cannot be"),
        ({"key": b"short"}, "32 bytes"),
        ({"version": 2}, "version 2"),
        ({"time_zone": "Mars/Olympus"}, "no time zone"),
        ({"doors": []}, "not in the set"),
        ({"times": [[]], "grants": [grant("1", (FRONT, 1))]}, "not in the set"),
    ],
)
def test_grants_that_make_no_sense_are_refused_though_signed(
    tmp_path: Path, changed: dict[str, object], problem: str
) -> None:
    grants = grant_set(grant("1", (FRONT, ALWAYS)), **{"grants": [grant("1", (FRONT, ALWAYS))], **changed})

    with pytest.raises(GrantsRefused, match=problem):
        GrantShelf(tmp_path, TRUST).take(sealed_grants(grants, SIGNER))


@pytest.mark.parametrize(
    ("bit_count", "data", "number"),
    [
        # HID 26 bit, facility 123, card 45678: even parity, 24 bits, odd parity, padded to 32.
        pytest.param(26, (0b0_01111011_1011001001101110_1 << 6).to_bytes(4), 123 << 16 | 45678, id="26-bit"),
        pytest.param(32, bytes.fromhex("12345678"), 0x12345678, id="mifare-serial"),
        pytest.param(34, (0x12345678 << 1 << 6).to_bytes(5), 0x12345678, id="34-bit"),
        pytest.param(56, bytes.fromhex("04a1b2c3d4e5f6"), 0x04A1B2C3D4E5F6, id="seven-bytes"),
        pytest.param(0, b"", 0, id="nothing"),
    ],
)
def test_a_cards_number_is_what_is_printed_on_it(bit_count: int, data: bytes, number: int) -> None:
    assert card_number(bit_count, data) == number


def test_a_keypad_hands_out_whole_codes_and_forgets_who_went_away() -> None:
    pad = Keypad()

    assert [pad.press(bytes([key]), 0) for key in b"1234567"] == [None] * 7
    assert pad.press(b"8", 0) == "12345678"
    assert pad.press(b"99*4711\r", 1) == "4711"
    assert pad.press(b"123", 2) is None
    assert pad.press(b"45678", 20_000) is None
    assert pad.press(b"#", 20_001) == "45678"
    assert "1234" not in repr(pad)
