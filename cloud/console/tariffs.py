"""The tariffs: what is charged, from when, by whose word, drawn as steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.domain.errors import NotFound
from cloud.domain.ladder import Cycle, Ladder
from cloud.domain.money import plain
from cloud.domain.tariff import ChargeRule
from cloud.domain.tariff_document import Tariff
from cloud.domain.tariffs.flat import Flat
from cloud.domain.tariffs.tiered import Tier, Tiered
from cloud.domain.user import User
from cloud.services import tariffs
from cloud.store.db import Tx
from cloud.store.tariffs import TariffState, TariffSummary

_WIDTH = 700.0
_BASE = 150.0
_HEIGHT_MAX = 110.0
# How much of an open last tier is drawn beside the ones with an end.
_OPEN_SHARE = Decimal("0.22")


@dataclass(frozen=True, slots=True)
class TariffRow:
    """One version in the list."""

    code: str
    version: int
    name_zh: str
    name_en: str
    commodity_name: str
    valid_from: date
    valid_to: date | None
    state: str
    confidence: str


@dataclass(frozen=True, slots=True)
class TariffsView:
    """The list of tariffs."""

    rows: tuple[TariffRow, ...]
    active: int


@dataclass(frozen=True, slots=True)
class PriceStep:
    """One tier drawn: width is quantity, height is price."""

    number: int
    upper: Decimal | None
    price: Decimal
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class ChargeView:
    """One component of the tariff."""

    name: str
    note: str
    unit: str
    cycle: str
    steps: tuple[PriceStep, ...]
    facts: tuple[tuple[str, str], ...]
    base: float
    height: float


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version in the list beside a tariff."""

    version: int
    valid_from: date
    valid_to: date | None
    state: str


@dataclass(frozen=True, slots=True)
class TariffView:
    """One version's page."""

    tariff: Tariff
    state: str
    charges: tuple[ChargeView, ...]
    versions: tuple[VersionLine, ...]


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show every version of every tariff."""
    found = await desk.read(tariffs.list_tariffs)
    rows = tuple(_row(summary, desk.format) for summary in found)
    view = TariffsView(rows, sum(summary.state is TariffState.ACTIVE for summary in found))
    return await desk.page("tariffs/list.html", view=view)


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one version of a tariff: the one in force unless asked for another."""
    asked = desk.request.query.get("version", "")
    view = await desk.read(_tariff, desk.request.match_info["code"], asked, desk.format)
    return await desk.page("tariffs/tariff.html", view=view)


def _row(summary: TariffSummary, fmt: Format) -> TariffRow:
    return TariffRow(
        summary.code,
        summary.version,
        summary.name_zh,
        summary.name_en,
        commodity_name(summary.commodity, fmt),
        summary.valid_from,
        summary.valid_to,
        summary.state.value,
        summary.confidence,
    )


def commodity_name(commodity: str, fmt: Format) -> str:
    """Return what is charged for, in the reader's language."""
    gettext = fmt.language.gettext
    known = {
        "electricity": gettext("electricity"),
        "gas": gettext("gas"),
        "heat": gettext("heat"),
        "hot_water": gettext("hot water"),
        "opening": gettext("arrears taken over"),
        "parking": gettext("parking"),
        "property": gettext("property fee"),
        "refuse": gettext("refuse"),
        "sewage": gettext("sewage"),
        "water": gettext("water"),
    }
    return known.get(commodity, commodity)


def charge_name(code: str, fmt: Format) -> str:
    """Return what a bill calls a kind of charge, in the reader's language."""
    gettext = fmt.language.gettext
    known = {"electricity": gettext("Electricity bill"), "water": gettext("Water bill")}
    return known.get(code) or commodity_name(code, fmt)


def _tariff(tx: Tx, actor: User, code: str, asked: str, fmt: Format) -> TariffView:
    versions = [one for one in tariffs.list_tariffs(tx, actor) if one.code == code]
    if not versions:
        raise NotFound(f"there is no tariff {code!r}")
    in_force = [one for one in versions if one.state is TariffState.ACTIVE]
    chosen = next((one for one in versions if str(one.version) == asked), (in_force or versions)[-1])
    stored = tariffs.get_tariff(tx, actor, code, chosen.version)
    return TariffView(
        stored.tariff,
        stored.state.value,
        tuple(_charge(rule, stored.tariff.unit, fmt) for rule in stored.tariff.charges),
        tuple(VersionLine(one.version, one.valid_from, one.valid_to, one.state.value) for one in versions),
    )


def _charge(rule: ChargeRule, unit: str, fmt: Format) -> ChargeView:
    name = getattr(rule, "name_zh" if fmt.is_chinese else "name_en", "") or rule.component.replace("_", " ")
    gettext = fmt.language.gettext
    if isinstance(rule, Tiered):
        return _tiered(rule, name, unit, fmt)
    if isinstance(rule, Flat):
        facts = [(gettext("Price"), fmt.price(rule.price.value, unit))]
        if rule.quantity_factor != 1:
            facts.append((gettext("Share of the quantity"), fmt.percent(rule.quantity_factor)))
        return ChargeView(name, gettext("one price"), unit, "", (), tuple(facts), 0, 0)
    kind = type(rule).__name__.lower()
    return ChargeView(name, kind, unit, "", (), ((gettext("Kind"), kind),), 0, 0)


def _tiered(rule: Tiered, name: str, unit: str, fmt: Format) -> ChargeView:
    gettext = fmt.language.gettext
    ladder = rule.ladder
    is_yearly = ladder.cycle is Cycle.YEAR
    tiers = rule.tiers or rule.seasons[0].tiers
    note = (
        gettext("tiers over a year from %s") % ladder.year_start if is_yearly else gettext("tiers each bill")
    )
    cycle = gettext("a year") if is_yearly else gettext("a bill")
    facts = tuple(_household_facts(ladder, unit, fmt))
    return ChargeView(name, note, unit, cycle, _steps(tiers), facts, _BASE, _BASE + 24)


def _household_facts(ladder: Ladder, unit: str, fmt: Format) -> list[tuple[str, str]]:
    household = ladder.household
    if household is None:
        return []
    gettext = fmt.language.gettext
    shape = (
        gettext("each bound wider by %s")
        if household.add
        else gettext("each bound wider by %s a person more")
    )
    moved = household.add or household.add_per_person
    amounts = " / ".join(f"{plain(amount)} {fmt.unit(unit)}" for amount in moved)
    return [(gettext("From %s persons") % household.from_persons, shape % amounts)]


def _steps(tiers: Sequence[Tier]) -> tuple[PriceStep, ...]:
    dearest = max(tier.price.value for tier in tiers)
    last = max((tier.to for tier in tiers if tier.to is not None), default=Decimal(1))
    whole = last * (1 + _OPEN_SHARE)
    steps = []
    lower = Decimal(0)
    for number, tier in enumerate(tiers, start=1):
        upper = whole if tier.to is None else tier.to
        x, right = float(lower / whole) * _WIDTH, float(upper / whole) * _WIDTH
        height = float(tier.price.value / dearest) * _HEIGHT_MAX if dearest else 0.0
        steps.append(
            PriceStep(number, tier.to, tier.price.value, x, _BASE - height, max(1.0, right - x - 1), height)
        )
        lower = upper
    return tuple(steps)
