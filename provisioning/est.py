"""Enrolment over Secure Transport (RFC 7030) as far as a box needs it: its messages and their paths.

`cacerts` tells the roots, `simpleenroll` gives the first certificate for a one-time token (HTTP Basic:
the user is `<tenant id>.<gateway id>`, the password the token's secret), `simplereenroll` the next one to
whoever shows the present one. Another authority that speaks EST can take this one's place.
"""

import base64
import binascii

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from provisioning.authority import AuthorityError

_ROOM = "/.well-known/est"
CACERTS_PATH = f"{_ROOM}/cacerts"
ENROL_PATH = f"{_ROOM}/simpleenroll"
REENROL_PATH = f"{_ROOM}/simplereenroll"
STANDING_PATH = "/gateway/v1/standing"  # not EST: what else a box must know once it is somebody

REQUEST_TYPE = "application/pkcs10"
CERTIFICATES_TYPE = "application/pkcs7-mime"
BODY_BYTES_MAX = 16 * 1024  # a request for a P-256 key has some 300 bytes


class Standing(msgspec.Struct, frozen=True):
    """Who the cloud takes a box for, and what its commands are signed with."""

    gateway_code: str
    site_code: str
    site_name: str
    command_key: str  # 64 hex digits
    server_time_ms: int


def encode_request(request: x509.CertificateSigningRequest) -> bytes:
    """Return a request as it travels: base64 of its DER."""
    return base64.b64encode(request.public_bytes(Encoding.DER))


def decode_request(body: bytes) -> bytes:
    """Return the DER in a request's body; AuthorityError if it is none."""
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise AuthorityError(f"the certificate request is not base64: {error}") from error


def encode_certificates(certificates: list[x509.Certificate]) -> bytes:
    """Return certificates as they travel: base64 of a certs-only PKCS #7."""
    return base64.encodebytes(pkcs7.serialize_certificates(certificates, Encoding.DER))


def decode_certificates(body: bytes) -> list[x509.Certificate]:
    """Return the certificates in an answer; AuthorityError if it is none. PKCS #7 keeps no order."""
    try:
        return pkcs7.load_der_pkcs7_certificates(base64.b64decode(b"".join(body.split()), validate=True))
    except (binascii.Error, ValueError, x509.InvalidVersion) as error:
        raise AuthorityError(f"the answer holds no certificates: {error}") from error


def leaf_first(certificates: list[x509.Certificate]) -> list[x509.Certificate]:
    """Return a chain in the order TLS wants it: the one that certifies no other comes first."""
    issuers = {certificate.issuer for certificate in certificates}
    leaves = [one for one in certificates if one.subject not in issuers]
    if len(leaves) != 1:
        raise AuthorityError(f"the answer holds {len(leaves)} certificates of a box, expected one")
    chain = [leaves[0]]
    while above := next((one for one in certificates if one.subject == chain[-1].issuer), None):
        if above in chain:
            break
        chain.append(above)
    return chain
