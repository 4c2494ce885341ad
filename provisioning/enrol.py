"""A box becomes a gateway: key made here, certificate from the cloud the token names, one file written.

The invariant: the token is sent only over TLS to a cloud certified by the root whose fingerprint it
carries. That root is fetched unverified, compared, and only then trusted; a stranger's cloud gets
nothing but a request for its certificates.
"""

import base64
import os
import ssl
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.authority import (
    AuthorityError,
    certificate_pem,
    fingerprint,
    key_from_pem,
    key_pem,
    new_key,
    new_request,
)
from provisioning.enrolment_token import EnrolmentToken
from provisioning.est import (
    CACERTS_PATH,
    ENROL_PATH,
    REQUEST_TYPE,
    STANDING_PATH,
    Standing,
    decode_certificates,
    encode_request,
    leaf_first,
)
from provisioning.http import ANSWER_BYTES_MAX, EnrolmentError, reason_of, without_redirects
from provisioning.identity import Credential, IdentityError, Pair, tls_context, write_credential

_TIMEOUT_S = 20.0


def enrol(token: EnrolmentToken, path: Path, now_ms: int) -> Credential:
    """Make this box the gateway the token names and write its credential file.

    EnrolmentError says what was refused, IdentityError what cannot be written. The key is kept beside
    the file until all is done: after a cut the same token with the same key gets the same certificate.
    """
    waiting = path.with_name(f".{path.name}.enrolling")
    try:
        authority_pem = _pinned_root(token)
        key = _key_in(waiting)
        pair = _certified(token, key, authority_pem)
        credential = Credential(
            token.cloud_url, token.gateway.gateway_id, token.gateway, "", authority_pem, pair
        )
        standing = _standing(credential, now_ms)
        bundle = _fetched(token.cloud_url + CACERTS_PATH, credential.tls_context(now_ms))
        credential = Credential(
            token.cloud_url,
            standing.gateway_code,
            token.gateway,
            standing.command_key,
            certificate_pem(*decode_certificates(bundle)).decode(),
            pair,
        )
    except AuthorityError as error:
        raise EnrolmentError(f"{token.cloud_url}: {error}") from error
    write_credential(path, credential)
    waiting.unlink(missing_ok=True)
    return credential


def _pinned_root(token: EnrolmentToken) -> str:
    """Return the root the token names, as PEM, having sent nothing."""
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE  # what comes is compared with the fingerprint instead
    told = decode_certificates(_fetched(token.cloud_url + CACERTS_PATH, unverified))
    for root in told:
        if fingerprint(root) == token.fingerprint:
            return certificate_pem(root).decode()
    raise EnrolmentError(
        f"{token.cloud_url} is not the cloud this token is for: it is certified by "
        f"{', '.join(fingerprint(root)[:16] for root in told)}…, the token names {token.fingerprint[:16]}…; "
        "nothing was sent to it"
    )


def _key_in(path: Path) -> ec.EllipticCurvePrivateKey:
    if path.exists():
        return key_from_pem(path.read_bytes())
    key = new_key()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key_pem(key))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise IdentityError(f"{path}: {error.strerror}") from error
    return key


def _certified(token: EnrolmentToken, key: ec.EllipticCurvePrivateKey, authority_pem: str) -> Pair:
    user = f"{token.gateway.tenant_id}.{token.gateway.gateway_id}"
    basic = base64.b64encode(f"{user}:{token.secret}".encode()).decode()
    headers = {"Content-Type": REQUEST_TYPE, "Authorization": f"Basic {basic}"}
    body = _fetched(
        token.cloud_url + ENROL_PATH, tls_context(authority_pem), encode_request(new_request(key)), headers
    )
    chain = leaf_first(decode_certificates(body))
    return Pair(key_pem(key).decode(), certificate_pem(*chain).decode())


def _standing(credential: Credential, now_ms: int) -> Standing:
    body = _fetched(credential.cloud_url + STANDING_PATH, credential.tls_context(now_ms))
    try:
        return msgspec.json.decode(body, type=Standing)
    except msgspec.MsgspecError as error:
        raise EnrolmentError(f"{credential.cloud_url} does not say who we are: {error}") from error


def _fetched(
    url: str, context: ssl.SSLContext, body: bytes | None = None, headers: dict[str, str] | None = None
) -> bytes:
    request = urllib.request.Request(url, body, headers or {})  # noqa: S310 - https, the token says so
    try:
        with without_redirects(context).open(request, timeout=_TIMEOUT_S) as answer:
            content: bytes = answer.read(ANSWER_BYTES_MAX)
    except urllib.error.HTTPError as error:
        raise EnrolmentError(f"{url} refused: {reason_of(error)}") from error
    except (urllib.error.URLError, HTTPException, OSError) as error:
        raise EnrolmentError(f"cannot reach {url}: {getattr(error, 'reason', error)}") from error
    return content
