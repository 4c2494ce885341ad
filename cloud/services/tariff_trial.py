"""Trying a tariff out: what a draft would have charged for what was really billed.

The invariant: it prices the very quantities on past invoices, in their order and along the draft's own
ladder, so a draft that equals the tariff in force changes nobody's bill. Nothing is written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from cloud.domain.access import Action, require
from cloud.domain.errors import Invalid, NotFound
from cloud.domain.ids import AccountId, SiteId
from cloud.domain.periods import ServicePeriod
from cloud.domain.rating import Customer, SliceUsage, asks_periods, plan, rate, share_by_days, total_fen
from cloud.domain.tariff import PastUsage
from cloud.domain.tariff_document import Tariff
from cloud.domain.user import User
from cloud.services.premises import site_of
from cloud.store import tariffs, trial_usage
from cloud.store.db import Tx
from cloud.store.trial_usage import BilledService

# How much more or less somebody pays, in fen a year, at which a bucket of the distribution begins.
BUCKETS_FEN = (-100_000, -10_000, -1_000, 0, 1, 1_000, 10_000, 100_000)


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One account: what it was charged, and what it would have been."""

    account_id: AccountId
    account_number: str
    billed_fen: int
    trial_fen: int

    @property
    def difference_fen(self) -> int:
        """Return what it would pay more; negative is less."""
        return self.trial_fen - self.billed_fen


@dataclass(frozen=True, slots=True)
class Trial:
    """What a draft comes to, account by account, those who would pay most more first.

    `not_rated` names the accounts the draft could not price, with the reason.
    """

    rows: tuple[TrialRow, ...]
    not_rated: Mapping[str, str]

    @property
    def billed_fen(self) -> int:
        """Return what was charged in all."""
        return sum(row.billed_fen for row in self.rows)

    @property
    def trial_fen(self) -> int:
        """Return what would have been charged in all."""
        return sum(row.trial_fen for row in self.rows)

    def distribution(self) -> list[tuple[int | None, int]]:
        """Return (fen from which on a bucket begins, accounts in it); None begins the lowest."""
        edges: list[int | None] = [None, *BUCKETS_FEN]
        counts = [0] * len(edges)
        for row in self.rows:
            index = sum(1 for edge in BUCKETS_FEN if row.difference_fen >= edge)
            counts[index] += 1
        return list(zip(edges, counts, strict=True))


def try_tariff(
    tx: Tx, actor: User, code: str, version: int, replaces: str, site_id: SiteId, dates: ServicePeriod
) -> Trial:
    """Price what a site was billed by tariff `replaces` within some dates by one version of another.

    The version is taken as if it had been in force on all those days, draft or not.
    """
    require(actor, Action.MANAGE_TARIFFS)
    found = tariffs.find_version(tx, code, version)
    if found is None:
        raise NotFound(f"there is no tariff {code!r} version {version}")
    draft = trial_usage.always_in_force(found.version.tariff)
    if asks_periods(draft):
        raise Invalid(f"tariff {code!r} prices by time of use; past invoices do not have every account's")
    billed = trial_usage.billed_services(tx, site_of(tx, site_id).site_id, replaces, dates)
    rows: list[TrialRow] = []
    not_rated: dict[str, str] = {}
    by_account: dict[AccountId, list[BilledService]] = {}
    for one in billed:
        by_account.setdefault(one.account_id, []).append(one)
    for account_id, services in by_account.items():
        number = services[0].account_number
        try:
            trial_fen = _price(draft, services)
        except Invalid as error:
            not_rated[number] = str(error)
            continue
        rows.append(TrialRow(account_id, number, sum(one.billed_fen for one in services), trial_fen))
    ordered = sorted(rows, key=lambda row: (-row.difference_fen, row.account_number))
    return Trial(tuple(ordered), not_rated)


def _price(draft: Tariff, services: Sequence[BilledService]) -> int:
    """Price an account's services, each service point along its own ladder from the first of them on."""
    total = 0
    by_point = sorted(services, key=lambda one: (one.service_point_id, one.dates.start_on))
    for _, group in groupby(by_point, key=lambda one: one.service_point_id):
        history: list[PastUsage] = []
        for one in group:
            planned = plan([draft], one.dates)
            used: Iterable[SliceUsage] = share_by_days(one.quantity, [part.dates for part in planned])
            customer = Customer(one.household_size, one.area_m2)
            total += total_fen(rate(planned, list(used), customer, history))
            history.append(PastUsage(one.dates, one.quantity))
    return total
