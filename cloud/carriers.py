"""Carriers of notices: apprise for mail and chat robots, Tencent Cloud for short messages.

The invariant: whatever a provider answers becomes either "taken" or `NotCarried` with a reason that
holds no address and no secret. Their libraries block, so they run on threads; what they may reach is what
was configured or, unless private addresses are allowed, the providers' own hosts.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from urllib.parse import parse_qs, quote, urlsplit

import aiohttp
from aiohttp.resolver import DefaultResolver
from apprise import Apprise, NotifyBase
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sms.v20210111.models import SendSmsRequest
from tencentcloud.sms.v20210111.sms_client import SmsClient

from cloud.config import Notices, Sms, Webhooks
from cloud.domain.errors import GatehouseError
from cloud.domain.notice import Channel, DueNotice
from cloud.domain.user import Locale
from cloud.notices import texts_of
from cloud.webhook_lane import OutsideResolver

CARRIER_TIMEOUT_S = 10
CHINA = "+86"
# Where each chat's robots live; another host is let in only where private addresses are.
ROBOT_HOSTS: Mapping[Channel, tuple[str, ...]] = MappingProxyType(
    {
        Channel.DINGTALK: ("oapi.dingtalk.com",),
        Channel.FEISHU: ("open.feishu.cn", "open.larksuite.com"),
        Channel.WECOM: ("qyapi.weixin.qq.com",),
    }
)


class NotCarried(GatehouseError):
    """A carrier did not take a notice; the message says why as far as it is known."""


class Carriers:
    """Hands notices to whoever carries their channel."""

    def __init__(self, config: Notices, webhooks: Webhooks) -> None:
        self._config = config
        self._allow_private = webhooks.allow_private
        self._client: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Keep a client for plain webhooks for as long as the block lasts."""
        resolver = None if self._allow_private else OutsideResolver(DefaultResolver())
        async with (
            aiohttp.TCPConnector(limit=5, resolver=resolver) as connector,
            aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=CARRIER_TIMEOUT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as self._client,
        ):
            yield

    async def carry(self, due: DueNotice) -> None:
        """Hand a notice over; NotCarried unless the provider took it."""
        match due.channel:
            case Channel.SMS:
                await asyncio.to_thread(self._short_message, due)
            case Channel.WEBHOOK:
                await self._post(due)
            case Channel.EMAIL:
                await asyncio.to_thread(self._by_apprise, due, self._mail(due.address))
            case Channel.DINGTALK | Channel.FEISHU | Channel.WECOM:
                await asyncio.to_thread(self._by_apprise, due, self._robot(due))
            case Channel.IN_APP:
                return  # it is in the console already

    def _by_apprise(self, due: DueNotice, plugin: NotifyBase) -> None:
        # A chat's robot shows no title: it becomes the first line.
        has_title = due.channel is Channel.EMAIL
        body = due.text if has_title else f"{due.title}\n{due.text}"
        if not plugin.notify(body=body, title=due.title if has_title else ""):
            raise NotCarried(f"the {due.channel.value} provider refused it or did not answer")

    def _mail(self, address: str) -> NotifyBase:
        url = _secret(self._config.email_url_file, "notices.email_url_file")
        joint = "&" if "?" in url else "?"
        return _plugin(f"{url}{joint}to={quote(address)}&cto={CARRIER_TIMEOUT_S}&rto={CARRIER_TIMEOUT_S}")

    def _robot(self, due: DueNotice) -> NotifyBase:
        parts = urlsplit(due.address)
        host = parts.hostname or ""
        if host not in ROBOT_HOSTS[due.channel] and not self._allow_private:
            raise NotCarried(f"{host} is not where robots of {due.channel.value} live")
        query = parse_qs(parts.query)
        limits = f"?cto={CARRIER_TIMEOUT_S}&rto={CARRIER_TIMEOUT_S}"
        match due.channel:
            case Channel.WECOM:
                plugin = _plugin(f"wecombot://{_one(query, 'key')}/{limits}")
                _at(plugin, "api_url", due.address)
            case Channel.DINGTALK:
                secret = query.get("secret", [""])[0]
                at = f"{quote(secret)}@" if secret else ""
                plugin = _plugin(f"dingtalk://{at}{_one(query, 'access_token')}/{limits}")
                _at(
                    plugin,
                    "notify_url",
                    f"{parts.scheme}://{parts.netloc}{parts.path}?access_token={{token}}",
                )
            case _:
                folder, _, token = parts.path.rpartition("/")
                plugin = _plugin(f"feishu://{token}/{limits}")
                _at(plugin, "notify_url", f"{parts.scheme}://{parts.netloc}{folder}/{{token}}")
        return plugin

    def _short_message(self, due: DueNotice) -> None:
        sms = self._config.sms
        if sms is None:
            raise NotCarried("short messages are not configured: [notices.sms]")
        template = sms.templates.get(due.topic.value)
        if template is None:
            raise NotCarried(f"no registered text for {due.topic.value}: [notices.sms] templates")
        request = SendSmsRequest()
        request.PhoneNumberSet = [CHINA + due.address]
        request.SmsSdkAppId = sms.app_id
        request.SignName = sms.sign_name
        request.TemplateId = template
        texts = texts_of(due.topic)
        # The texts registered with a carrier are in Chinese, whatever their reader reads elsewhere.
        told = texts.by_locale[Locale.CHINESE].told(due.values)
        request.TemplateParamSet = [
            " ".join(told[name] for name in gap.split() if told[name]) for gap in texts.sms
        ]
        try:
            answer = _sms_client(sms).SendSms(request)
        except TencentCloudSDKException as error:
            raise NotCarried(f"Tencent Cloud: {error.get_code()}: {error.get_message()}") from error
        for status in answer.SendStatusSet or ():
            if status.Code != "Ok":
                raise NotCarried(f"Tencent Cloud: {status.Code}: {status.Message}")

    async def _post(self, due: DueNotice) -> None:
        assert self._client is not None, "a notice is carried while the carriers are open"
        body = {"topic": due.topic.value, "title": due.title, "text": due.text}
        try:
            async with self._client.post(due.address, json=body, allow_redirects=False) as answer:
                if not 200 <= answer.status < 300:
                    raise NotCarried(f"the receiver answered {answer.status}")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NotCarried(type(error).__name__) from error


def _sms_client(sms: Sms) -> SmsClient:
    http = HttpProfile(
        protocol="http" if sms.is_plain_http else "https",
        endpoint=sms.endpoint,
        reqTimeout=CARRIER_TIMEOUT_S,
    )
    credential = Credential(
        _secret(sms.secret_id_file, "notices.sms.secret_id_file"),
        _secret(sms.secret_key_file, "notices.sms.secret_key_file"),
    )
    return SmsClient(credential, sms.region, ClientProfile(httpProfile=http))


def _plugin(url: str) -> NotifyBase:
    plugin = Apprise.instantiate(url, suppress_exceptions=True)
    if plugin is None:
        raise NotCarried("the address is none the provider's library knows")
    return plugin


def _at(plugin: NotifyBase, attribute: str, url: str) -> None:
    """Send to the address that was given: a provider's other region, or a stand-in, is another host."""
    assert hasattr(plugin, attribute), f"apprise's plugin has no {attribute} any more"
    setattr(plugin, attribute, url)


def _one(query: Mapping[str, list[str]], name: str) -> str:
    found = query.get(name)
    if not found or not found[0]:
        raise NotCarried(f"the robot's address has no {name!r}")
    return quote(found[0])


def _secret(path: str, key: str) -> str:
    if not path:
        raise NotCarried(f"{key} is not configured")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NotCarried(f"{key}: {error.strerror}") from error
