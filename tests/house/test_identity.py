"""The box's credential file: exact in form, for its owner alone, safe against a power cut."""

import datetime
import json
from dataclasses import replace
from pathlib import Path

import pytest

from provisioning.authority import (
    GatewayName,
    Issuer,
    certificate_pem,
    gateway_certificate,
    key_pem,
    new_intermediate,
    new_key,
    new_root,
)
from provisioning.enrolment_token import EnrolmentToken, new_secret, parse_enrolment_token
from provisioning.identity import Credential, IdentityError, Pair, read_credential, write_credential

NOW = datetime.datetime(2026, 11, 24, 8, tzinfo=datetime.UTC)
NAME = GatewayName(7, "019309a7-6c1e-7b52-9d2a-4a5b6c7d8e9f")
OTHER = GatewayName(7, "019309a7-6c1e-7b52-9d2a-4a5b6c7d8e90")
FINGERPRINT = bytes(range(32)).hex()
TOKEN = (
    f"gatehouse-enrol://cloud.example:8443/7.{NAME.gateway_id}.AAECAwQFBgcICQoLDA0ODw"
    "#AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)


@pytest.fixture(scope="module")
def root() -> Issuer:
    return new_root("root", NOW)


@pytest.fixture(scope="module")
def issuer(root: Issuer) -> Issuer:
    return new_intermediate(root, "issuing", NOW)


def pair(issuer: Issuer, name: GatewayName = NAME) -> Pair:
    key = new_key()
    leaf = gateway_certificate(issuer, name, key.public_key(), NOW)
    return Pair(key_pem(key).decode(), certificate_pem(leaf, *issuer.chain).decode())


@pytest.fixture
def credential(root: Issuer, issuer: Issuer) -> Credential:
    authority = certificate_pem(root.certificate).decode()
    return Credential("https://cloud.example:8443", "gw-1", NAME, "ab" * 32, authority, pair(issuer))


def test_what_was_written_is_read_back(tmp_path: Path, credential: Credential, issuer: Issuer) -> None:
    path = tmp_path / "credential.json"
    full = replace(credential, previous=pair(issuer), next_key_pem="key", lease="lease")

    write_credential(path, credential)
    write_credential(path, full)

    assert read_credential(path) == full
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["credential.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_others_may_read_is_refused(tmp_path: Path, credential: Credential, mode: int) -> None:
    path = tmp_path / "credential.json"
    write_credential(path, credential)
    path.chmod(mode)

    with pytest.raises(IdentityError, match="others may read it; run: chmod 600"):
        read_credential(path)


def test_the_key_is_in_no_message_and_no_representation(credential: Credential) -> None:
    assert credential.pair is not None
    assert "PRIVATE" not in repr(credential)
    assert credential.pair.key_pem not in repr(credential.pair)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"version": 1}, "ask a manager for an enrolment token", id="of-the-time-of-tokens"),
        pytest.param({"surprise": 1}, "missing or unknown keys: surprise", id="unknown-key"),
        pytest.param({"tenant_id": "7"}, "tenant_id is not a number", id="tenant"),
        pytest.param({"lease": None}, "lease is not a string", id="lease"),
        pytest.param({"gateway_id": "x"}, "is not a UUID", id="gateway"),
        pytest.param({"pair": {"key": "x"}}, "a pair has a key and a certificate", id="half-a-pair"),
        pytest.param({"pair": None}, "there is no certificate to show", id="no-pair"),
        pytest.param({"cloud_url": "https://c/x"}, "only scheme, host and port", id="path"),
        pytest.param({"command_key": "xyz"}, "is not 64 hexadecimal digits", id="command-key"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, credential: Credential, change: dict[str, object], expected: str
) -> None:
    path = tmp_path / "credential.json"
    write_credential(path, credential)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    with pytest.raises(IdentityError, match=expected) as refused:
        read_credential(path)

    assert str(path) in str(refused.value)
    assert "PRIVATE" not in str(refused.value)


def test_a_certificate_for_another_key_or_of_another_gateway_is_refused(
    credential: Credential, issuer: Issuer
) -> None:
    one, two = pair(issuer), pair(issuer)

    with pytest.raises(IdentityError, match="is for another key"):
        Pair(one.key_pem, two.certificate_pem)
    with pytest.raises(IdentityError, match="is not gateway"):
        replace(credential, pair=pair(issuer, OTHER))


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match="gatehouse provision enrol"):
        read_credential(tmp_path / "absent.json")


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path, credential: Credential) -> None:
    path = tmp_path / "credential.json"
    write_credential(path, credential)
    blocked = tmp_path / "credential.json" / "below"

    with pytest.raises(IdentityError):
        write_credential(blocked, credential)

    assert read_credential(path) == credential


def test_dates_are_not_checked_by_a_clock_that_is_surely_wrong(credential: Credential) -> None:
    right = credential.tls_context(int(NOW.timestamp() * 1000))
    in_1970 = credential.tls_context(0)

    assert right.verify_flags & 0x200000 == 0
    assert in_1970.verify_flags & 0x200000
    assert in_1970.check_hostname


def test_an_enrolment_token_is_read_as_it_was_written() -> None:
    token = EnrolmentToken("https://cloud.example:8443", NAME, "AAECAwQFBgcICQoLDA0ODw", FINGERPRINT)

    assert str(token) == TOKEN
    assert parse_enrolment_token(f" {TOKEN}\n") == token
    assert token.secret not in repr(token)
    assert len(new_secret()) == 22
    assert new_secret() != new_secret()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "not an enrolment token", id="empty"),
        pytest.param("gh1.7.x.y", "not an enrolment token", id="of-the-time-of-tokens"),
        pytest.param(TOKEN + "A" * 500, "not an enrolment token", id="novel"),
        pytest.param(TOKEN[:60], "cut off or mistyped", id="cut"),
        pytest.param(TOKEN.replace("://", "://["), "cut off or mistyped", id="bracket"),
        pytest.param(TOKEN.replace("/7.", "/0."), "cut off or mistyped", id="tenant"),
        pytest.param(TOKEN.replace("cloud.example", "cloud example"), "cut off or mistyped", id="host"),
        pytest.param(TOKEN.replace(":8443", ":x"), "cut off or mistyped", id="port"),
        pytest.param(TOKEN[:-1], "no fingerprint", id="fingerprint-cut"),
        pytest.param(TOKEN[:-1] + "9", "mistyped", id="not-canonical"),
    ],
)
def test_a_token_that_was_not_copied_whole_is_refused_without_its_secret(text: str, expected: str) -> None:
    with pytest.raises(IdentityError, match=expected) as refused:
        parse_enrolment_token(text)

    assert "AAECAwQFBgcICQoLDA0ODw" not in str(refused.value)
