"""Notices: something a person should hear of, by whichever channel reaches them.

The invariant: a notice has a key made by whoever sends it, and the same key is the same notice, told
once. What it says is fixed when it is written down; where it could not be delivered it is tried again,
and a notice that no longer holds is withdrawn before anybody hears of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from cloud.domain.errors import Invalid
from cloud.domain.ids import AccountId, NoticeDeliveryId, NoticeId, NotifierId, SiteId, UserId
from cloud.domain.user import Locale

_MINUTE_MS = 60_000
# At once, then after 1 min, 5 min, 30 min, 2 h, 6 h: a notice that is a day late is given up.
RETRY_AFTER_MS = tuple(minutes * _MINUTE_MS for minutes in (1, 5, 30, 120, 360))
GIVEN_UP_AFTER_MS = 24 * 60 * _MINUTE_MS
KEY_LENGTH_MAX = 200
ADDRESS_LENGTH_MAX = 500
REPLY_LENGTH_MAX = 500


class Channel(Enum):
    """What carries a notice."""

    DINGTALK = "dingtalk"
    EMAIL = "email"
    FEISHU = "feishu"
    IN_APP = "in_app"
    SMS = "sms"
    WEBHOOK = "webhook"
    WECOM = "wecom"

    @property
    def rings(self) -> bool:
        """Tell whether it may wake somebody, so that quiet hours hold for it."""
        return self not in (Channel.IN_APP, Channel.WEBHOOK, Channel.EMAIL)


# A person has a number and a mailbox; a group of staff has a robot in its chat.
PERSONAL_CHANNELS = frozenset({Channel.EMAIL, Channel.SMS})
GROUP_CHANNELS = frozenset(
    {Channel.DINGTALK, Channel.EMAIL, Channel.FEISHU, Channel.SMS, Channel.WEBHOOK, Channel.WECOM}
)


class Topic(Enum):
    """What a notice is about; each has a text in every language (`cloud/notices/`)."""

    ALARM = "alarm"
    ANNOUNCEMENT = "announcement"
    DUNNING = "dunning"
    INVOICE = "invoice"
    PAYMENT = "payment"
    REFUND = "refund"
    REPAIR = "repair"
    TEST = "test"


# What says what a home owes or paid: for those alone who see its bills.
MONEY_TOPICS = frozenset({Topic.DUNNING, Topic.INVOICE, Topic.PAYMENT, Topic.REFUND})


class NoticeState(Enum):
    """Where one delivery of a notice stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
    WITHDRAWN = "withdrawn"  # what it said no longer holds


@dataclass(frozen=True, slots=True)
class NewNotice:
    """What is to be told, and to whom: an account's people, one user, or a site's staff.

    `key` makes it one however often it is sent. `about` groups what can be withdrawn together
    ("dunning:<account>"). `values` fill the topic's text; they are written as everybody reads them.
    """

    topic: Topic
    key: str
    values: Mapping[str, str]
    account_id: AccountId | None = None
    user_id: UserId | None = None
    site_id: SiteId | None = None
    about: str = ""
    link: str = ""
    is_urgent: bool = False

    def __post_init__(self) -> None:
        named = [one for one in (self.account_id, self.user_id, self.site_id) if one is not None]
        if len(named) != 1:
            raise Invalid("a notice is for an account, a user or a site's staff: name exactly one of them")
        if not 0 < len(self.key) <= KEY_LENGTH_MAX:
            raise Invalid(f"a notice's key has 1 to {KEY_LENGTH_MAX} characters, not {len(self.key)}")


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a person can be reached, and in which language; of an account or of a user."""

    contact_id: str
    account_id: AccountId | None
    user_id: UserId | None
    channel: Channel
    address: str = field(repr=False)
    locale: Locale = Locale.CHINESE


@dataclass(frozen=True, slots=True)
class Notifier:
    """Where a site's staff hear of some topics: a robot of their chat, a mailbox, a number on duty."""

    notifier_id: NotifierId
    site_id: SiteId | None
    name: str
    channel: Channel
    address: str = field(repr=False)
    topics: frozenset[Topic] = frozenset()
    locale: Locale = Locale.CHINESE


@dataclass(frozen=True, slots=True)
class ReceivedNotice:
    """A notice as its reader sees it in the console."""

    notice_id: NoticeId
    topic: Topic
    title: str
    text: str
    link: str
    created_at_ms: int
    read_at_ms: int | None


@dataclass(frozen=True, slots=True)
class NoticeDelivery:
    """One delivery and what became of it; the address is masked."""

    delivery_id: NoticeDeliveryId
    topic: Topic
    channel: Channel
    address: str
    title: str
    state: NoticeState
    attempts: int
    created_at_ms: int
    next_attempt_at_ms: int
    finished_at_ms: int | None
    last_reply: str


@dataclass(frozen=True, slots=True)
class DueNotice:
    """A notice to be sent now, and what is needed for it."""

    delivery_id: NoticeDeliveryId
    topic: Topic
    channel: Channel
    address: str = field(repr=False)
    title: str = field(repr=False)
    text: str = field(repr=False)
    values: Mapping[str, str] = field(repr=False, default_factory=lambda: MappingProxyType({}))
    attempts: int = 0
    created_at_ms: int = 0


def next_attempt_ms(attempts: int, created_at_ms: int, now_ms: int) -> int | None:
    """Return when to try again after `attempts` failures, or None to give up."""
    at_ms = now_ms + RETRY_AFTER_MS[min(attempts, len(RETRY_AFTER_MS)) - 1]
    return at_ms if at_ms - created_at_ms <= GIVEN_UP_AFTER_MS else None


def checked_address(channel: Channel, address: str) -> str:
    """Return an address if it is one of its channel; Invalid names what was expected, never the secret."""
    expected = {
        Channel.EMAIL: "a mailbox such as office@example.com",
        Channel.SMS: "a mobile number of 11 digits",
    }.get(channel, "the https address of the group's robot")
    text = address.strip()
    match channel:
        case Channel.EMAIL:
            name, at, host = text.partition("@")
            is_right = bool(name and at and "." in host) and not set(text) & set(" ,;<>?&/\r\n")
        case Channel.SMS:
            is_right = len(text) == 11 and text.isascii() and text.isdecimal() and text[0] == "1"
        case Channel.IN_APP:
            raise Invalid("a notice in the console needs no address")
        case _:
            is_right = text.startswith(("https://", "http://")) and not set(text) & set(" \r\n")
    if not is_right or len(text) > ADDRESS_LENGTH_MAX:
        raise Invalid(f"this is no address of {channel.value}: expected {expected}")
    return text


def masked(channel: Channel, address: str) -> str:
    """Return an address as a list may show it: enough to recognise one's own."""
    match channel:
        case Channel.SMS:
            return f"{address[:3]}****{address[-4:]}"
        case Channel.EMAIL:
            name, _, host = address.partition("@")
            return f"{name[:1]}***@{host}"
        case Channel.IN_APP:
            return ""
        case _:
            return f"{address.partition('?')[0][:24]}…"
