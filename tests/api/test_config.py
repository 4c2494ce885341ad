"""The configuration file: what is refused, and with which words."""

from pathlib import Path

import pytest

from cloud.config import (
    DEFAULT_DATABASE_URL,
    Config,
    ConfigError,
    DatabaseConfig,
    Role,
    config_from_toml,
    database_url,
    read_config,
)


def test_an_empty_file_is_one_process_on_sqlite() -> None:
    config = config_from_toml("")

    assert config == Config()
    assert config.role is Role.ALL
    assert database_url(config.database) == DEFAULT_DATABASE_URL


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[http]\nprot = 80", ["prot", "$.http"], id="unknown key"),
        pytest.param("[http]\nport = '80'", ["int", "$.http.port"], id="wrong type"),
        pytest.param("[http]\nport = 65536", ["65536", "0 to 65535", "$.http"], id="port past the last"),
        pytest.param("[http]\npublic_origin = 'gatehouse.example'", ["https://host[:port]"], id="origin"),
        pytest.param("[http]\nshutdown_timeout_s = 301", ["301", "at most 300"], id="patience"),
        pytest.param("role = 'web'", ["'web'", "$.role"], id="unknown role"),
        pytest.param(
            "[database]\nurl = 'sqlite:///a'\nurl_env = 'X'", ["url and url_env"], id="two addresses"
        ),
        pytest.param(
            "[database]\nurl = 'postgresql://u:secret@h/d'", ["url_file"], id="password in the file"
        ),
        pytest.param("[sessions]\nidle_timeout_s = 59", ["59", "60"], id="idle too short"),
        pytest.param("[sessions]\nidle_timeout_s = 43201", ["43201", "43200"], id="idle past absolute"),
        pytest.param("[logs]\nlevel = 'LOUD'", ["LOUD", "DEBUG"], id="level"),
        pytest.param("[logs]\nform = 'xml'", ["xml", "json"], id="form"),
        pytest.param("[http", ["not TOML"], id="not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_was_expected(text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        config_from_toml(text, source="cloud.toml")

    message = str(refused.value)
    assert message.startswith("cloud.toml")
    for word in words:
        assert word in message
    assert "secret" not in message


def test_limits_are_allowed_at_their_ends() -> None:
    text = "[http]\nport = 65535\nshutdown_timeout_s = 300\n[sessions]\nidle_timeout_s = 43200\n"

    config = config_from_toml(text)

    assert config.http.port == 65_535
    assert config.sessions.idle_timeout_s == config.sessions.absolute_timeout_s


def test_the_database_address_is_read_from_the_file_named(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://gatehouse:pw@db/gatehouse\n")

    url = database_url(DatabaseConfig(url_file=str(secret)))

    assert url == "postgresql://gatehouse:pw@db/gatehouse"


def test_an_empty_secret_file_is_refused_by_name(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("\n")

    with pytest.raises(ConfigError, match=f"{secret} is empty"):
        database_url(DatabaseConfig(url_file=str(secret)))


def test_a_missing_secret_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        database_url(DatabaseConfig(url_file=str(tmp_path / "nowhere")))


def test_the_database_address_is_read_from_the_environment() -> None:
    config = DatabaseConfig(url_env="GATEHOUSE_DB")

    assert database_url(config, {"GATEHOUSE_DB": "sqlite:////srv/g.db"}) == "sqlite:////srv/g.db"
    with pytest.raises(ConfigError, match="GATEHOUSE_DB is not set"):
        database_url(config, {})


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.toml"):
        read_config(tmp_path / "no.toml")
