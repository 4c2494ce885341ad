"""Configurations from afar: nothing unverified is taken, what fails goes back, a cut costs nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.configurations import FOLDER, INBOX, Configurations, write_durably
from edge.configurator import Configurator, Trust, checked_bundle, config_at_start
from edge.errors import CloudFault
from edge.field import Field, open_field
from protocol.configuration import (
    BUNDLE_PATH,
    REPORT_PATH,
    RUNNING_PATH,
    BundleQuestion,
    ConfigurationState,
    Report,
    Running,
)
from protocol.greeting import Welcome
from provisioning.bundle import Bundle, BundleRefused, sealed
from provisioning.config import Config
from provisioning.lines import LineId
from provisioning.strict import Malformed
from tests.edge.building_blocks import ToldClock, config_of, rng
from tests.edge.test_agent import until
from tests.edge.test_field import PROFILE, jobs_of, running, two_buses, written

GATEWAY = "0199aaaa-0000-7000-8000-000000000001"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUST = Trust(KEY.public_key(), GATEWAY)
S = ConfigurationState
BROKER = '[[lines]]\nid = "m"\ntransport = "mqtt"\nhost = "h"\npassword_file = "credential.json"\n'
EMPTY = 'lines = []\n[gateway]\ncode = "gw-1"\ntime_zone = "Asia/Shanghai"\n'


def bundle(number: int, text: str, gateway: str = GATEWAY, watch_s: int = 5, **profiles: str) -> bytes:
    named = {f"{name}.toml": profile for name, profile in profiles.items()}
    return sealed(Bundle(1, gateway, number, 1_788_192_000_000, watch_s, text, named), KEY)


@dataclass
class Office:
    """The cloud's desk, as far as a configurator sees it: offers one bundle, hears reports."""

    offer: bytes = b""
    is_there: bool = True
    heard: list[Report] = field(default_factory=list)
    told: list[Running] = field(default_factory=list)
    goes_after: ConfigurationState | None = None  # the cable is cut once this was heard

    async def post(self, path: str, content: bytes, headers: dict[str, str]) -> bytes:
        if not self.is_there:
            raise CloudFault("the cable is cut")
        if path == REPORT_PATH:
            self.heard.append(msgspec.json.decode(content, type=Report))
            if self.heard[-1].state is self.goes_after:
                self.is_there, self.goes_after = False, None
        elif path == RUNNING_PATH:
            self.told.append(msgspec.json.decode(content, type=Running))
        elif path == BUNDLE_PATH:
            msgspec.json.decode(content, type=BundleQuestion)
            return self.offer
        return b"{}"

    def states(self) -> list[tuple[int, ConfigurationState]]:
        return [(report.number, report.state) for report in self.heard]


@dataclass
class Box:
    """A gateway with a running field."""

    own: Config
    field: Field
    shelf: Configurations
    office: Office
    clock: ToldClock
    configurator: Configurator

    def offer(self, number: int, content: bytes) -> None:
        self.office.offer = content
        self.configurator.heed(Welcome("gw-1", 0, {}, configuration=number))

    async def until_heard(self, number: int, state: ConfigurationState) -> Report:
        await until(lambda: (number, state) in self.office.states())
        return next(one for one in self.office.heard if (one.number, one.state) == (number, state))


@contextlib.asynccontextmanager
async def box(own: Config, office: Office | None = None) -> AsyncIterator[Box]:
    clock, office = ToldClock(), office or Office()
    shelf = Configurations(own.origin.with_name(FOLDER), clock.wall_ms)
    config = config_at_start(own, TRUST, shelf)
    async with open_field(config, clock, rng()) as parts, running(parts):
        configurator = Configurator(own, parts, shelf, TRUST, office, clock)  # type: ignore[arg-type]
        task = asyncio.ensure_future(configurator.run())
        try:
            yield Box(own, parts, shelf, office, clock, configurator)
        finally:
            task.cancel()
            await asyncio.wait([task])


async def pass_time(of: Box, seconds: int) -> None:
    of.clock.at_ms += seconds * 1000
    of.configurator.heed(Welcome("gw-1", 0, {}))


async def test_a_configuration_is_staged_applied_watched_and_found_healthy(tmp_path: Path) -> None:
    async with two_buses(tmp_path) as (ports, _):
        text = written(ports, {"a": ("bus-1", 1, 0.1)})
        wider = written(ports, {"a": ("bus-1", 1, 0.1), "b": ("bus-2", 2, 0.1)})
        async with box(config_of(text, tmp_path)) as here:
            await until(lambda: jobs_of(here.field)["a"].polls > 1)
            kept = jobs_of(here.field)["a"]
            here.offer(3, bundle(3, wider, plain=PROFILE))
            await here.until_heard(3, S.APPLIED)
            await until(lambda: jobs_of(here.field)["b"].polls > 1)
            await pass_time(here, 6)
            await here.until_heard(3, S.HEALTHY)

            assert here.office.states() == [(3, S.STAGED), (3, S.APPLIED), (3, S.HEALTHY)]
            assert jobs_of(here.field)["a"] is kept
            assert (here.shelf.running, here.shelf.trial, here.shelf.highest) == (3, 0, 3)
        async with box(config_of(text, tmp_path)) as again:
            assert set(jobs_of(again.field)) == {"a", "b"}


async def test_a_device_that_answered_and_does_not_any_more_takes_the_configuration_back(
    tmp_path: Path,
) -> None:
    async with two_buses(tmp_path) as (ports, _):
        text = written(ports, {"a": ("bus-1", 1, 0.1), "b": ("bus-2", 2, 0.1)})
        wrong = text.replace("address = 2", "address = 77")
        wrong = wrong.replace('"bus-2"\ntr', '"bus-2"\ntimeout_ms = 50\ntr')
        async with box(config_of(text, tmp_path)) as here:
            await until(lambda: all(job.polls > 1 for job in here.field.poller.jobs))
            here.offer(1, bundle(1, wrong, plain=PROFILE))
            await here.until_heard(1, S.APPLIED)
            line = here.field.lines[LineId("bus-2")]
            await until(lambda: line.device("77").no_reply > 1)
            await pass_time(here, 6)
            report = await here.until_heard(1, S.ROLLED_BACK)

            assert report.reasons == ["b answered before and does not answer now"]
            assert here.field.config.document.text == text
            await until(lambda: jobs_of(here.field)["b"].polls > 1)
            assert (here.shelf.running, here.shelf.trial, here.shelf.highest) == (0, 0, 1)


async def test_a_new_device_that_is_silent_is_remarked_upon_and_kept(tmp_path: Path) -> None:
    async with two_buses(tmp_path) as (ports, _):
        text = written(ports, {"a": ("bus-1", 1, 0.1)})
        wider = written(ports, {"a": ("bus-1", 1, 0.1), "later": ("bus-1", 88, 0.1)})
        async with box(config_of(text, tmp_path)) as here:
            await until(lambda: jobs_of(here.field)["a"].polls > 1)
            here.offer(1, bundle(1, wider, plain=PROFILE))
            await here.until_heard(1, S.APPLIED)
            await pass_time(here, 6)
            report = await here.until_heard(1, S.HEALTHY)

    assert report.reasons == ["later has not answered yet"]


async def test_a_configuration_that_cuts_the_way_to_the_cloud_goes_back_and_says_so_later(
    tmp_path: Path,
) -> None:
    async with two_buses(tmp_path) as (ports, _):
        text = written(ports, {"a": ("bus-1", 1, 0.1)})
        async with box(config_of(text, tmp_path)) as here:
            here.office.goes_after = S.STAGED
            here.offer(1, bundle(1, written(ports, {}), plain=PROFILE))
            await until(lambda: here.shelf.trial == 1 and here.field.config.document.text != text)
            here.clock.at_ms += 6_000
            await until(lambda: here.shelf.trial == 0)
            assert here.field.config.document.text == text
            here.office.is_there = True
            here.clock.at_ms += 6_000
            report = await here.until_heard(1, S.ROLLED_BACK)

    assert report.reasons == ["the cloud was not reached under it"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            ("address = 1", 'address = "x"'),
            "devices[0] (a).address: expected a unit id from 0 to 255, got 'x'",
        ),
        (
            ("interval_s = 0.1", "intervall_s = 1"),
            "devices[0].intervall_s: unknown key; did you mean 'interval_s'?",
        ),
        (
            ('code = "gw-1"', 'code = "gw-2"'),
            "gateway: differs from the gateway's own file, and is only changed there",
        ),
        (
            (
                "[[devices]]",
                '[commands]\n[[commands.allow]]\ndevices = "*"\nactions = ["door_unlock"]\n[[devices]]',
            ),
            "commands: differs from the gateway's own file, and is only changed there",
        ),
        (
            ("[[devices]]", '[[rules]]\nid = "r"\nkind = "treshold"\n[[devices]]'),
            "rule r: kind 'treshold' is none of",
        ),
        (
            ("[[devices]]", BROKER + "[[devices]]"),
            "lines[2].password_file: 'credential.json' is neither a file the gateway's own file names nor",
        ),
        (
            ("plain.toml", "other.toml"),
            "devices[0] (a).profile: 'other.toml' does not come with it; with it come 'plain.toml'",
        ),
    ],
    ids=["address", "key", "own name", "own policy", "rule", "file", "profile"],
)
async def test_what_is_wrong_is_told_by_its_key_and_nothing_is_changed(
    tmp_path: Path, change: tuple[str, str], problem: str
) -> None:
    async with two_buses(tmp_path) as (ports, _):
        text = written(ports, {"a": ("bus-1", 1, 0.1)})
        async with box(config_of(text, tmp_path)) as here:
            await until(lambda: jobs_of(here.field)["a"].polls > 1)
            kept = jobs_of(here.field)["a"]
            here.offer(1, bundle(1, text.replace(*change, 1), plain=PROFILE))
            report = await here.until_heard(1, S.REFUSED)

            assert any(problem in reason for reason in report.reasons), report.reasons
            assert jobs_of(here.field)["a"] is kept
            assert (here.shelf.running, here.shelf.trial, here.shelf.highest) == (0, 0, 1)


def turned_away() -> Iterator[tuple[str, bytes, str]]:
    good = bundle(5, EMPTY)
    other = Ed25519PrivateKey.generate()
    yield "another key", sealed(Bundle(1, GATEWAY, 5, 0, 5, EMPTY, {}), other), "trusts"
    yield "another gateway", bundle(5, EMPTY, "0199aaaa-0000-7000-8000-000000000002"), "it is for gateway"
    yield "an old number", bundle(4, EMPTY), "number 4 is not above 4"
    yield "one byte more", good + b"\x00", "not the bytes"
    yield "a flipped bit", good[:40] + bytes([good[40] ^ 1]) + good[41:], ""
    yield "nothing", b"", "not the bytes"


@pytest.mark.parametrize(("content", "reason"), [pytest.param(*one[1:], id=one[0]) for one in turned_away()])
def test_what_the_cloud_did_not_sign_for_this_gateway_is_turned_away(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    own = config_of(EMPTY, tmp_path)
    with pytest.raises(BundleRefused, match=reason):
        checked_bundle(content, TRUST, own, highest=4)


def test_every_single_flipped_bit_of_a_bundle_is_noticed(tmp_path: Path) -> None:
    content = bundle(5, EMPTY)
    own = config_of(EMPTY, tmp_path)
    assert checked_bundle(content, TRUST, own, highest=4)[0].number == 5
    for bit in range(len(content) * 8):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises((BundleRefused, Malformed)):
            checked_bundle(bytes(flipped), TRUST, own, highest=4)


async def test_one_brought_by_hand_needs_no_cloud(tmp_path: Path) -> None:
    async with two_buses(tmp_path) as (ports, _):
        own = config_of(written(ports, {"a": ("bus-1", 1, 0.1)}), tmp_path)
        async with box(own, Office(is_there=False)) as here:
            await until(lambda: jobs_of(here.field)["a"].polls > 1)
            wider = written(ports, {"a": ("bus-1", 1, 0.1), "b": ("bus-2", 2, 0.1)})
            write_durably(tmp_path / FOLDER / INBOX, bundle(9, wider, plain=PROFILE))
            # The trial has begun, with its time taken, once the new device is polled.
            await until(lambda: here.shelf.trial == 9 and "b" in jobs_of(here.field))
            here.clock.at_ms += 6_000
            await until(lambda: here.shelf.running == 9)
            here.office.is_there = True
            here.clock.at_ms += 6_000
            await here.until_heard(9, S.HEALTHY)

    assert here.office.states() == [(9, S.STAGED), (9, S.APPLIED), (9, S.HEALTHY)]


async def test_the_own_file_edited_on_the_box_wins_and_the_cloud_hears_of_it(tmp_path: Path) -> None:
    async with two_buses(tmp_path) as (ports, _):
        text = written(ports, {"a": ("bus-1", 1, 0.1)})
        async with box(config_of(text, tmp_path)) as here:
            here.offer(1, bundle(1, written(ports, {"b": ("bus-2", 2, 0.1)}), plain=PROFILE))
            await here.until_heard(1, S.APPLIED)
            await pass_time(here, 6)
            await here.until_heard(1, S.HEALTHY)
        edited = written(ports, {"a": ("bus-1", 1, 0.1), "c": ("bus-1", 3, 0.1)})
        async with box(config_of(edited, tmp_path)) as again:
            report = await again.until_heard(1, S.ROLLED_BACK)
            again.configurator.heed(Welcome("gw-1", 0, {}, wants_configuration=True))
            await until(lambda: again.office.told)
            assert set(jobs_of(again.field)) == {"a", "c"}

    assert report.reasons == ["the gateway's own file was edited on the box, and it runs now"]
    assert again.office.told == [Running(0, edited, {"plain.toml": PROFILE})]


async def test_one_under_which_the_agent_does_not_last_is_gone_at_the_fourth_start(tmp_path: Path) -> None:
    async with two_buses(tmp_path) as (ports, _):
        own = config_of(written(ports, {"a": ("bus-1", 1, 0.1)}), tmp_path)
        shelf = Configurations(tmp_path / FOLDER, lambda: 0)
        shelf.stage(1, bundle(1, written(ports, {"b": ("bus-2", 2, 0.1)}), plain=PROFILE))
        shelf.begin_trial(1, (), is_by_hand=False)
        starts = [
            config_at_start(own, TRUST, Configurations(tmp_path / FOLDER, lambda: 0)).devices[0].device_id
            for _ in range(5)
        ]

    assert starts == ["b", "b", "b", "a", "a"]
    assert Configurations(tmp_path / FOLDER, lambda: 0).untold[-1].state is S.ROLLED_BACK


class _Cut(BaseException):
    """The power."""


def _steps(shelf: Configurations, own_digest: str, bundles: Sequence[bytes]) -> None:
    """All that ever happens on the shelf: one passes, two fails, three is refused, four is on trial."""
    one, two, four = bundles
    shelf.stage(1, one)
    shelf.begin_trial(1, ["a"], is_by_hand=False)
    shelf.pass_trial(own_digest, [])
    for report in shelf.untold:
        shelf.told(report)
    shelf.stage(2, two)
    shelf.begin_trial(2, ["a"], is_by_hand=False)
    shelf.fail_trial(["it did not answer"])
    shelf.refuse(3, ["devices[0].address: wrong"])
    shelf.stage(4, four)
    shelf.begin_trial(4, [], is_by_hand=True)


def _cutting(at: int, *, after: bool, count: list[int]) -> Callable[[Path, bytes], None]:
    def write(path: Path, content: bytes) -> None:
        count[0] += 1
        if count[0] == at and not after:
            path.with_name(f".{path.name}.new").write_bytes(content[: len(content) // 2])
            raise _Cut
        write_durably(path, content)
        if count[0] == at:
            raise _Cut

    return write


def test_a_cut_at_any_point_leaves_a_configuration_that_runs(tmp_path: Path) -> None:
    texts = {number: EMPTY + f"# {number}\n" for number in (0, 1, 2, 4)}
    bundles = [bundle(number, texts[number]) for number in (1, 2, 4)]
    digest = config_of(texts[0], tmp_path).version
    count = [0]
    _steps(
        Configurations(tmp_path / "whole", lambda: 0, _cutting(0, after=False, count=count)), digest, bundles
    )
    ran: list[int] = []
    for at in range(1, count[0] + 1):
        for after in (False, True):
            folder = tmp_path / f"{at}-{after}"
            cut = Configurations(folder, lambda: 0, _cutting(at, after=after, count=[0]))
            with contextlib.suppress(_Cut):
                _steps(cut, digest, bundles)

            found = Configurations(folder, lambda: 0)
            started = config_at_start(config_of(texts[0], tmp_path), TRUST, found)

            running_now = next(number for number, text in texts.items() if text == started.document.text)
            assert found.highest >= running_now == (found.trial or found.running)
            assert not ran or running_now >= ran[-1] or (ran[-1], running_now) == (2, 1)
            ran.append(running_now)

    assert count[0] > 12
    assert [number for number, _ in groupby(ran)] == [0, 1, 2, 1, 4]
