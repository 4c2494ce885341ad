"""The master key changed while the cloud runs: what was sealed stays readable, and no key goes too early."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cloud import privacy_key
from cloud.__main__ import cloud as cloud_command
from cloud.config import ConfigError
from cloud.domain.errors import Unavailable
from cloud.domain.ids import TenantId
from cloud.domain.user import system_user
from cloud.services import audit as audit_service
from cloud.services import wrapping
from cloud.store.audit import AuditSearch
from cloud.store.db import Database, Keyring, Tx
from cloud.store.sealing import Damaged, seal, unseal
from tests.databases import OTHER_TENANT, TENANT, FakeClock

_PHONE = "13812348000"


@dataclass(frozen=True, slots=True)
class Installation:
    """A database, the file of its keys, and a process that has run since before anything changed."""

    url: str
    path: Path
    config: Path
    clock: FakeClock
    running: Database

    def run(self, command: str) -> Result:
        """Run one of the commands."""
        return CliRunner().invoke(cloud_command, ["privacy-key", command, "--config", str(self.config)])

    def keys(self) -> tuple[bytes, ...]:
        """Return the keys in the file."""
        return privacy_key.load_or_make(self.path)

    def opens_with(self, tenant_id: TenantId, sealed: bytes, *keys: bytes) -> bool:
        """Tell whether a process begun now with these keys opens a field of a company."""
        begun = Database(self.url, clock=self.clock, keyring=Keyring(*keys))
        try:
            return begun.read_now(tenant_id, _unsealed, sealed) == _PHONE
        except Damaged:
            return False
        finally:
            begun.close()


@pytest.fixture
def installation(
    database: Database, database_url: str, clock: FakeClock, tmp_path: Path
) -> Iterator[Installation]:
    path, config = tmp_path / "keys" / "privacy.key", tmp_path / "cloud.toml"
    path.parent.mkdir()
    config.write_text(
        f'[database]\nurl = "{database_url}"\nallow_superuser = true\n[privacy]\nkey_file = "{path}"\n'
    )
    running = Database(database_url, clock=clock, keyring=privacy_key.keyring_of(path))
    yield Installation(database_url, path, config, clock, running)
    running.close()


def test_a_running_process_opens_and_seals_before_and_after(installation: Installation) -> None:
    running, [former] = installation.running, installation.keys()
    sealed = running.write_now(TENANT, _sealed)

    rotated = installation.run("rotate")
    dropped = installation.run("drop-former")

    assert rotated.exit_code == dropped.exit_code == 0, rotated.output + dropped.output
    assert "1 of 2 companies' keys were wrapped anew" in rotated.output
    [current] = installation.keys()
    assert current != former
    assert running.read_now(TENANT, _unsealed, sealed) == _PHONE
    sealed_first_now = running.write_now(OTHER_TENANT, _sealed)
    for tenant_id, field in ((TENANT, sealed), (OTHER_TENANT, sealed_first_now)):
        assert installation.opens_with(tenant_id, field, current)
        assert not installation.opens_with(tenant_id, field, former)


def test_one_cut_off_goes_on_with_the_same_new_key(installation: Installation) -> None:
    running = installation.running
    fields = {one: running.write_now(one, _sealed) for one in (TENANT, OTHER_TENANT)}
    assert privacy_key.add_key(installation.path)
    assert running.write_now(TENANT, wrapping.wrap_anew, system_user(TENANT))
    both = installation.keys()
    assert all(installation.opens_with(one, field, *both) for one, field in fields.items())

    again = installation.run("rotate")

    assert "Going on" in again.output
    assert "1 of 2 companies' keys were wrapped anew" in again.output
    assert installation.keys() == both
    assert all(installation.opens_with(one, field, both[0]) for one, field in fields.items())


def test_a_former_key_a_company_needs_is_not_dropped(installation: Installation) -> None:
    installation.running.write_now(OTHER_TENANT, _sealed)
    privacy_key.add_key(installation.path)

    refused = installation.run("drop-former")

    assert refused.exit_code == 1
    assert "company two still needs a former key" in refused.output
    assert len(installation.keys()) == 2


def test_a_key_that_opens_with_none_of_the_file_is_told_by_its_company(installation: Installation) -> None:
    sealed = installation.running.write_now(TENANT, _sealed)
    [lost] = installation.keys()
    installation.path.write_text(bytes(32).hex() + "\n")

    refused = installation.run("rotate")

    assert refused.exit_code == 1
    assert "the key of company one opens with no key in" in refused.output
    # The advice helps: with the lost key as a further line it opens, and `rotate` ends what it began.
    installation.path.write_text("".join(f"{key.hex()}\n" for key in (*installation.keys(), lost)))
    assert installation.run("rotate").exit_code == 0
    assert installation.opens_with(TENANT, sealed, installation.keys()[0])


def test_two_do_not_change_the_file_at_once(installation: Installation) -> None:
    [before] = installation.keys()

    with privacy_key.changing(installation.path):
        refused = [installation.run(command) for command in ("rotate", "drop-former")]

    assert [one.exit_code for one in refused] == [1, 1]
    assert all("another command is changing" in one.output for one in refused)
    assert installation.keys() == (before,)


def test_the_file_stays_its_owners_and_leaves_no_other_beside_it(installation: Installation) -> None:
    installation.run("rotate")

    assert installation.path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in installation.path.parent.glob("privacy.key*")] == ["privacy.key"]


def test_a_company_finds_on_its_record_that_its_key_was_wrapped_anew(installation: Installation) -> None:
    installation.running.write_now(TENANT, _sealed)

    installation.run("rotate")

    found = installation.running.read_now(
        TENANT, audit_service.list_entries, system_user(TENANT), AuditSearch(action="wrap_key_anew")
    )
    assert [one.subject_id for one in found.items] == [str(TENANT)]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param("", "is empty, expected 64 hexadecimal digits a line", id="empty"),
        pytest.param("00" * 32 + "\nnot a key\n", "line 2, is not hexadecimal", id="no hexadecimal"),
        pytest.param("00" * 32 + "\n" + "00" * 31, "line 2, has 31 bytes, expected 32", id="short"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "privacy.key"
    path.write_text(content)
    path.chmod(0o600)

    with pytest.raises(ConfigError, match=complaint):
        privacy_key.load_or_make(path)


def _sealed(tx: Tx) -> bytes:
    return seal(tx, "person", "a", "phone", _PHONE)


def _unsealed(tx: Tx, sealed: bytes) -> str:
    return unseal(tx, "person", "a", "phone", sealed)


def test_a_file_that_has_gone_seals_nothing_new_and_opens_what_is_known(installation: Installation) -> None:
    running, _ = installation.running, installation.keys()
    sealed = running.write_now(TENANT, _sealed)
    assert running.read_now(TENANT, _unsealed, sealed) == _PHONE
    installation.path.unlink()

    assert running.read_now(TENANT, _unsealed, sealed) == _PHONE
    with pytest.raises(Unavailable, match=r"privacy\.key cannot be read: .*; put it back from the safe"):
        running.write_now(OTHER_TENANT, _sealed)
