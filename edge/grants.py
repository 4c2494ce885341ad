"""The grants this box has: fetched when the cloud has newer ones, kept on disk, decided by without it.

    <buffer's folder>/access/grants.sealed     as they were signed

The invariants: what is not signed for this box, or is not newer than what it has, changes nothing; the
file is whole before anything is decided by it, so that a power cut leaves the grants of before or of after.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from edge.cloud_client import CloudClient
from edge.configurations import write_durably
from edge.configurator import Trust
from edge.errors import CloudFault, StorageFault
from protocol.access import GRANTS_PATH, GrantQuestion
from protocol.greeting import Welcome
from provisioning.grants import GrantSet, GrantsRefused, opened_grants

log = logging.getLogger(__name__)

FOLDER = "access"
_FILE = "grants.sealed"
_JSON = {"Content-Type": "application/json"}


class GrantShelf:
    """The file. A method returns when what it did is on disk."""

    def __init__(self, folder: Path, trust: Trust) -> None:
        self._path = folder / _FILE
        self._trust = trust
        self.current = self._read()

    def take(self, content: bytes) -> GrantSet:
        """Keep a newer set; GrantsRefused, and nothing has changed, where it is none."""
        grants = opened_grants(content, self._trust.public_key, self._trust.gateway_id)
        if self.current is not None and grants.order <= self.current.order:
            told, has = "number {} of {}".format(*grants.order), "number {} of {}".format(*self.current.order)
            raise GrantsRefused(f"{told} is not newer than {has}: out of date or a replay")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(self._path, content)
        except OSError as error:
            raise StorageFault(f"{self._path}: {error}") from error
        self.current = grants
        return grants

    def _read(self) -> GrantSet | None:
        try:
            return opened_grants(self._path.read_bytes(), self._trust.public_key, self._trust.gateway_id)
        except FileNotFoundError:
            return None
        except (OSError, GrantsRefused) as error:
            log.warning("the grants on disk cannot be used", extra={"reason": str(error)})
            return None


class GrantFetcher:
    """Fetches what the cloud offers, and hands it to whoever decides."""

    def __init__(self, shelf: GrantShelf, client: CloudClient, decide_by: Callable[[GrantSet], None]) -> None:
        self.fault = ""
        self._shelf = shelf
        self._client = client
        self._decide_by = decide_by
        self._news = asyncio.Event()

    def heed(self, welcome: Welcome) -> None:
        """Take from a welcome that newer grants wait."""
        if welcome.has_grants:
            self._news.set()

    async def run(self) -> None:
        """Fetch what is offered, for ever; what fails is offered again at the next greeting."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._fetch()
                self.fault = ""
            except (CloudFault, GrantsRefused, StorageFault) as fault:
                if str(fault) != self.fault:
                    log.warning("no new grants are taken", extra={"reason": str(fault)})
                self.fault = str(fault)

    async def _fetch(self) -> None:
        current = self._shelf.current
        number, issued_at_ms = (0, 0) if current is None else current.order
        question = msgspec.json.encode(GrantQuestion(number, issued_at_ms))
        content = await self._client.post(GRANTS_PATH, question, _JSON)
        if not content:
            return
        grants = await asyncio.to_thread(self._shelf.take, content)
        self._decide_by(grants)
        log.info("grants taken", extra={"number": grants.number, "badges": len(grants.grants)})
