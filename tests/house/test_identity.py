"""A gateway's token and credential file: exact in form, secret to its owner, safe against a power cut."""

import hashlib
import json
from pathlib import Path

import pytest

from provisioning.identity import (
    Credential,
    IdentityError,
    new_token,
    parse_token,
    read_credential,
    write_credential,
)

GATEWAY = "019309a7-6c1e-7b52-9d2a-4a5b6c7d8e9f"
SECRET = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"  # base64url of the bytes 0 to 31
TOKEN = f"gh1.7.{GATEWAY}.{SECRET}"


def credential(url: str = "https://cloud.example:8443") -> Credential:
    return Credential(url, "gw-1", parse_token(TOKEN))


def test_a_token_names_tenant_and_gateway_and_carries_256_bits() -> None:
    token = new_token(7, GATEWAY, random_bytes=lambda count: bytes(range(count)))

    assert str(token) == TOKEN
    assert parse_token(TOKEN) == token
    assert (token.tenant_id, token.gateway_id) == (7, GATEWAY)


def test_two_tokens_of_one_gateway_differ() -> None:
    assert str(new_token(7, GATEWAY)) != str(new_token(7, GATEWAY))


def test_the_cloud_keeps_only_the_sha_256_of_the_whole_token() -> None:
    token = parse_token(TOKEN)

    assert token.hash() == hashlib.sha256(TOKEN.encode()).hexdigest()
    assert token.matches(token.hash())
    assert not new_token(7, GATEWAY).matches(token.hash())
    assert not parse_token(TOKEN.replace("gh1.7.", "gh1.8.")).matches(token.hash())


def test_a_token_shown_by_a_debugger_or_log_keeps_its_secret() -> None:
    assert SECRET not in repr(parse_token(TOKEN))
    assert SECRET not in repr(credential())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "not a gateway token", id="empty"),
        pytest.param(TOKEN.replace("gh1", "gh2"), "not a gateway token", id="other-version"),
        pytest.param(TOKEN + ".x", "not a gateway token", id="five-parts"),
        pytest.param("gh1." + "9" * 200, "not a gateway token", id="too-long"),
        pytest.param(TOKEN.replace(".7.", ".0."), "tenant id '0'", id="tenant-zero"),
        pytest.param(TOKEN.replace(".7.", ".x."), "tenant id 'x'", id="tenant-letter"),
        pytest.param(TOKEN.replace(GATEWAY, GATEWAY.upper()), "gateway id", id="upper-case-uuid"),
        pytest.param(TOKEN.replace(GATEWAY, "gw-1"), "gateway id 'gw-1'", id="code-for-id"),
        pytest.param(TOKEN[:-1], "42 characters, expected 43", id="secret-cut"),
        pytest.param(TOKEN[:-1] + "+", "its secret", id="secret-not-base64url"),
    ],
)
def test_what_is_not_a_token_is_refused_without_repeating_the_secret(text: str, expected: str) -> None:
    with pytest.raises(IdentityError) as refusal:
        parse_token(text)

    assert expected in str(refusal.value)
    assert SECRET[:-1] not in str(refusal.value)


def test_a_written_credential_reads_back_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "credential.json"

    write_credential(path, credential("http://127.0.0.1:8080"))
    write_credential(path, credential())

    assert read_credential(path) == credential()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["credential.json"]


def test_a_credential_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "credential.json"
    write_credential(path, credential())
    path.chmod(0o640)

    with pytest.raises(IdentityError, match=r"mode 0640: others may read it; run: chmod 600"):
        read_credential(path)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"version": 2}, "version 2, expected 1", id="version"),
        pytest.param({"extra": 1}, "expected the keys", id="unknown-key"),
        pytest.param({"gateway_code": 5}, "gateway_code is not a string", id="type"),
        pytest.param({"token": TOKEN[:-1]}, "expected 43", id="token"),
        pytest.param({"cloud_url": "ftp://x"}, "expected https://host", id="scheme"),
        pytest.param({"cloud_url": "https://x/api"}, "only scheme, host and port", id="path"),
        pytest.param({"cloud_url": "https://me:pw@x"}, "only scheme, host and port", id="user-info"),
        pytest.param({"cloud_url": "https://x:port"}, "cloud URL", id="port"),
    ],
)
def test_a_malformed_credential_names_the_file_and_what_is_wrong(
    tmp_path: Path, change: dict[str, object], expected: str
) -> None:
    path = tmp_path / "credential.json"
    write_credential(path, credential())
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    with pytest.raises(IdentityError) as refusal:
        read_credential(path)

    assert str(path) in str(refusal.value)
    assert expected in str(refusal.value)


def test_a_missing_credential_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match="gatehouse provision gateway"):
        read_credential(tmp_path / "absent.json")


def test_a_credential_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "credential.json"
    write_credential(path, credential())
    blocked = path / "below-a-file.json"

    with pytest.raises(IdentityError, match="below-a-file"):
        write_credential(blocked, credential())

    assert read_credential(path) == credential()
