"""The shelf of payment providers: one file each, one line here."""

from collections.abc import Mapping
from types import MappingProxyType

from cloud.config import Config, ConfigError
from cloud.domain.payment import Method
from cloud.providers.alipay import Alipay
from cloud.providers.provider import Provider
from cloud.providers.wechat import Wechat

CALLBACK_PATH = "/provider/{method}/callback"


def providers_of(config: Config) -> Mapping[Method, Provider]:
    """Return the providers that are configured; ConfigError names a key file that cannot be used."""
    origin = config.payments.callback_origin or config.http.public_origin

    def callback_url(method: Method) -> str:
        return origin + CALLBACK_PATH.format(method=method.value)

    found: dict[Method, Provider] = {}
    try:
        if config.payments.alipay is not None:
            found[Method.ALIPAY] = Alipay(config.payments.alipay, callback_url(Method.ALIPAY))
        if config.payments.wechat is not None:
            found[Method.WECHAT] = Wechat(config.payments.wechat, callback_url(Method.WECHAT))
    except (
        Exception
    ) as error:  # a library's complaint about a key may be of any kind; it is our configuration's
        raise ConfigError(f"payments: {error}") from error
    return MappingProxyType(found)
