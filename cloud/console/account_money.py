"""An account's money besides its bills: credit and deposits, refunds asked for, who is reached, reminders.

The invariant: a form sent twice is done once: it carries a word of its own that is kept with what it did.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from cloud.console.accounts import find_account_id
from cloud.console.cashier import SOURCE_NAMES
from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.payments import METHOD_NAMES
from cloud.console.typed import BadField, day_of, fen_of
from cloud.domain.access import Action, require
from cloud.domain.dunning import DunningPause
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.ids import AccountId, SiteId
from cloud.domain.notice import Channel, masked
from cloud.domain.payment import FORM_REFERENCE, Method
from cloud.domain.people import Account
from cloud.domain.refund import Deposit, Refund, RefundSource
from cloud.domain.user import Locale, User
from cloud.services import deposits, dunning, idempotency, notices, payments, premises, refunds
from cloud.services.idempotency import Answer
from cloud.store.db import Tx

_FIELDS = (
    "act", "address", "amount", "channel", "contact", "label", "locale", "method", "once", "reason",
    "received_on", "source", "until_on",
)  # fmt: skip
_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class ContactRow:
    """Where the account's people are reached; of the address enough to recognise it."""

    contact_id: str
    channel: str
    address: str
    locale: str


@dataclass(frozen=True, slots=True)
class DepositRow:
    """A deposit that was taken."""

    deposit: Deposit
    method: str


@dataclass(frozen=True, slots=True)
class RefundRow:
    """Money that is to go back, or went."""

    refund: Refund
    source: str
    method: str


@dataclass(frozen=True, slots=True)
class MoneyView:
    """The page. `wrong` is the act that was refused, `error` why."""

    account: Account
    credit_fen: int
    held_fen: int
    deposits: tuple[DepositRow, ...]
    refunds: tuple[RefundRow, ...]
    contacts: tuple[ContactRow, ...]
    pause: DunningPause | None
    methods: tuple[tuple[str, str], ...]
    once: str
    typed: Mapping[str, str]
    wrong: str
    error: str


async def show(desk: Desk) -> web.StreamResponse:
    """Show an account's credit, deposits, refunds, contacts and reminders."""
    return await _page(desk, {}, "")


async def act(desk: Desk) -> web.StreamResponse:
    """Do what one of the forms asks for; what does not fit comes back as it was typed."""
    form = await desk.request.post()
    typed = {name: str(form.get(name, "")).strip()[:_LENGTH_MAX] for name in _FIELDS}
    work = _ACTS.get(typed["act"])
    if work is None:
        raise NotFound(f"there is no act {typed['act']!r}")
    name = desk.request.match_info["account"]
    try:
        await desk.write(_once, desk.site.site_id, name, typed, work, desk.format)
    except (Conflict, Forbidden, Invalid) as error:
        return await _page(desk, typed, str(error), status=422)
    return desk.go(f"/accounts/{name}/money", f"money-{typed['act']}")


async def _page(desk: Desk, typed: Mapping[str, str], error: str, status: int = 200) -> web.Response:
    name = desk.request.match_info["account"]
    view = await desk.read(_view, desk.site.site_id, name, typed, error, desk.format)
    return await desk.page("payments/money.html", status=status, view=view)


def _view(
    tx: Tx, actor: User, site_id: SiteId, name: str, typed: Mapping[str, str], error: str, fmt: Format
) -> MoneyView:
    gettext = fmt.language.gettext
    account_id = find_account_id(tx, actor, site_id, name)
    account, _ = premises.get_account(tx, actor, account_id)
    return MoneyView(
        account,
        payments.credit_of(tx, actor, account_id),
        deposits.held(tx, actor, account_id),
        tuple(
            DepositRow(one, gettext(METHOD_NAMES[one.method]))
            for one in deposits.list_deposits(tx, actor, account_id)
        ),
        tuple(
            RefundRow(one, gettext(SOURCE_NAMES[one.source]), gettext(METHOD_NAMES[one.method]))
            for one in refunds.list_refunds(tx, actor, account.site_id)
            if one.account_id == account_id
        ),
        tuple(
            ContactRow(one.contact_id, one.channel.value, masked(one.channel, one.address), one.locale.value)
            for one in notices.list_contacts(tx, actor, account_id)
        ),
        dunning.pause_of(tx, actor, account_id),
        tuple((method.value, gettext(said)) for method, said in METHOD_NAMES.items()),
        FORM_REFERENCE + secrets.token_hex(8),
        typed,
        typed.get("act", ""),
        error,
    )


def _once(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    name: str,
    typed: Mapping[str, str],
    work: "Act",
    fmt: Format,
) -> None:
    require(actor, Action.READ_LEDGER)
    account_id = find_account_id(tx, actor, site_id, name)
    if not typed["once"].startswith(FORM_REFERENCE):
        raise Invalid("the form is not whole: open the page again")
    digest = hashlib.sha256(repr((account_id, sorted(typed.items()))).encode()).hexdigest()
    if idempotency.begin(tx, actor, typed["once"], digest, is_permanent=True) is not None:
        return

    def done(tx: Tx, actor: User) -> None:
        work(tx, actor, account_id, typed, fmt)

    idempotency.finish(tx, actor, typed["once"], lambda _: Answer(303, b""), done)


def _method(typed: Mapping[str, str], fmt: Format) -> Method:
    try:
        return Method(typed["method"])
    except ValueError as error:
        raise BadField("method", fmt.language.gettext("Choose how the money came in.")) from error


def _take_deposit(tx: Tx, actor: User, account_id: AccountId, typed: Mapping[str, str], fmt: Format) -> None:
    on = day_of(typed["received_on"], fmt)
    amount_fen, method = fen_of(typed["amount"], fmt), _method(typed, fmt)
    deposits.take_deposit(tx, actor, account_id, typed["label"], method, amount_fen, on)


def _use_deposit(tx: Tx, actor: User, account_id: AccountId, typed: Mapping[str, str], fmt: Format) -> None:
    deposits.use_deposit(tx, actor, account_id, fen_of(typed["amount"], fmt), typed["reason"])


def _ask_refund(tx: Tx, actor: User, account_id: AccountId, typed: Mapping[str, str], fmt: Format) -> None:
    source = RefundSource.DEPOSIT if typed["source"] == RefundSource.DEPOSIT.value else RefundSource.CREDIT
    method = _method(typed, fmt)
    refunds.request_refund(
        tx, actor, account_id, source, fen_of(typed["amount"], fmt), method, typed["reason"]
    )


def _pause_reminders(
    tx: Tx, actor: User, account_id: AccountId, typed: Mapping[str, str], fmt: Format
) -> None:
    dunning.pause(tx, actor, account_id, day_of(typed["until_on"], fmt), typed["reason"])


def _add_contact(tx: Tx, actor: User, account_id: AccountId, typed: Mapping[str, str], fmt: Format) -> None:
    del fmt
    channel = Channel.EMAIL if typed["channel"] == Channel.EMAIL.value else Channel.SMS
    locale = Locale.ENGLISH if typed["locale"] == Locale.ENGLISH.value else Locale.CHINESE
    notices.add_contact(tx, actor, account_id, channel, typed["address"], locale)


def _remove_contact(
    tx: Tx, actor: User, account_id: AccountId, typed: Mapping[str, str], fmt: Format
) -> None:
    del fmt
    notices.remove_contact(tx, actor, account_id, typed["contact"])


Act = Callable[[Tx, User, AccountId, Mapping[str, str], Format], None]

_ACTS: Mapping[str, Act] = {
    "contact": _add_contact,
    "contact-gone": _remove_contact,
    "deposit": _take_deposit,
    "deposit-used": _use_deposit,
    "pause": _pause_reminders,
    "refund": _ask_refund,
}
