"""Taking on a configuration from afar: verify, check, stage, apply, watch, and keep it or go back.

The invariants: nothing is changed before signature, addressee, number and every key are found right;
the gateway's own file has the last word on what it says of itself (`provisioning.document.OWN_TABLES`);
a configuration that does not pass its trial is gone by itself, and the one before runs; and the rows
that wait for the cloud are touched by none of this. A kill at any point is a start with the one of
before, or with the one on trial, which is then watched anew.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.check import plan
from edge.clock import Clock
from edge.cloud_client import CloudClient
from edge.configurations import FOLDER, Configurations
from edge.errors import CloudFault, StorageFault
from edge.field import Field
from edge.trial import Trial, answering_now
from protocol.configuration import (
    BUNDLE_PATH,
    REPORT_PATH,
    RUNNING_PATH,
    BundleQuestion,
    Running,
)
from protocol.greeting import Welcome
from provisioning.bundle import Bundle, BundleRefused, opened
from provisioning.config import Config
from provisioning.config_file import parse_config
from provisioning.document import overreaching
from provisioning.identity import Credential
from provisioning.strict import Malformed

log = logging.getLogger(__name__)

_LOOK_S = 1.0
# The inbox is for a person who stands before the box and waits.
_RETRY_S = 5.0
# A configuration that takes the agent down does it at once; a power cut or two are nobody's fault.
STARTS_MAX = 3
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signature counts, and who we are."""

    public_key: Ed25519PublicKey
    gateway_id: str


def trust_of(credential: Credential) -> Trust | None:
    """Return what the credential lets us trust; None for one without the cloud's key."""
    if not credential.command_key:
        return None
    public_key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(credential.command_key))
    return Trust(public_key, credential.gateway.gateway_id)


def open_configurations(own: Config, clock: Clock) -> Configurations:
    """Return the shelf beside the buffer."""
    return Configurations(own.buffer.path.with_name(FOLDER), clock.wall_ms)


def checked_bundle(content: bytes, trust: Trust, own: Config, highest: int) -> tuple[Bundle, Config]:
    """Return the bundle and what it says; BundleRefused or Malformed, and nothing has been touched."""
    bundle = opened(content, trust.public_key, trust.gateway_id)
    if bundle.number <= highest:
        raise BundleRefused(f"number {bundle.number} is not above {highest}: out of date or a replay")
    return bundle, checked_config(bundle, own)


def checked_config(bundle: Bundle, own: Config) -> Config:
    """Return the configuration of a bundle, checked to the last key; Malformed lists what is wrong."""
    config = parse_config(bundle.text, own.origin, bundle.profiles)
    problems = overreaching(own.document, bundle.document)
    if problems:
        raise Malformed(str(own.origin), problems)
    plan(config)
    return config


def config_at_start(own: Config, trust: Trust | None, shelf: Configurations) -> Config:
    """Return what is to run: the one on trial, the one that passed, or the gateway's own file.

    An own file that was edited since wins: whoever stands before the box has the last word.
    """
    if shelf.trial and shelf.count_start() > STARTS_MAX:
        shelf.fail_trial([f"the agent started {STARTS_MAX} times under it and did not last"])
    if not shelf.trial and shelf.running and shelf.own_digest != own.version:
        shelf.return_to_file("the gateway's own file was edited on the box, and it runs now")
    while number := shelf.trial or shelf.running:
        try:
            return checked_config(_reopened(shelf.content(number), trust), own)
        except (BundleRefused, Malformed, StorageFault) as error:
            reason = f"it cannot be used at this start: {error}"
            log.warning("configuration given up", extra={"number": number, "reason": reason})
            if shelf.trial:
                shelf.fail_trial([reason])
            else:
                shelf.return_to_file(reason)
    return own


def _reopened(content: bytes, trust: Trust | None) -> Bundle:
    if trust is None:
        raise BundleRefused("the credential has no key to verify it with")
    return opened(content, trust.public_key, trust.gateway_id)


class Configurator:
    """Keeps the shelf and the field in step with what the cloud offers."""

    def __init__(
        self,
        own: Config,
        field: Field,
        shelf: Configurations,
        trust: Trust,
        client: CloudClient,
        clock: Clock,
    ) -> None:
        self._own = own
        self._field = field
        self._shelf = shelf
        self._trust = trust
        self._client = client
        self._contact_at_ms = 0  # when the cloud last answered, on the monotonic clock
        self._clock = clock
        self._before = own  # what runs again if the one on trial fails
        self._trial: Trial | None = None
        self._offered = 0
        self._is_asked_what_runs = False
        self._news = asyncio.Event()
        self.fault = ""

    def heed(self, welcome: Welcome) -> None:
        """Take what the cloud says when it is greeted: the number it offers, and whether it knows ours."""
        self._contact_at_ms = self._clock.monotonic_ms()
        self._offered = welcome.configuration
        self._is_asked_what_runs = welcome.wants_configuration
        if self._offered > self._shelf.highest or self._is_asked_what_runs:
            self._news.set()

    async def run(self) -> None:
        """Watch, fetch, tell, for ever. What the cloud does not hear now, it hears later."""
        if self._shelf.trial:
            await self._resume()
        pause_until_ms = 0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._news.wait()
            self._news.clear()
            try:
                await self._watch()
                if self._trial is None:
                    await self._look_into_inbox()
                if self._clock.monotonic_ms() < pause_until_ms:
                    continue
                await self._exchange()
                self.fault = ""
            except (CloudFault, StorageFault) as fault:
                self._fall(str(fault))
                pause_until_ms = self._clock.monotonic_ms() + int(_RETRY_S * 1000)

    async def _exchange(self) -> None:
        """Tell what the cloud has not heard; fetch what it offers."""
        await self._send_reports()
        if self._is_asked_what_runs:
            document = self._field.config.document
            number = self._shelf.trial or self._shelf.running
            running = Running(number, document.text, dict(document.profiles))
            await self._client.post(RUNNING_PATH, msgspec.json.encode(running), _JSON)
            self._is_asked_what_runs = False
        if self._trial is None and self._offered > self._shelf.highest:
            question = msgspec.json.encode(BundleQuestion(self._shelf.highest))
            content = await self._client.post(BUNDLE_PATH, question, _JSON)
            self._offered = 0
            if content:
                await self._take(content)

    async def _look_into_inbox(self) -> None:
        content = await asyncio.to_thread(self._shelf.take_inbox)
        if content is not None:
            await self._take(content, is_by_hand=True)

    async def _take(self, content: bytes, *, is_by_hand: bool = False) -> None:
        """Deal with one bundle as far as its trial."""
        try:
            bundle, config = checked_bundle(content, self._trust, self._own, self._shelf.highest)
        except Malformed as error:
            number = _reopened(content, self._trust).number
            log.warning("configuration refused", extra={"number": number, "reason": str(error)})
            await asyncio.to_thread(self._shelf.refuse, number, error.problems)
            return
        except BundleRefused as error:
            # Not the cloud's word, or not for us: there is no number to report it under.
            log.warning("configuration turned away", extra={"reason": str(error)})
            self._fall(str(error))
            return
        await asyncio.to_thread(self._shelf.stage, bundle.number, content)
        await self._tell()
        await self._apply(bundle, config, is_by_hand=is_by_hand)

    async def _apply(self, bundle: Bundle, config: Config, *, is_by_hand: bool) -> None:
        must_answer = answering_now(self._field) - self._field.undisturbed(config)
        await asyncio.to_thread(self._shelf.begin_trial, bundle.number, must_answer, is_by_hand=is_by_hand)
        log.info("configuration applied", extra={"number": bundle.number, "watch_s": bundle.watch_s})
        self._before = self._field.config
        self._trial = self._new_trial(bundle)
        try:
            await self._field.change(config)
        except Exception as error:
            # Whatever it is, it came with this configuration, and the one before is known to work.
            log.exception("a configuration could not be put to work", extra={"number": bundle.number})
            await self._go_back([f"it could not be put to work: {type(error).__name__}: {error}"])
            return
        await self._tell()

    async def _resume(self) -> None:
        """Watch anew what was on trial when the agent ended; what ran before it is the way back."""
        self._before = self._ran_before()
        self._trial = self._new_trial(_reopened(self._shelf.content(self._shelf.trial), self._trust))

    def _new_trial(self, bundle: Bundle) -> Trial:
        contact = None if self._shelf.is_by_hand else lambda: self._contact_at_ms
        must_answer = self._shelf.must_answer
        return Trial(bundle.number, bundle.watch_s, must_answer, contact, self._field, self._clock)

    def _ran_before(self) -> Config:
        running = self._shelf.running
        if not running:
            return self._own
        try:
            return checked_config(_reopened(self._shelf.content(running), self._trust), self._own)
        except (BundleRefused, Malformed, StorageFault) as error:
            log.warning("the configuration of before is gone", extra={"reason": str(error)})
            return self._own

    async def _watch(self) -> None:
        """End the trial when it has passed or failed."""
        if self._trial is None:
            return
        verdict = self._trial.verdict()
        if verdict is None:
            return
        if verdict.failures:
            await self._go_back(verdict.failures)
            return
        log.info("configuration is healthy", extra={"number": self._trial.number})
        await asyncio.to_thread(self._shelf.pass_trial, self._own.version, verdict.remarks)
        self._trial = None
        await self._tell()

    async def _go_back(self, reasons: Iterable[str]) -> None:
        told = list(reasons)
        log.warning("configuration rolled back", extra={"number": self._shelf.trial, "reasons": told})
        await self._field.change(self._before)
        await asyncio.to_thread(self._shelf.fail_trial, told)
        self._trial = None
        await self._tell()

    async def _tell(self) -> None:
        """Tell the cloud at once if it is there; `_exchange` tells it later if it is not."""
        try:
            await self._send_reports()
        except CloudFault as fault:
            self._fall(str(fault))

    async def _send_reports(self) -> None:
        for report in self._shelf.untold:
            await self._client.post(REPORT_PATH, msgspec.json.encode(report), _JSON)
            self._contact_at_ms = self._clock.monotonic_ms()
            await asyncio.to_thread(self._shelf.told, report)

    def _fall(self, reason: str) -> None:
        if reason != self.fault:
            log.warning("configuration is not exchanged", extra={"reason": reason})
        self.fault = reason
