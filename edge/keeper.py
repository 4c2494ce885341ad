"""Keeps the box's identity alive: its lease, whom it trusts, and its certificate, renewed in time.

Everything here follows a Welcome, and the time is the cloud's: a box that cannot reach the cloud could
renew nothing, and one whose clock is wrong must not. The invariant: what a step needs is on disk before the
step; so after a power cut at any point the file holds a pair the cloud takes, and the next Welcome goes on
from there. A new pair that the cloud does not take gives way to the one before it.
"""

import asyncio
import logging
from dataclasses import replace

from edge.clock import Clock
from edge.cloud_client import CloudClient
from edge.errors import CloudFault
from edge.identity import Identity
from protocol.greeting import Welcome
from provisioning.authority import (
    AuthorityError,
    certificate_pem,
    certificates_from_pem,
    key_from_pem,
    key_pem,
    new_key,
    new_request,
    renewal_due_at,
    roots_digest,
)
from provisioning.est import (
    CACERTS_PATH,
    REENROL_PATH,
    REQUEST_TYPE,
    decode_certificates,
    encode_request,
    leaf_first,
)
from provisioning.identity import IdentityError, Pair

log = logging.getLogger(__name__)

# A month is left when renewal begins; the cloud takes five attempts at once and then one an hour.
_AGAIN_AFTER_MS = 3600 * 1000


class Keeper:
    """Attends to the identity after each Welcome."""

    def __init__(self, identity: Identity, client: CloudClient, clock: Clock) -> None:
        self.fault = ""
        self._identity = identity
        self._client = client
        self._clock = clock
        self._welcome: Welcome | None = None
        self._heard = asyncio.Event()
        self._renews_from_ms = 0

    def heed(self, welcome: Welcome) -> None:
        """Take the newest Welcome; `run` attends to it."""
        self._welcome = welcome
        self._heard.set()

    async def run(self) -> None:
        """Attend to every Welcome, for ever."""
        while True:
            await self._heard.wait()
            self._heard.clear()
            assert self._welcome is not None, "it is there before it is told"
            try:
                await self.attend(self._welcome)
                self.fault = ""
            except (AuthorityError, CloudFault, IdentityError) as error:
                if str(error) != self.fault:
                    log.warning("the identity could not be kept up", extra={"reason": str(error)})
                self.fault = str(error)

    async def attend(self, welcome: Welcome) -> None:
        """Do what a Welcome gives reason for: drop, keep, fetch, renew, in this order."""
        if self._identity.credential.previous is not None:
            # The Welcome came over the new pair.
            await self._change(previous=None)
        if welcome.lease and welcome.lease != self._identity.credential.lease:
            await self._change(lease=welcome.lease)
        if welcome.authorities and welcome.authorities != self._trusted():
            told = decode_certificates(await self._client.get(CACERTS_PATH))
            await self._change(authority_pem=certificate_pem(*told).decode())
            log.info("the cloud's authorities changed", extra={"roots": len(told)})
        if self._is_due(welcome.server_time_ms):
            self._renews_from_ms = self._clock.monotonic_ms() + _AGAIN_AFTER_MS
            await self.renew()

    async def renew(self) -> None:
        """Get a certificate for a new key and show it from now on."""
        credential = self._identity.credential
        key = key_from_pem(credential.next_key_pem.encode()) if credential.next_key_pem else new_key()
        own_key_pem = key_pem(key).decode()
        if not credential.next_key_pem:
            # Kept before it is asked for: after a lost answer the same key gets the same certificate.
            await self._change(next_key_pem=own_key_pem)
        request = encode_request(new_request(key))
        answer = await self._client.post(REENROL_PATH, request, {"Content-Type": REQUEST_TYPE})
        chain = leaf_first(decode_certificates(answer))
        pair = Pair(own_key_pem, certificate_pem(*chain).decode())
        renewed = self._identity.credential.renewed(pair)
        await self._identity.replace(renewed, self._clock.wall_ms())
        log.info("certificate renewed", extra={"serial": f"{chain[0].serial_number:x}"})

    async def turned_away(self) -> None:
        """Go back to the pair before, if the cloud does not take the new one; and forth again."""
        credential = self._identity.credential
        if credential.previous is not None:
            log.warning("the cloud does not take the present certificate; showing the one before")
            await self._change(pair=credential.previous, previous=credential.pair)

    async def _change(self, **changes: object) -> None:
        changed = replace(self._identity.credential, **changes)  # type: ignore[arg-type]
        await self._identity.replace(changed, self._clock.wall_ms())

    def _trusted(self) -> str:
        return roots_digest(certificates_from_pem(self._identity.credential.authority_pem.encode()))

    def _is_due(self, cloud_time_ms: int) -> bool:
        pair = self._identity.credential.pair
        if pair is None or self._clock.monotonic_ms() < self._renews_from_ms:
            return False
        return cloud_time_ms >= renewal_due_at(pair.certificate).timestamp() * 1000
