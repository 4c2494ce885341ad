"""Revising a tariff: new figures beside the old, what they would cost as they are typed, then a draft.

The invariant: what is saved is a draft and prices nothing until a person puts it in force; what was typed
comes back with what does not fit, figure by figure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.language import mark
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.periods import month_of
from cloud.domain.rating import Customer, total_fen
from cloud.domain.tariff_document import SCHEMA, Confidence, Tariff
from cloud.domain.tariff_revision import Figure, figures_of, parsed, revised, sample_bill
from cloud.domain.user import User
from cloud.services import tariffs
from cloud.store.db import Tx
from cloud.store.tariffs import StoredTariff

# A small, a usual and a large month of each.
_SAMPLES: Mapping[str, tuple[int, int, int]] = {"electricity": (150, 300, 600), "gas": (10, 30, 60)}
_OTHER_SAMPLES = (5, 15, 40)
_AREA, _FIELD_LENGTH_MAX = Decimal(90), 300
_NAMES = {
    "price": mark("Price"),
    "to": mark("Up to"),
    "percent": mark("Percent"),
    "minimum": mark("At least"),
    "maximum": mark("At most"),
    "quantity_factor": mark("Share of the quantity"),
    "times": mark("Times"),
    "value": mark("Value"),
}


@dataclass(frozen=True, slots=True)
class FigureField:
    """A figure with what was typed for it, and what is wrong with that."""

    figure: Figure
    name: str
    typed: str


@dataclass(frozen=True, slots=True)
class ChargeFields:
    """A component's figures."""

    name: str
    fields: tuple[FigureField, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """What a month of some usage costs by both versions."""

    quantity: Decimal
    before_fen: int
    after_fen: int

    @property
    def difference_fen(self) -> int:
        """Return what it would cost more; negative is less."""
        return self.after_fen - self.before_fen


@dataclass(frozen=True, slots=True)
class EditorView:
    """The form and its preview."""

    tariff: Tariff
    charges: tuple[ChargeFields, ...]
    typed: Mapping[str, str]
    samples: tuple[Sample, ...] = ()
    problems: tuple[str, ...] = ()
    confidences: tuple[str, ...] = field(default=tuple(one.value for one in Confidence))


async def show(desk: Desk) -> web.StreamResponse:
    """Show the figures of a version, to be changed."""
    stored = await desk.read(_stored, desk.request.match_info["code"], desk.request.query.get("version", ""))
    first = month_of(desk.format.today).end_on
    typed = {
        "valid_from": first.isoformat(),
        "publisher": "",
        "title": "",
        "found_at": "",
        "confidence": "high",
    }
    return await desk.page("tariffs/editor.html", view=_view(stored, typed, desk.format))


async def preview(desk: Desk) -> web.StreamResponse:
    """Show what the typed figures would cost, or what is wrong with them."""
    stored, typed = await _typed(desk)
    return desk.part("tariffs/preview.html", view=_view(stored, typed, desk.format))


async def save(desk: Desk) -> web.StreamResponse:
    """Keep the typed figures as a draft, or show what is wrong with them."""
    stored, typed = await _typed(desk)
    code = stored.tariff.code
    try:
        version = await desk.write(_save, stored, typed)
    except (Conflict, Invalid):
        view = _view(stored, typed, desk.format, is_saving=True)
        return await desk.page("tariffs/editor.html", status=422, view=view)
    return desk.go(f"/tariffs/{code}?version={version}", "tariff-drafted", code=code, version=str(version))


async def activate(desk: Desk) -> web.StreamResponse:
    """Put a draft in force from its first day."""
    code, version = desk.request.match_info["code"], int(desk.request.match_info["version"])
    await desk.write(tariffs.activate, code, version)
    return desk.go(f"/tariffs/{code}?version={version}", "tariff-active", code=code, version=str(version))


async def retire(desk: Desk) -> web.StreamResponse:
    """Take a version out of use for new bills."""
    code, version = desk.request.match_info["code"], int(desk.request.match_info["version"])
    await desk.write(tariffs.retire, code, version)
    return desk.go(f"/tariffs/{code}?version={version}", "tariff-retired", code=code, version=str(version))


async def _typed(desk: Desk) -> tuple[StoredTariff, dict[str, str]]:
    form = await desk.request.post()
    typed = {name: str(value).strip()[:_FIELD_LENGTH_MAX] for name, value in form.items()}
    stored = await desk.read(_stored, desk.request.match_info["code"], typed.get("version", ""))
    return stored, typed


def _stored(tx: Tx, actor: User, code: str, asked: str) -> StoredTariff:
    versions = [one for one in tariffs.list_tariffs(tx, actor) if one.code == code]
    if not versions:
        raise NotFound(f"there is no tariff {code!r}")
    in_force = [one for one in versions if one.state.value == "active"]
    chosen = next((one for one in versions if str(one.version) == asked), (in_force or versions)[-1])
    return tariffs.get_tariff(tx, actor, code, chosen.version)


def _save(tx: Tx, actor: User, stored: StoredTariff, typed: Mapping[str, str]) -> int:
    own = [one.version for one in tariffs.list_tariffs(tx, actor) if one.code == stored.tariff.code]
    version = _document(stored, typed, max(own) + 1)
    head = ("code", "name_zh", "name_en", "region", "commodity", "customer_class", "currency", "unit")
    whole = {name: version.pop(name) for name in head} | {"schema": SCHEMA}
    version.pop("schema", None)
    body = msgspec.json.encode({**whole, "versions": [version]})
    return tariffs.import_document(tx, actor, body)[0].tariff.version


def _document(stored: StoredTariff, typed: Mapping[str, str], version: int) -> dict[str, Any]:
    source = {name: typed.get(name, "") for name in ("publisher", "title", "found_at")}
    if missing := next((name for name, text in source.items() if not text), None):
        raise Invalid(f"say where the figures are from: {missing} is empty")
    known = {figure.pointer for figure in figures_of(stored.version.document)}
    figures = {name: text for name, text in typed.items() if name in known}
    return revised(
        stored.version.document,
        figures,
        version=version,
        valid_from=typed.get("valid_from", ""),
        source=source,
        confidence=typed.get("confidence", ""),
    )


def _view(
    stored: StoredTariff, typed: Mapping[str, str], fmt: Format, *, is_saving: bool = False
) -> EditorView:
    document = stored.version.document
    charges = tuple(
        ChargeFields(
            _charge_name(charge, fmt),
            tuple(
                FigureField(one, _label(one, fmt), typed.get(one.pointer, one.text))
                for one in figures_of(document)
                if one.charge_no == number
            ),
        )
        for number, charge in enumerate(document["charges"])
    )
    samples: tuple[Sample, ...] = ()
    problems: tuple[str, ...] = ()
    # While the source is not typed yet the figures can be looked at already.
    filled = {"publisher": "-", "title": "-", "found_at": "-"} | {k: v for k, v in typed.items() if v}
    try:
        draft = parsed(_document(stored, filled, stored.tariff.version + 1))
        samples = _samples(stored.tariff, draft)
        if is_saving:
            problems = (fmt.language.gettext("Say where the figures are from."),)
    except Invalid as error:
        problems = tuple(f"{one.pointer}: {one.detail}" for one in error.problems) or (str(error),)
    return EditorView(stored.tariff, charges, typed, samples, problems)


def _samples(before: Tariff, after: Tariff) -> tuple[Sample, ...]:
    month = month_of(max(before.valid_from, after.valid_from, date(2000, 1, 1)) + timedelta(days=31))
    customer = Customer(3, _AREA, share_key="")
    found = []
    for units in _SAMPLES.get(before.commodity, _OTHER_SAMPLES):
        quantity = Decimal(units)
        amounts = [total_fen(sample_bill(_open(one), quantity, month, customer)) for one in (before, after)]
        found.append(Sample(quantity, amounts[0], amounts[1]))
    return tuple(found)


def _open(tariff: Tariff) -> Tariff:
    return replace(tariff, valid_from=date(1990, 1, 1), valid_to=None)


def _label(figure: Figure, fmt: Format) -> str:
    """Return what a figure is: "tier 2 · Price", "season 1 · tier 2 · Up to"."""
    gettext = fmt.language.gettext
    shapes = {"tiers": gettext("tier %(n)s"), "seasons": gettext("season %(n)s")}
    words, parts = figure.place.split(), []
    while words:
        word = words.pop(0)
        parts.append(shapes[word] % {"n": words.pop(0)} if word in shapes and words else word)
    return " · ".join([*parts, gettext(_NAMES[figure.name])])


def _charge_name(charge: Mapping[str, Any], fmt: Format) -> str:
    name = charge.get("name_zh" if fmt.is_chinese else "name_en") or charge["component"].replace("_", " ")
    return str(name)
