"""The box's identity as it is in use: what is on disk, and the TLS context made of it.

The invariant: what connections are made with is what the file holds; it is written before it is used.
"""

import asyncio
import ssl
from pathlib import Path

from protocol.command import CommandResult, SignedResult
from provisioning.authority import key_from_pem
from provisioning.identity import Credential, read_credential, write_credential
from provisioning.signing import signed_result


class Identity:
    """Who this box is. `path` None: held in memory alone, in tests."""

    def __init__(self, credential: Credential, now_ms: int, path: Path | None = None) -> None:
        self.credential = credential
        self.tls: ssl.SSLContext = credential.tls_context(now_ms)
        self._path = path

    def sign(self, result: CommandResult) -> SignedResult | None:
        """Return a command's result signed as this box; None where it has no certificate, in tests."""
        pair = self.credential.pair
        return None if pair is None else signed_result(result, key_from_pem(pair.key_pem.encode()))

    async def replace(self, credential: Credential, now_ms: int) -> None:
        """Keep a changed credential; connections made from now on show it."""
        if self._path is not None:
            await asyncio.to_thread(write_credential, self._path, credential)
        has_other_keys = (credential.pair, credential.authority_pem) != (
            self.credential.pair,
            self.credential.authority_pem,
        )
        self.credential = credential
        if has_other_keys:
            self.tls = credential.tls_context(now_ms)


def open_identity(path: Path, now_ms: int) -> Identity:
    """Return the identity in the file at `path`; IdentityError if there is none to use."""
    return Identity(read_credential(path), now_ms, path)
