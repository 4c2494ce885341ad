"""HTTPS to the cloud: its own certificate for people, the authority's for boxes, and nobody else's."""

import datetime
import ipaddress
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bench.site import PASSWORD, site_document
from edge.cloud_client import CloudClient
from edge.errors import CloudFault
from edge.identity import Identity
from protocol.greeting import Hello, Welcome
from protocol.sync import HELLO_PATH
from provisioning.__main__ import PASSWORD_ENV, provision
from provisioning.identity import IdentityError, read_credential

NOW = datetime.datetime.now(datetime.UTC)
NOW_MS = int(NOW.timestamp() * 1000)


@dataclass(frozen=True)
class Secured:
    """A running cloud and the authorities: its own, and one that has nothing to do with it."""

    url: str
    authority: Path
    stranger: Path


def _certified(
    name: str, issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issued_by, signs = issuer or (subject, key)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issued_by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(hours=1))
        .not_valid_after(NOW + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(address, critical=False)
        .sign(signs, hashes.SHA256())
    )
    return certificate, key


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("tls")
    authority, authority_key = _certified("authority", None)
    stranger, _ = _certified("stranger", None)
    certificate, key = _certified("cloud", (authority.subject, authority_key))
    for name, one in (("authority", authority), ("stranger", stranger), ("cloud", certificate)):
        (folder / f"{name}.pem").write_bytes(one.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "site.json").write_text(json.dumps(json.loads(site_document(gateways=1))))
    config = folder / "cloud.toml"
    config.write_text(
        f'[http]\nport = 0\ntls_certificate_file = "{folder}/cloud.pem"\ntls_key_file = "{folder}/key.pem"\n'
        f'[database]\nurl = "sqlite:///{folder}/cloud.db"\n'
    )
    gatehouse = [sys.executable, "-m", "gatehouse"]
    load = [*gatehouse, "db", "load", "--config", str(config), str(folder / "site.json")]
    subprocess.run(load, check=True, capture_output=True)
    serve = [*gatehouse, "cloud", "serve", "--config", str(config)]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        told = re.search(r"https://\S+", process.stdout.readline())
        assert told
        yield Secured(told[0], folder / "authority.pem", folder / "stranger.pem")
        process.terminate()


def provisioned(secured: Secured, authority: Path, path: Path) -> Result:
    return CliRunner().invoke(
        provision,
        [
            "token", "--cloud", secured.url, "--login", "manager", "--gateway", "gw-0",
            "--authority", str(authority), "--credential", str(path),
        ],
        env={PASSWORD_ENV: PASSWORD},
    )  # fmt: skip


async def test_a_box_is_provisioned_and_greets_over_tls_by_the_authority_it_was_given(
    secured: Secured, tmp_path: Path
) -> None:
    path = tmp_path / "credential.json"
    done = provisioned(secured, secured.authority, path)
    assert done.exit_code == 0, done.output
    hello = Hello("test", "boot", 1, "c", 0, {}, None, 0, 0)

    async with CloudClient(Identity(read_credential(path), NOW_MS)) as client:
        answer = await client.post(
            HELLO_PATH, msgspec.json.encode(hello), {"Content-Type": "application/json"}
        )

    assert msgspec.json.decode(answer, type=Welcome).gateway_code == "gw-0"


def test_a_password_is_not_sent_to_a_cloud_of_another_authority(secured: Secured, tmp_path: Path) -> None:
    done = provisioned(secured, secured.stranger, tmp_path / "credential.json")

    assert done.exit_code == 1
    assert "certificate verify failed" in done.output


@pytest.mark.parametrize("which", ["stranger", "that of the pages"])
async def test_a_box_does_not_speak_to_a_cloud_it_cannot_verify(
    secured: Secured, tmp_path: Path, which: str
) -> None:
    path = tmp_path / "credential.json"
    assert provisioned(secured, secured.authority, path).exit_code == 0
    pem = (secured.stranger if which == "stranger" else secured.authority).read_text()
    doubting = replace(read_credential(path), authority_pem=pem)

    async with CloudClient(Identity(doubting, NOW_MS)) as client:
        with pytest.raises(CloudFault, match="certificate verify failed"):
            await client.post(HELLO_PATH, b"{}", {})


def test_an_authority_that_is_no_certificate_is_refused_by_name(secured: Secured, tmp_path: Path) -> None:
    path = tmp_path / "credential.json"
    assert provisioned(secured, secured.authority, path).exit_code == 0
    known = replace(read_credential(path), authority_pem="BEGIN NOTHING")

    with pytest.raises(IdentityError, match="authority is not a PEM certificate"):
        known.tls_context(NOW_MS)


def test_a_certificate_without_its_key_is_refused_at_the_start(tmp_path: Path) -> None:
    config = tmp_path / "cloud.toml"
    config.write_text('[http]\ntls_certificate_file = "cloud.pem"\n')

    done = subprocess.run(
        [sys.executable, "-m", "gatehouse", "cloud", "serve", "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "tls_certificate_file and tls_key_file are given together" in done.stderr
