"""Passwords: hashed with argon2id, on threads of their own.

The invariant: checking costs the same whether or not the user exists, and a flood of sign-ins can
occupy two threads and nothing else: no database thread, no event loop.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import argon2

from cloud.domain.errors import Invalid

LENGTH_MIN = 8  # NIST SP 800-63B §3.1.1.2; 15 is advised
# Long enough for any phrase; a limit at all so that a megabyte is not hashed.
LENGTH_MAX = 256

# OWASP Password Storage Cheat Sheet: argon2id with at least 19 MiB, two passes, one lane.
_HASHER = argon2.PasswordHasher(
    time_cost=2, memory_cost=19 * 1024, parallelism=1, type=argon2.low_level.Type.ID
)
# Of no password; what an unknown login is checked against, and who was invited and has not come yet.
HASH_OF_NOBODY = (
    "$argon2id$v=19$m=19456,t=2,p=1$Z2F0ZWhvdXNlLW5vYm9keQ$bm9ib2R5IGtub3dzIHRoaXMgcGFzc3dvcmQgYXQgYWxs"
)


def checked_password(password: str) -> str:
    """Return `password` if it may be used as one."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise Invalid(
            f"the password has {len(password)} characters, expected {LENGTH_MIN} to {LENGTH_MAX}; "
            "15 or more are better than any mixture of signs"
        )
    return password


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password; takes some tens of milliseconds, so not in a transaction."""
    return _HASHER.hash(checked_password(password))


class Passwords:
    """Checks passwords on two threads. Closed by the wiring."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="password")

    async def hash(self, password: str) -> str:
        """Return the hash of a new password; Invalid if it may not be one."""
        checked_password(password)
        return await asyncio.get_running_loop().run_in_executor(self._threads, hash_password, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Tell whether the password is the one; for None (an unknown user) it takes as long and is not."""
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, _matches, password_hash, password
        )

    def close(self) -> None:
        """Finish what was begun."""
        self._threads.shutdown()


def needs_rehash(password_hash: str) -> bool:
    """Tell whether the hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)


def _matches(password_hash: str | None, password: str) -> bool:
    try:
        _HASHER.verify(HASH_OF_NOBODY if password_hash is None else password_hash, password[: LENGTH_MAX + 1])
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return password_hash is not None
