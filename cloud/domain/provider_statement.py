"""A payment provider's daily bill (渠道对账单), beside what we booked: WeChat Pay's and Alipay's own files.

The invariant: every row of the provider's bill and every payment and refund of ours that day is in exactly
one result; money is compared to the fen, and nothing is booked here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import Enum
from types import MappingProxyType

from cloud.domain.errors import Invalid
from cloud.domain.payment import Method


class Direction(Enum):
    """Which way money went."""

    IN = "in"
    OUT = "out"  # a refund


class Match(Enum):
    """How a row of the provider's bill and our books compare."""

    MATCHED = "matched"
    AMOUNT = "amount"  # both know it, over different amounts
    MISSING_HERE = "missing_here"  # the provider has the money, and nothing is booked
    MISSING_THERE = "missing_there"  # booked here, and the provider does not tell of it
    ELSEWHERE = "elsewhere"  # of another site of the same merchant


MATCH_NAMES: Mapping[Match, tuple[str, str]] = MappingProxyType(
    {
        Match.AMOUNT: ("金额不符", "another amount"),
        Match.MISSING_HERE: ("本系统没有", "missing here"),
        Match.MISSING_THERE: ("渠道没有", "missing there"),
        Match.MATCHED: ("一致", "matched"),
        Match.ELSEWHERE: ("其他项目", "of another site"),
    }
)


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that moved, by whoever tells of it.

    `reference` is the provider's own number of a payment, and our number of a refund: what both sides know.
    """

    direction: Direction
    reference: str
    order_number: str
    amount_fen: int
    said_at: str = ""

    @property
    def signed_fen(self) -> int:
        """Return the amount, negative where it went out."""
        return self.amount_fen if self.direction is Direction.IN else -self.amount_fen


@dataclass(frozen=True, slots=True)
class Booked:
    """Money as we booked it: our receipt's or refund's number, and whose account it was."""

    movement: Movement
    number: str
    account_number: str


@dataclass(frozen=True, slots=True)
class Matched:
    """One row of the comparison."""

    match: Match
    theirs: Movement | None
    ours: Booked | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A day of a provider: theirs, ours, and how they compare."""

    method: Method
    on: date
    rows: tuple[Matched, ...]

    @property
    def counts(self) -> Mapping[Match, int]:
        """Return how many rows compare in each way; every one is in it."""
        counted = dict.fromkeys(Match, 0)
        for row in self.rows:
            counted[row.match] += 1
        return counted

    @property
    def theirs_fen(self) -> int:
        """Return what the provider tells of, refunds counted against it."""
        return sum(row.theirs.signed_fen for row in self.rows if row.theirs is not None)

    @property
    def ours_fen(self) -> int:
        """Return what we booked, refunds counted against it."""
        return sum(row.ours.movement.signed_fen for row in self.rows if row.ours is not None)


@dataclass(frozen=True, slots=True)
class _Titles:
    """How a provider calls the columns that matter."""

    paid_at: str
    reference: str
    order_number: str
    kind: str
    amount: str
    refund_number: str
    refund_amount: str


# WeChat Pay, 下载交易账单 (ALL); a refund's row repeats the payment it belongs to.
_WECHAT = _Titles("交易时间", "微信订单号", "商户订单号", "交易状态", "订单金额", "商户退款单号", "退款金额")
# Alipay, 业务明细; a refund's amount is negative, and its number is that of the request.
_ALIPAY = _Titles(
    "完成时间",
    "支付宝交易号",
    "商户订单号",
    "业务类型",
    "订单金额（元）",
    "退款批次号/请求号",
    "订单金额（元）",
)
_TITLES: Mapping[Method, _Titles] = MappingProxyType({Method.WECHAT: _WECHAT, Method.ALIPAY: _ALIPAY})
_REFUNDS = frozenset({"REFUND", "退款"})


def movements_of(method: Method, rows: Iterable[Sequence[object]]) -> list[Movement]:
    """Return what a provider's bill tells of; Invalid where it is none of that provider's.

    Rows above the titles, and the summary below the last transaction, are passed over.
    """
    titles = _TITLES.get(method)
    if titles is None:
        raise Invalid(f"{method.value} has no bill of a provider: it is counted at the desk")
    found: list[Movement] = []
    columns: dict[str, int] = {}
    for line, row in enumerate(rows, start=1):
        cells = [_text(cell) for cell in row]
        if not columns:
            if titles.reference in cells and titles.order_number in cells:
                columns = {title: place for place, title in enumerate(cells)}
                _require(columns, titles, method)
            continue
        reference = _at(cells, columns[titles.reference])
        if not reference.isdecimal():
            break  # the summary begins
        found.append(_movement(cells, columns, titles, reference, line))
    if not columns:
        raise Invalid(f"this is no bill of {method.value}: it has no column {titles.reference!r}")
    return found


def compare(
    method: Method,
    on: date,
    theirs: Sequence[Movement],
    ours: Sequence[Booked],
    elsewhere: Iterable[str] = (),
) -> Comparison:
    """Hold a provider's bill and our books beside each other, what needs a person first."""
    others = frozenset(elsewhere)
    known = {(one.movement.direction, one.movement.reference): one for one in ours}
    rows = []
    for moved in theirs:
        booked = known.pop((moved.direction, moved.reference), None)
        if booked is not None:
            same = booked.movement.amount_fen == moved.amount_fen
            rows.append(Matched(Match.MATCHED if same else Match.AMOUNT, moved, booked))
        elif moved.reference in others:
            rows.append(Matched(Match.ELSEWHERE, moved, None))
        else:
            rows.append(Matched(Match.MISSING_HERE, moved, None))
    rows += [Matched(Match.MISSING_THERE, None, one) for one in known.values()]
    order = list(MATCH_NAMES)
    return Comparison(method, on, tuple(sorted(rows, key=lambda row: order.index(row.match))))


def _movement(
    cells: Sequence[str], columns: Mapping[str, int], titles: _Titles, reference: str, line: int
) -> Movement:
    is_refund = _at(cells, columns[titles.kind]) in _REFUNDS
    amount = titles.refund_amount if is_refund else titles.amount
    said = _at(cells, columns[amount])
    try:
        fen = abs(Decimal(said.replace(",", "")) * 100)
    except InvalidOperation as error:
        raise Invalid(f"row {line}: {amount} is {said!r}, expected an amount such as 136.20") from error
    if fen != fen.to_integral_value():
        raise Invalid(f"row {line}: {amount} is {said!r}, expected two decimals at most")
    return Movement(
        Direction.OUT if is_refund else Direction.IN,
        _at(cells, columns[titles.refund_number]) if is_refund else reference,
        _at(cells, columns[titles.order_number]),
        int(fen),
        _at(cells, columns[titles.paid_at]),
    )


def _require(columns: Mapping[str, int], titles: _Titles, method: Method) -> None:
    needed = (titles.paid_at, titles.kind, titles.amount, titles.refund_number, titles.refund_amount)
    for title in needed:
        if title not in columns:
            raise Invalid(f"this is no bill of {method.value}: it has no column {title!r}")


def _text(cell: object) -> str:
    """Return a cell without what providers put around numbers so that spreadsheets leave them alone."""
    return "" if cell is None else str(cell).strip().lstrip("`").strip()


def _at(cells: Sequence[str], place: int) -> str:
    return cells[place] if place < len(cells) else ""
