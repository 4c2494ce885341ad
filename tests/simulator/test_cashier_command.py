"""The stand-in's keys: made once, kept, and what a merchant is told to configure fits the cloud."""

from pathlib import Path

from cloud.config import config_from_toml
from cloud.domain.payment import Method
from cloud.providers import providers_of
from simulator.cashier_command import kept_keys, merchant_config


def test_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    first, again = kept_keys(tmp_path / "cashier"), kept_keys(tmp_path / "cashier")

    assert first.merchant_private() == again.merchant_private()
    assert first.provider_public() == again.provider_public()
    assert first.api_v3 == again.api_v3
    assert (tmp_path / "cashier" / "provider.key").stat().st_mode & 0o077 == 0


def test_the_merchants_configuration_is_one_the_cloud_takes(tmp_path: Path) -> None:
    kept_keys(tmp_path)
    text = '[payments]\ncallback_origin = "http://127.0.0.1:8080"\n\n'

    config = config_from_toml(text + merchant_config(tmp_path, "http://127.0.0.1:8060"))

    assert set(providers_of(config)) == {Method.ALIPAY, Method.WECHAT}
