"""The lease by itself: every order in which a box, its copy and lost answers may speak."""

import pytest

from cloud.domain.lease import RENEWED_EVERY_MS, Lease, shown

HOUR = RENEWED_EVERY_MS


def fresh() -> str:
    fresh.count += 1  # type: ignore[attr-defined]
    return f"L{fresh.count}"  # type: ignore[attr-defined]


fresh.count = 0  # type: ignore[attr-defined]


class Cloud:
    """What the cloud keeps; `hello` returns what it gives, None where it smells a copy."""

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self.now_ms = 0

    def hello(self, boot_id: str, value: str) -> str | None:
        self.now_ms += 10_000
        after = shown(self.lease, value, boot_id, self.now_ms, fresh())
        if after is None:
            return None
        self.lease = after
        return after.current


def test_a_box_alone_is_never_doubted_through_restarts_hours_and_lost_answers() -> None:
    cloud, kept = Cloud(), ""
    for number in range(200):
        boot = f"boot-{number // 7}"
        if number % 5 == 0:
            cloud.now_ms += HOUR
        given = cloud.hello(boot, kept)
        assert given is not None, number
        if number % 3:  # else the answer was lost
            kept = given


@pytest.mark.parametrize("is_confirmed", [True, False])
@pytest.mark.parametrize("has_lost_an_answer", [True, False])
def test_a_copy_that_runs_beside_is_seen_within_three_hellos(
    is_confirmed: bool, has_lost_an_answer: bool
) -> None:
    cloud = Cloud()
    kept = cloud.hello("a", "") or ""
    if is_confirmed:
        assert cloud.hello("a", kept) == kept
    boxes = {"a": kept, "b": "" if has_lost_an_answer and not is_confirmed else kept}
    verdicts = []
    for boot in ("b", "a", "b", "a"):
        given = cloud.hello(boot, boxes[boot])
        verdicts.append(given)
        boxes[boot] = given or boxes[boot]

    assert None in verdicts[:3]


def test_an_image_of_the_day_of_enrolment_is_seen_at_its_first_hello() -> None:
    cloud = Cloud()
    kept = cloud.hello("a", "") or ""
    assert cloud.hello("a", kept) == kept

    assert cloud.hello("copied", "") is None


def test_a_lease_of_the_hour_before_last_is_seen() -> None:
    cloud = Cloud()
    first = cloud.hello("a", "") or ""
    cloud.hello("a", first)
    cloud.now_ms += HOUR
    second = cloud.hello("a", first) or ""
    assert second != first
    cloud.hello("a", second)

    assert cloud.hello("restored", first) is None
