"""Goods release: a home asks, a manager approves, the gate checks the goods and lets them out.

The invariant: who checks out sees the slip and never its code; who guesses codes waits ever longer.
"""

import secrets
from collections.abc import Collection

from cloud.domain.access import Action, may, require, require_account
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.goods import (
    AHEAD_MAX_MS,
    CODE_DIGITS,
    ITEMS_MAX,
    NOTE_LENGTH_MAX,
    OPEN_MAX,
    VALID_MAX_MS,
    GoodsItem,
    GoodsSlip,
)
from cloud.domain.ids import AccountId, GoodsSlipId, SiteId
from cloud.domain.notice import NewNotice, Topic
from cloud.domain.rate_limit import GOODS_CODE_PER_USER
from cloud.domain.user import User
from cloud.services.notices import notify
from cloud.services.premises import site_of
from cloud.services.rate_limits import guess
from cloud.store import audit, goods, people
from cloud.store.db import Database, Tx

_CODES_TRIED = 8
_LISTED_MAX = 200


def ask(
    tx: Tx,
    actor: User,
    account_id: AccountId,
    items: Collection[GoodsItem],
    from_ms: int,
    until_ms: int,
    note: str = "",
) -> GoodsSlip:
    """Ask for goods of a home to be let out within a time; a manager's slip is approved with it."""
    require(actor, Action.ASK_GOODS_RELEASE)
    require_account(actor, account_id)
    account = people.find_account(tx, account_id)
    if account is None or account.closed_on is not None:
        raise NotFound("there is no such account")
    if not 1 <= len(items) <= ITEMS_MAX:
        raise Invalid(f"a slip has 1 to {ITEMS_MAX} items, not {len(items)}")
    if not 0 < until_ms - from_ms <= VALID_MAX_MS:
        raise Invalid("a slip is good for a week at most, and ends after it begins")
    if until_ms <= tx.now_ms or from_ms - tx.now_ms > AHEAD_MAX_MS:
        raise Invalid("goods are let out within the next 30 days")
    if len(note) > NOTE_LENGTH_MAX:
        raise Invalid(f"the note has {len(note)} characters, expected 0 to {NOTE_LENGTH_MAX}")
    if goods.count_open(tx, account_id) >= OPEN_MAX:
        raise Conflict(f"{OPEN_MAX} slips of this home are open already: take one back first")
    slip_id = goods.insert_slip(
        tx, account.site_id, account_id, items, note.strip(), from_ms, until_ms, actor.person_id
    )
    audit.record(tx, actor.user_id, "ask_goods_release", "goods_slip", slip_id)
    if may(actor, Action.APPROVE_GOODS):
        decide(tx, actor, slip_id, is_approved=True)
        return _found(tx, slip_id, is_own=True)
    told = {"title": "goods_asked", "text": f"{account.space_code}: {_listed(items)}"}
    _tell(tx, f"goods:{slip_id}:asked", account.site_id, told, site_id=account.site_id)
    return _found(tx, slip_id, is_own=True)


def decide(tx: Tx, actor: User, slip_id: GoodsSlipId, *, is_approved: bool, refusal: str = "") -> GoodsSlip:
    """Approve a slip, which gives it its code, or refuse it with a reason; its home is told."""
    require(actor, Action.APPROVE_GOODS)
    found = _found(tx, slip_id)
    said = refusal.strip()
    if not is_approved and not 1 <= len(said) <= NOTE_LENGTH_MAX:
        raise Invalid(f"the reason has {len(said)} characters, expected 1 to {NOTE_LENGTH_MAX}")
    code = _free_code(tx, found.site_id) if is_approved else ""
    if not goods.decide(
        tx, slip_id, actor.person_id, is_approved=is_approved, refusal="" if is_approved else said, code=code
    ):
        raise Conflict("this slip was decided already, or taken back")
    word = "approve_goods" if is_approved else "refuse_goods"
    audit.record(tx, actor.user_id, word, "goods_slip", slip_id)
    title = "goods_approved" if is_approved else "goods_refused"
    told = {"title": title, "text": f"{_listed(found.items)} {said}".strip()}
    _tell(tx, f"goods:{slip_id}:decided", found.site_id, told, account_id=found.account_id)
    return _found(tx, slip_id)


def take_back(tx: Tx, actor: User, slip_id: GoodsSlipId) -> None:
    """Take a slip back while its goods are inside; to other homes it does not exist."""
    require(actor, Action.ASK_GOODS_RELEASE)
    found = _found(tx, slip_id)
    require_account(actor, found.account_id)
    if not goods.withdraw(tx, slip_id):
        raise Conflict("the goods are out already, or the slip was taken back")
    audit.record(tx, actor.user_id, "take_back_goods", "goods_slip", slip_id)


def list_slips(tx: Tx, actor: User, site_id: SiteId) -> list[GoodsSlip]:
    """Return a site's slips, the last asked for first, without codes."""
    require(actor, Action.CHECK_OUT_GOODS)
    return goods.slips_of_site(tx, site_of(tx, site_id).site_id, _LISTED_MAX)


def own_slips(tx: Tx, actor: User) -> list[GoodsSlip]:
    """Return the slips of the actor's homes with their codes."""
    require(actor, Action.ASK_GOODS_RELEASE)
    return goods.slips_of_accounts(tx, actor.account_ids, _LISTED_MAX) if actor.account_ids else []


async def look(database: Database, actor: User, site_id: SiteId, code: str) -> GoodsSlip:
    """Return the slip of a code to check the goods against; TooMany for who tries too often."""
    limits = [(GOODS_CODE_PER_USER, actor.user_id)]
    return await guess(
        database,
        actor.tenant_id,
        limits,
        lambda: database.read(actor.tenant_id, by_code, actor, site_id, code),
        NotFound,
    )


async def release_by_code(
    database: Database, actor: User, site_id: SiteId, code: str, gate_note: str = ""
) -> GoodsSlip:
    """Let the goods of a code out, once; TooMany for who tries too often."""
    limits = [(GOODS_CODE_PER_USER, actor.user_id)]
    return await guess(
        database,
        actor.tenant_id,
        limits,
        lambda: database.write(actor.tenant_id, release, actor, site_id, code, gate_note),
        NotFound,
    )


def by_code(tx: Tx, actor: User, site_id: SiteId, code: str) -> GoodsSlip:
    """Return the slip of a code that lets out now; Conflict where it does not."""
    require(actor, Action.CHECK_OUT_GOODS)
    site_of(tx, site_id)
    digits = "".join(sign for sign in code if sign.isdecimal())
    found = goods.find_by_code(tx, site_id, digits) if len(digits) == CODE_DIGITS else None
    if found is None:
        raise NotFound("no approved slip has this code")
    if not found.lets_out_at(tx.now_ms):
        raise Conflict("this slip does not hold now: its time is over, or has not begun")
    return found


def release(tx: Tx, actor: User, site_id: SiteId, code: str, gate_note: str = "") -> GoodsSlip:
    """Let the goods of a code out, once, with what the guard noted."""
    found = by_code(tx, actor, site_id, code)
    if len(gate_note) > NOTE_LENGTH_MAX:
        raise Invalid(f"the note has {len(gate_note)} characters, expected 0 to {NOTE_LENGTH_MAX}")
    if not goods.release(tx, found.slip_id, actor.person_id, gate_note.strip()):
        raise Conflict("the goods are out already, or the slip was taken back")
    audit.record(tx, actor.user_id, "release_goods", "goods_slip", found.slip_id)
    told = {"title": "goods_released", "text": _listed(found.items)}
    _tell(tx, f"goods:{found.slip_id}:released", found.site_id, told, account_id=found.account_id)
    return _found(tx, found.slip_id)


def _free_code(tx: Tx, site_id: SiteId) -> str:
    for _ in range(_CODES_TRIED):
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        if goods.is_code_free(tx, site_id, code):
            return code
    raise Conflict("no free code was found: try again")


def _listed(items: Collection[GoodsItem]) -> str:
    told = "、".join(f"{one.name}×{one.count}" for one in items)
    return told if len(told) <= 120 else f"{told[:119]}…"


def _tell(
    tx: Tx,
    key: str,
    of_site: SiteId,
    told: dict[str, str],
    *,
    account_id: AccountId | None = None,
    site_id: SiteId | None = None,
) -> None:
    values = {"site": site_of(tx, of_site).name, **told}
    # The site's staff are of many roles, and not all of them may open the slips.
    link = "/home/goods" if account_id else ""
    notify(tx, NewNotice(Topic.ANNOUNCEMENT, key, values, account_id=account_id, site_id=site_id, link=link))


def _found(tx: Tx, slip_id: GoodsSlipId, *, is_own: bool = False) -> GoodsSlip:
    found = goods.find_slip(tx, slip_id, is_own=is_own)
    if found is None:
        raise NotFound(f"there is no goods slip {slip_id}")
    return found
