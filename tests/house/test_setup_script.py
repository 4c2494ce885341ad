"""What pip has been told about indexes and certificates, uv is told too; what uv was told itself wins."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from setup import uv_environment


@pytest.fixture
def pip_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A configuration that counts over the machine's files, without the machine's variables."""
    for variable in list(os.environ):
        if variable.startswith(("PIP_", "UV_")) or variable == "SSL_CERT_FILE":
            monkeypatch.delenv(variable)
    path = tmp_path / "pip.conf"
    path.write_text("")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return path


def test_a_mirror_and_its_certificate_are_handed_on(pip_configuration: Path) -> None:
    pip_configuration.write_text(
        "[global]\n"
        "index-url = https://mirror.example/simple\n"
        "extra-index-url =\n    https://one.example/simple\n    https://two.example/simple\n"
        "cert = /etc/ssl/company.pem\n"
        "[install]\n"
        "trusted-host = mirror.example\n"
    )

    told = uv_environment()

    assert told["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert told["UV_EXTRA_INDEX_URL"].split() == ["https://one.example/simple", "https://two.example/simple"]
    assert told["SSL_CERT_FILE"] == "/etc/ssl/company.pem"
    assert told["UV_INSECURE_HOST"] == "mirror.example"


def test_pips_variables_count_over_its_file(pip_configuration: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip_configuration.write_text("[global]\nindex-url = https://file.example/simple\n")
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.example/simple")

    assert uv_environment()["UV_DEFAULT_INDEX"] == "https://variable.example/simple"


def test_uvs_own_variables_count_over_pips(pip_configuration: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip_configuration.write_text("[global]\nindex-url = https://pip.example/simple\n")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv.example/simple")

    assert uv_environment()["UV_DEFAULT_INDEX"] == "https://uv.example/simple"


@pytest.mark.usefixtures("pip_configuration")
def test_without_any_setting_no_index_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)  # pip then reads no file at all

    told = uv_environment()

    assert not {"UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INSECURE_HOST"} & set(told)
