"""What the authority certifies: the key, under the name we say, for a client only, and no more."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from provisioning.authority import (
    GATEWAY_LIFE,
    AuthorityError,
    GatewayName,
    Issuer,
    cross_signed,
    fingerprint,
    gateway_certificate,
    gateway_named,
    key_from_pem,
    key_pem,
    new_intermediate,
    new_key,
    new_request,
    new_root,
    renewal_due_at,
    request_from_der,
    server_certificate,
)

NOW = datetime.datetime(2026, 11, 24, 8, tzinfo=datetime.UTC)
GATEWAY = GatewayName(1, "0199a000-0000-7000-8000-000000000001")


@pytest.fixture(scope="module")
def root() -> Issuer:
    return new_root("Gatehouse root", NOW)


@pytest.fixture(scope="module")
def intermediate(root: Issuer) -> Issuer:
    return new_intermediate(root, "Gatehouse gateways 1", NOW)


def verified(root: Issuer, intermediate: Issuer, leaf: x509.Certificate, at: datetime.datetime) -> None:
    builder = PolicyBuilder().store(Store([root.certificate])).time(at)
    builder.build_client_verifier().verify(leaf, list(intermediate.chain))


def test_a_gateway_certificate_verifies_up_to_the_root_and_names_its_gateway(root, intermediate):
    leaf = gateway_certificate(intermediate, GATEWAY, new_key().public_key(), NOW)

    verified(root, intermediate, leaf, NOW)

    assert gateway_named(leaf) == GATEWAY
    assert leaf.not_valid_after_utc == NOW + GATEWAY_LIFE
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_what_a_request_wishes_for_is_ignored(root, intermediate):
    key = new_key()
    greedy = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root of everything")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=3), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier("urn:gatehouse:gw:somebody-else")]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )

    _, public_key = request_from_der(greedy.public_bytes(Encoding.DER))
    leaf = gateway_certificate(intermediate, GATEWAY, public_key, NOW)

    assert gateway_named(leaf) == GATEWAY
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert "everything" not in leaf.subject.rfc4514_string()


@pytest.mark.parametrize(
    "key", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())]
)
def test_only_p256_keys_are_taken(key):
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())

    with pytest.raises(AuthorityError, match="must be P-256"):
        request_from_der(request.public_bytes(Encoding.DER))


def test_a_request_signed_by_another_key_is_refused():
    der = bytearray(new_request(new_key()).public_bytes(Encoding.DER))
    der[-1] ^= 1

    with pytest.raises(AuthorityError, match="not signed by its own key"):
        request_from_der(bytes(der))


@pytest.mark.parametrize(
    "at", [NOW - datetime.timedelta(days=1), NOW + GATEWAY_LIFE + datetime.timedelta(seconds=1)]
)
def test_outside_its_life_a_certificate_does_not_verify(root, intermediate, at):
    leaf = gateway_certificate(intermediate, GATEWAY, new_key().public_key(), NOW)

    with pytest.raises(VerificationError):
        verified(root, intermediate, leaf, at)


def test_a_certificate_of_another_authority_does_not_verify(root, intermediate):
    other = new_intermediate(new_root("Other root", NOW), "Other", NOW)
    leaf = gateway_certificate(other, GATEWAY, new_key().public_key(), NOW)

    with pytest.raises(VerificationError):
        verified(root, other, leaf, NOW)


def test_who_knows_only_the_old_root_still_verifies_what_the_new_one_signed(root):
    successor = new_root("Successor", NOW)
    issuer = new_intermediate(successor, "Gatehouse gateways 2", NOW)
    leaf = gateway_certificate(issuer, GATEWAY, new_key().public_key(), NOW)
    bridge = cross_signed(root, successor, NOW)

    for known in (root, successor):
        verifier = PolicyBuilder().store(Store([known.certificate])).time(NOW).build_client_verifier()
        verifier.verify(leaf, [*issuer.chain, bridge])
    with pytest.raises(VerificationError):
        verified(root, issuer, leaf, NOW)


def test_an_intermediate_cannot_make_another_authority(root, intermediate):
    below = new_intermediate(intermediate, "below", NOW)
    leaf = gateway_certificate(below, GATEWAY, new_key().public_key(), NOW)
    verifier = PolicyBuilder().store(Store([root.certificate])).time(NOW).build_client_verifier()

    with pytest.raises(VerificationError):
        verifier.verify(leaf, [*below.chain, *intermediate.chain])


def test_a_server_certificate_is_no_client_and_names_no_gateway(root, intermediate):
    leaf = server_certificate(intermediate, [x509.DNSName("cloud.example")], new_key().public_key(), NOW)

    with pytest.raises(VerificationError):
        verified(root, intermediate, leaf, NOW)
    with pytest.raises(AuthorityError, match="not a gateway's"):
        gateway_named(leaf)


def test_renewal_is_due_after_two_thirds_of_life(intermediate):
    leaf = gateway_certificate(intermediate, GATEWAY, new_key().public_key(), NOW)

    due = renewal_due_at(leaf)

    assert datetime.timedelta(days=59, hours=23) < due - NOW < datetime.timedelta(days=60)


def test_a_key_survives_its_encrypted_file_and_no_other_password():
    key = new_key()
    pem = key_pem(key, b"correct horse")

    assert key_from_pem(pem, b"correct horse").private_numbers() == key.private_numbers()
    with pytest.raises(AuthorityError, match="cannot be read"):
        key_from_pem(pem, b"wrong")
    assert b"ENCRYPTED" in pem


def test_two_roots_have_two_fingerprints(root):
    assert len(fingerprint(root.certificate)) == 64
    assert fingerprint(root.certificate) != fingerprint(new_root("Gatehouse root", NOW).certificate)
