"""The certificate authority of one installation: a root kept away, an intermediate that signs.

The root signs only intermediates and can lie in a safe; its fingerprint is what an enrolment token
carries and what a box pins. The invariants: what a gateway's certificate says comes from here and never
from the request (only its public key is taken); it can only be a client, never an authority; and
an intermediate can sign nothing below itself (RFC 5280 §4.2.1.9, path length 0). The root a box pins
outlives its successor's arrival: the old root signs the new one (`cross_signed`), so a box that was away
still finds its way up to what it knows.

Times are handed in; the caller's clock decides. Keys are P-256, as small boxes handle them quickly.
"""

import datetime
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROOT_LIFE = datetime.timedelta(days=3652)
INTERMEDIATE_LIFE = datetime.timedelta(days=1826)
GATEWAY_LIFE = datetime.timedelta(days=90)
SERVER_LIFE = datetime.timedelta(days=30)  # made anew at every start and every day after
# A box whose clock is a little behind must accept what was signed a moment ago.
BACKDATE = datetime.timedelta(minutes=5)

GATEWAY_URI_PREFIX = "urn:gatehouse:gw:"  # then <tenant id>:<gateway id>
_GATEWAY_URI = re.compile(
    GATEWAY_URI_PREFIX + r"([1-9][0-9]{0,9}):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
)


class AuthorityError(Exception):
    """A request or key this authority does not take."""


@dataclass(frozen=True, slots=True)
class GatewayName:
    """Whom a certificate names: a company's gateway."""

    tenant_id: int
    gateway_id: str  # UUID, lower case with hyphens

    def __str__(self) -> str:
        return f"{self.tenant_id}:{self.gateway_id}"


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certificate that may sign, its key, and the chain above it (nearest first, without the root)."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def new_root(name: str, now: datetime.datetime) -> Issuer:
    """Make a self-signed root. Path length 2: below it its successor, and that one's intermediate."""
    key = new_key()
    subject = _name(name)
    certificate = (
        _builder(subject, subject, key.public_key(), now, ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=2), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Issuer(certificate, key)


def new_intermediate(root: Issuer, name: str, now: datetime.datetime) -> Issuer:
    """Make the authority that works day by day; replacing it needs the root and no box."""
    key = new_key()
    certificate = (
        _builder(_name(name), root.certificate.subject, key.public_key(), now, INTERMEDIATE_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_issued_by(root), critical=False)
        .sign(root.key, hashes.SHA256())
    )
    return Issuer(certificate, key, (certificate,))


def cross_signed(old: Issuer, new: Issuer, now: datetime.datetime) -> x509.Certificate:
    """Return the new root as signed by the old one, for whoever knows only that."""
    public_key = new.key.public_key()
    return (
        _builder(new.certificate.subject, old.certificate.subject, public_key, now, ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(_issued_by(old), critical=False)
        .sign(old.key, hashes.SHA256())
    )


def new_request(key: ec.EllipticCurvePrivateKey) -> x509.CertificateSigningRequest:
    """Return what a box sends: proof that it holds the key, and no wish about anything else."""
    return x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())


def request_from_der(der: bytes) -> tuple[x509.CertificateSigningRequest, ec.EllipticCurvePublicKey]:
    """Return a request and its key, which has signed it; AuthorityError for another kind of key, or none."""
    try:
        request = x509.load_der_x509_csr(der)
        public_key = request.public_key()
        is_signed = request.is_signature_valid
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError, x509.InvalidVersion) as error:
        raise AuthorityError(f"the certificate request cannot be read: {error}") from error
    if not isinstance(public_key, ec.EllipticCurvePublicKey) or public_key.curve.name != "secp256r1":
        raise AuthorityError("the request's key must be P-256")
    if not is_signed:
        raise AuthorityError("the request is not signed by its own key")
    return request, public_key


def gateway_certificate(
    issuer: Issuer,
    name: GatewayName,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
    not_before: datetime.datetime | None = None,
) -> x509.Certificate:
    """Certify a key as a gateway's; of a request nothing but its key is taken.

    `not_before` where it must be later than usual.
    """
    identity = x509.UniformResourceIdentifier(f"{GATEWAY_URI_PREFIX}{name}")
    purpose = ExtendedKeyUsageOID.CLIENT_AUTH
    return _leaf(
        issuer, _name(name.gateway_id), public_key, now, GATEWAY_LIFE, [identity], purpose, not_before
    )


def server_certificate(
    issuer: Issuer,
    names: Sequence[x509.GeneralName],
    public_key: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
) -> x509.Certificate:
    """Certify the cloud's own door under the host names and addresses that boxes reach it by."""
    if not names:
        raise AuthorityError("a server certificate needs at least one host name or address")
    return _leaf(
        issuer, _name("gatehouse cloud"), public_key, now, SERVER_LIFE, names, ExtendedKeyUsageOID.SERVER_AUTH
    )


def gateway_named(certificate: x509.Certificate) -> GatewayName:
    """Return whom a verified certificate names; AuthorityError if it is no gateway's."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise AuthorityError("the certificate names nobody") from error
    return gateway_of_uris(names.get_values_for_type(x509.UniformResourceIdentifier))


def gateway_of_uris(uris: Sequence[str]) -> GatewayName:
    """Return whom the URIs in a certificate's alternative names mean; AuthorityError if no gateway."""
    match = _GATEWAY_URI.fullmatch(uris[0]) if len(uris) == 1 else None
    if match is None:
        raise AuthorityError(f"the certificate is not a gateway's: it names {', '.join(uris) or 'nobody'}")
    return GatewayName(int(match[1]), match[2])


def fingerprint(certificate: x509.Certificate) -> str:
    """Return SHA-256 of the certificate in 64 hex digits: what a token carries and a box pins."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def renewal_due_at(certificate: x509.Certificate) -> datetime.datetime:
    """Return when a box asks for the next certificate: after two thirds of this one's life."""
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return certificate.not_valid_before_utc + life * 2 / 3


def roots_digest(roots: Sequence[x509.Certificate]) -> str:
    """Return one SHA-256 for a set of roots, whatever their order, in 64 hex digits."""
    return hashlib.sha256("".join(sorted(map(fingerprint, roots))).encode()).hexdigest()


def key_fingerprint(public_key: ec.EllipticCurvePublicKey) -> str:
    """Return SHA-256 of a public key in 64 hex digits, by which two requests of one key are known."""
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def public_key_of(pem: str) -> ec.EllipticCurvePublicKey:
    """Return the public key of a gateway's certificate; AuthorityError if there is none of our kind."""
    key = certificates_from_pem(pem.encode())[0].public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise AuthorityError("the certificate's key is not an elliptic-curve key")
    return key


def certificates_from_pem(pem: bytes) -> tuple[x509.Certificate, ...]:
    """Return the certificates in `pem`, in order; AuthorityError if there is none or one cannot be read."""
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except (ValueError, x509.InvalidVersion) as error:
        raise AuthorityError(f"not PEM certificates: {error}") from error


def certificate_pem(*certificates: x509.Certificate) -> bytes:
    """Return certificates as PEM, in order."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def key_pem(key: ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    """Return a key as PKCS#8 PEM, encrypted where a password is given."""
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)


def key_from_pem(pem: bytes, password: bytes | None = None) -> ec.EllipticCurvePrivateKey:
    """Return the key in `pem`; AuthorityError if it is another kind or the password is wrong."""
    try:
        key = load_pem_private_key(pem, password)
    except (TypeError, ValueError) as error:
        raise AuthorityError(f"the key cannot be read: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AuthorityError("the key is not an elliptic-curve key")
    return key


def _leaf(
    issuer: Issuer,
    subject: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
    life: datetime.timedelta,
    names: Sequence[x509.GeneralName],
    purpose: x509.ObjectIdentifier,
    not_before: datetime.datetime | None = None,
) -> x509.Certificate:
    return (
        _builder(subject, issuer.certificate.subject, public_key, now, life, not_before)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(_issued_by(issuer), critical=False)
        .sign(issuer.key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
    life: datetime.timedelta,
    not_before: datetime.datetime | None = None,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before or now - BACKDATE)
        .not_valid_after(now + life)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _issued_by(issuer: Issuer) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
