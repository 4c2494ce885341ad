"""Notices: told once to everybody they are for, by every channel, and never after they stopped being true."""

import asyncio
import email
import email.policy

import pytest

from cloud.config import DEFAULT_TENANT
from cloud.domain.errors import Conflict, Invalid
from cloud.domain.ids import AccountId, NoticeDeliveryId, SiteId
from cloud.domain.notice import Channel, NewNotice, NoticeState, Topic, checked_address
from cloud.domain.user import Locale, system_user
from cloud.domain.user import Role as UserRole
from cloud.notices import texts_of
from cloud.services import notices
from cloud.store import notices as notices_store
from cloud.store import people, premises
from cloud.store.db import Tx
from tests.api.conftest import Cloud
from tests.api.homes import local_ms
from tests.notices.conftest import Mailbox, Provider

SYSTEM = system_user(DEFAULT_TENANT)
OWED = {
    "site": "示例花园", "space": "1-101", "account": "A-00101", "day": "2026-11-23", "amount": "308.40",
    "count": "2", "oldest": "2026-10-15",
}  # fmt: skip


def dunning(account_id: AccountId, key: str = "dunning-1") -> NewNotice:
    return NewNotice(Topic.DUNNING, key, OWED, account_id=account_id, about=f"dunning:{account_id}")


async def site_and_account(cloud: Cloud) -> tuple[SiteId, AccountId]:
    def find(tx):  # type: ignore[no-untyped-def]
        site = premises.list_sites(tx)[0]
        return site.site_id, people.accounts_by_number(tx, site.site_id)["A-00101"].account_id

    return await cloud.database.read(DEFAULT_TENANT, find)


async def delivered(cloud: Cloud, channel: Channel, state: NoticeState) -> None:
    async with asyncio.timeout(20):
        while True:
            page = await cloud.database.read(DEFAULT_TENANT, notices.list_deliveries, SYSTEM)
            if any((one.channel, one.state) == (channel, state) for one in page.items):
                return
            await asyncio.sleep(0.05)


async def test_an_accounts_people_are_told_by_mail_and_short_message_each_in_their_language(
    cloud: Cloud, provider: Provider, mailbox: Mailbox
) -> None:
    _, account_id = await site_and_account(cloud)
    for channel, address, locale in (
        (Channel.EMAIL, "zhang@example.com", Locale.ENGLISH),
        (Channel.SMS, "13800138000", Locale.CHINESE),
    ):
        await cloud.database.write(
            DEFAULT_TENANT, notices.add_contact, SYSTEM, account_id, channel, address, locale
        )

    await cloud.database.write(DEFAULT_TENANT, notices.notify, dunning(account_id))

    _, headers, body = await provider.next()
    assert headers["X-TC-Action"] == "SendSms"
    assert headers["Authorization"].startswith("TC3-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert body["PhoneNumberSet"] == ["+8613800138000"]
    assert body["TemplateId"] == "1110"
    assert body["TemplateParamSet"] == ["1-101", "2026-11-23", "308.40"]
    envelope = await asyncio.wait_for(mailbox.taken.get(), 20)
    assert envelope.rcpt_tos == ["zhang@example.com"]
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert message["subject"] == "[示例花园] 1-101 has overdue charges"
    await delivered(cloud, Channel.SMS, NoticeState.DELIVERED)
    await delivered(cloud, Channel.EMAIL, NoticeState.DELIVERED)


@pytest.mark.parametrize(
    ("channel", "path"),
    [
        (Channel.WECOM, "/cgi-bin/webhook/send?key=abcdefgh-1234"),
        (Channel.DINGTALK, "/robot/send?access_token=abcdef1234567890"),
        (Channel.FEISHU, "/open-apis/bot/v2/hook/abcdef-1234"),
        (Channel.WEBHOOK, "/hook"),
    ],
)
async def test_staff_hear_of_their_topics_in_their_chat(
    cloud: Cloud, provider: Provider, channel: Channel, path: str
) -> None:
    site_id, _ = await site_and_account(cloud)
    await cloud.database.write(
        DEFAULT_TENANT, notices.add_notifier, SYSTEM, "值班群", channel, provider.origin + path,
        [Topic.ALARM], site_id, may_be_private=True,
    )  # fmt: skip
    said = {"site": "示例花园", "message": "3 层烟感报警", "time": "15:00"}

    other = {"site": "-", "number": "1", "state": "-", "title": "-", "note": ""}
    for topic, values in ((Topic.REPAIR, other), (Topic.ALARM, said)):
        new = NewNotice(topic, f"{topic.value}-1", values, site_id=site_id)
        await cloud.database.write(DEFAULT_TENANT, notices.notify, new)

    heard_path, _, body = await provider.next()
    assert heard_path.startswith(path.partition("?")[0])
    assert "3 层烟感报警" in str(body)
    assert provider.heard.empty()


async def test_the_same_key_is_one_notice(cloud: Cloud, provider: Provider) -> None:
    _, account_id = await site_and_account(cloud)
    await cloud.database.write(
        DEFAULT_TENANT, notices.add_contact, SYSTEM, account_id, Channel.SMS, "13800138000"
    )

    first = await cloud.database.write(DEFAULT_TENANT, notices.notify, dunning(account_id))
    again = await cloud.database.write(DEFAULT_TENANT, notices.notify, dunning(account_id))

    assert first is not None
    assert again is None
    await provider.next()
    await delivered(cloud, Channel.SMS, NoticeState.DELIVERED)
    assert provider.heard.empty()


async def test_a_provider_that_is_down_is_tried_again_and_holds_up_no_other(
    cloud: Cloud, provider: Provider, mailbox: Mailbox
) -> None:
    _, account_id = await site_and_account(cloud)
    for channel, address in ((Channel.SMS, "13800138000"), (Channel.EMAIL, "zhang@example.com")):
        await cloud.database.write(DEFAULT_TENANT, notices.add_contact, SYSTEM, account_id, channel, address)
    provider.failing = 1

    await cloud.database.write(DEFAULT_TENANT, notices.notify, dunning(account_id))
    await asyncio.wait_for(mailbox.taken.get(), 20)

    async with asyncio.timeout(20):
        while True:
            page = await cloud.database.read(DEFAULT_TENANT, notices.list_deliveries, SYSTEM)
            (sms,) = [one for one in page.items if one.channel is Channel.SMS]
            if sms.attempts:
                break
            await asyncio.sleep(0.05)
    assert sms.state is NoticeState.PENDING
    assert sms.last_reply.startswith("Tencent Cloud")
    cloud.clock.now_ms += 61_000
    await provider.next()


async def test_what_was_given_up_is_sent_again_when_somebody_says_so(
    cloud: Cloud, provider: Provider
) -> None:
    _, account_id = await site_and_account(cloud)
    phone = "13800138000"
    await cloud.database.write(DEFAULT_TENANT, notices.add_contact, SYSTEM, account_id, Channel.SMS, phone)
    provider.failing = 1
    await cloud.database.write(DEFAULT_TENANT, notices.notify, dunning(account_id))
    async with asyncio.timeout(20):
        while True:
            (sms,) = (await cloud.database.read(DEFAULT_TENANT, notices.list_deliveries, SYSTEM)).items
            if sms.attempts:
                break
            await asyncio.sleep(0.05)
    with pytest.raises(Conflict, match="only what was given up"):
        await cloud.database.write(DEFAULT_TENANT, notices.send_again, SYSTEM, sms.delivery_id)
    await cloud.database.write(DEFAULT_TENANT, _give_up, sms.delivery_id)

    await cloud.database.write(DEFAULT_TENANT, notices.send_again, SYSTEM, sms.delivery_id)

    await provider.next()
    await delivered(cloud, Channel.SMS, NoticeState.DELIVERED)


def _give_up(tx: Tx, delivery_id: NoticeDeliveryId) -> None:
    notices_store.finish_attempt(tx, delivery_id, NoticeState.GIVEN_UP, "out of credit", tx.now_ms)


async def test_what_no_longer_holds_is_not_told(cloud: Cloud, provider: Provider) -> None:
    _, account_id = await site_and_account(cloud)
    await cloud.database.write(
        DEFAULT_TENANT, notices.add_contact, SYSTEM, account_id, Channel.SMS, "13800138000"
    )
    cloud.clock.now_ms = local_ms("2026-11-23 22:30")

    await cloud.database.write(DEFAULT_TENANT, notices.notify, dunning(account_id))
    stopped = await cloud.database.write(DEFAULT_TENANT, notices.withdraw, f"dunning:{account_id}")
    cloud.clock.now_ms = local_ms("2026-11-24 09:00")
    await delivered(cloud, Channel.SMS, NoticeState.WITHDRAWN)

    assert stopped == 1
    assert provider.heard.empty()


async def test_a_resident_reads_their_own_notices_and_no_others(cloud: Cloud) -> None:
    site_id, account_id = await site_and_account(cloud)
    resident = await cloud.add_user("r", UserRole.RESIDENT, (account_id,))
    await cloud.database.write(DEFAULT_TENANT, notices.notify, dunning(account_id))
    values = {"site": "示例花园", "message": "3 层烟感报警", "time": "15:00"}
    await cloud.database.write(
        DEFAULT_TENANT, notices.notify, NewNotice(Topic.ALARM, "alarm-1", values, site_id=site_id)
    )

    listed = await cloud.call(
        "GET", f"/api/v1/notices?site_id={site_id}", token=await cloud.token_of(resident)
    )

    assert [one["title"] for one in listed.json["items"]] == ["[示例花园] 1-101 has overdue charges"]


async def test_addresses_are_masked_where_they_are_listed(cloud: Cloud) -> None:
    _, account_id = await site_and_account(cloud)
    token = await cloud.token_of(await cloud.add_user("boss"))
    path = f"/api/v1/accounts/{account_id}/contacts"

    added = await cloud.call("POST", path, token=token, json={"channel": "sms", "address": "13800138000"})
    listed = await cloud.call("GET", path, token=token)
    removed = await cloud.call("DELETE", f"{path}/{added.json['contact_id']}", token=token)

    assert added.status == 201
    assert [one["address"] for one in listed.json["items"]] == ["138****8000"]
    assert removed.status == 204
    assert (await cloud.call("GET", path, token=token)).json["items"] == []


@pytest.mark.parametrize("topic", list(Topic))
def test_every_language_of_a_topic_asks_for_the_same_values(topic: Topic) -> None:
    texts = texts_of(topic)

    asked = {locale: text.gaps() for locale, text in texts.by_locale.items()}

    assert len(set(asked.values())) == 1, asked
    assert {name for gap in texts.sms for name in gap.split()} <= asked[Locale.CHINESE]


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        (Channel.SMS, "23800138000"),
        (Channel.SMS, "1380013800"),
        (Channel.EMAIL, "office"),
        (Channel.EMAIL, "a@b.c?to=other@example.com"),
        (Channel.WECOM, "ftp://example.com"),
        (Channel.IN_APP, "x"),
    ],
)
def test_an_address_of_another_kind_is_refused(channel: Channel, address: str) -> None:
    with pytest.raises(Invalid):
        checked_address(channel, address)
