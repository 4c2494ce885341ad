"""The one-time token a manager gives to a box: text to paste or a QR code to scan.

It reads `gatehouse-enrol://HOST:PORT/<tenant id>.<gateway id>.<secret>#<fingerprint>` and says where the
cloud is, whose place the box takes, and by SHA-256 which root certifies that cloud. The invariant:
whoever holds it knows the true cloud before sending anything, and the cloud keeps only `hash()`.
"""

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from provisioning.authority import GatewayName
from provisioning.identity import IdentityError, checked_cloud_url

SCHEME = "gatehouse-enrol"
SECRET_BYTES = 16  # 128 bits, five guesses, one day

_LENGTH_MAX = 512  # the longest host name has 253 characters
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9a-fA-F:.]+\](?::[0-9]{1,5})?")
_PLACE = re.compile(r"/([1-9][0-9]{0,9})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([A-Za-z0-9_-]{22})")


@dataclass(frozen=True, slots=True)
class EnrolmentToken:
    """A well-formed token; whether it still stands only the cloud can say."""

    cloud_url: str  # https://host:port
    gateway: GatewayName
    secret: str = field(repr=False)
    fingerprint: str = ""  # of the root, 64 hex digits

    def __str__(self) -> str:
        packed = base64.urlsafe_b64encode(bytes.fromhex(self.fingerprint)).rstrip(b"=").decode()
        where = self.cloud_url.removeprefix("https://").rstrip("/")
        place = f"{self.gateway.tenant_id}.{self.gateway.gateway_id}.{self.secret}"
        return f"{SCHEME}://{where}/{place}#{packed}"


def new_secret(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Make the secret of a token: shown once, never stored by the cloud."""
    return base64.urlsafe_b64encode(random_bytes(SECRET_BYTES)).rstrip(b"=").decode("ascii")


def secret_hash(secret: str) -> str:
    """Return what the cloud stores of a secret: SHA-256, 64 hex digits. It is random, so needs no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def parse_enrolment_token(text: str) -> EnrolmentToken:
    """Return the token written in `text`; IdentityError says what is wrong and never shows the secret."""
    text = text.strip()
    if len(text) > _LENGTH_MAX or not text.startswith(f"{SCHEME}://"):
        raise IdentityError(
            f"not an enrolment token: expected {SCHEME}://…, got {len(text)} characters of another form"
        )
    try:
        parts = urlsplit(text)
    except ValueError as error:  # an opening bracket of an IPv6 address without its end
        raise IdentityError(
            "enrolment token: it is cut off or mistyped between host and #; copy it whole"
        ) from error
    match = _PLACE.fullmatch(parts.path)
    if match is None or parts.query or not _HOST.fullmatch(parts.netloc):
        raise IdentityError("enrolment token: it is cut off or mistyped between host and #; copy it whole")
    url = checked_cloud_url(f"https://{parts.netloc}")
    try:
        fingerprint = base64.b64decode(parts.fragment + "=", altchars="-_", validate=True).hex()
    except (binascii.Error, ValueError) as error:
        raise IdentityError("enrolment token: what follows # is no fingerprint; copy it whole") from error
    if len(fingerprint) != 64:
        raise IdentityError("enrolment token: what follows # is no fingerprint; copy it whole")
    token = EnrolmentToken(url, GatewayName(int(match[1]), match[2]), match[3], fingerprint)
    if str(token) != text:
        raise IdentityError("enrolment token: it is mistyped; copy it whole")
    return token
