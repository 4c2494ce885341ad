"""Tariffs as documents: JSON that people write, parsed once and strictly into values.

A document holds one tariff in its dated versions, each with the source it was taken from and how far
that is to be trusted. The invariant: a `Tariff` that exists can price any usage on any day of its
validity; a document in which something is missing, contradictory or misspelt is refused with every
fault named by a JSON pointer.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from cloud.domain.errors import Invalid, Problem
from cloud.domain.money import ROUNDINGS, Currency, Rounding, UnitPrice, decimal
from cloud.domain.tariff import ChargeRule
from cloud.domain.tariffs import TARIFFS

SCHEMA = 1
# A tariff file of a city has a few kilobytes; a hundred times that is not a tariff.
DOCUMENT_BYTES_MAX = 512 * 1024

COMMODITIES = (
    "electricity", "gas", "heat", "hot_water", "opening", "parking", "property", "refuse", "sewage", "water",
)  # fmt: skip

_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_COMPONENT = re.compile(r"[a-z][a-z0-9_]*")
_PATH = re.compile(r" - at `\$([^`]*)`$")
_PATH_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


class Confidence(Enum):
    """How far a tariff's figures are to be trusted."""

    HIGH = "high"  # the official text was seen
    MEDIUM = "medium"  # several secondary sources agree
    LOW = "low"  # one secondary source


class ChangeSplit(Enum):
    """How usage is divided where the price changes inside a period."""

    DAYS = "days"  # by days, as Beijing's waterworks does for meters read once a month
    READING = "reading"  # by the reading at the change, by days only where there is none


class Source(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a version's figures were read."""

    publisher: str
    title: str
    found_at: str
    date: str | None = None
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Tariff:
    """One version of a tariff: valid on `[valid_from, valid_to)`, ready to price."""

    code: str
    version: int
    name_zh: str
    name_en: str
    region: str
    commodity: str
    customer_class: str
    currency: Currency
    unit: str
    valid_from: date
    valid_to: date | None
    confidence: Confidence
    sources: tuple[Source, ...]
    rounding: Rounding
    change_split: ChangeSplit
    charges: tuple[ChargeRule, ...]
    contradictions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def is_valid_on(self, on: date) -> bool:
        """Tell whether it is in force on a day."""
        return self.valid_from <= on and (self.valid_to is None or on < self.valid_to)


@dataclass(frozen=True, slots=True)
class TariffVersion:
    """A parsed version with the JSON it came from, which is what is stored and shown."""

    tariff: Tariff
    document: Mapping[str, Any]


class _Version(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    version: int
    valid_from: date
    valid_to: date | None
    confidence: Confidence
    sources: tuple[Source, ...]
    charges: list[dict[str, Any]]
    rounding: str = "half_up_line"
    rounding_step: int = 1
    change_split: ChangeSplit = ChangeSplit.READING
    contradictions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class _Head(Struct, frozen=True, kw_only=True):
    schema: int
    code: str
    name_zh: str
    name_en: str
    region: str
    commodity: str
    customer_class: str
    currency: str
    unit: str


class _Document(_Head, frozen=True, forbid_unknown_fields=True, kw_only=True):
    versions: list[dict[str, Any]]
    about: str | UnsetType = UNSET


# Numbers stay digits as written: 0.10 is not the float nearest to it.
_decoder = msgspec.json.Decoder(float_hook=decimal)


def parse_document(body: bytes) -> list[TariffVersion]:
    """Return the versions of a tariff file in order of time; Invalid lists everything wrong with it."""
    if len(body) > DOCUMENT_BYTES_MAX:
        raise Invalid(f"a tariff document has at most {DOCUMENT_BYTES_MAX} bytes, this one has {len(body)}")
    try:
        raw = _decoder.decode(body)
        document = msgspec.convert(raw, _Document, dec_hook=_decode_own)
    except msgspec.DecodeError as error:
        raise Invalid("the tariff document cannot be read", [_problem("", error)]) from error
    problems = _head_problems(document)
    versions: list[TariffVersion] = []
    head = {key: value for key, value in raw.items() if key not in ("versions", "about")}
    for index, version in enumerate(document.versions):
        try:
            versions.append(parse_version({**head, **version}, pointer=f"/versions/{index}"))
        except Invalid as error:
            problems.extend(error.problems)
    if not document.versions:
        problems.append(Problem("/versions", "a tariff has at least one version"))
    if not problems:
        problems = _sequence_problems([version.tariff for version in versions])
    if problems:
        raise Invalid(f"tariff {document.code!r} has {len(problems)} fault(s)", problems)
    return versions


def parse_version(document: Mapping[str, Any], pointer: str = "") -> TariffVersion:
    """Return one version from its JSON object, as stored; Invalid lists everything wrong with it."""
    own = {key: value for key, value in document.items() if key not in _Head.__struct_fields__}
    try:
        head = msgspec.convert(document, _Head)
        version = msgspec.convert(own, _Version, dec_hook=_decode_own)
    except msgspec.ValidationError as error:
        raise Invalid("the tariff version cannot be read", [_problem(pointer, error)]) from error
    problems = _version_problems(version, pointer)
    charges: list[ChargeRule] = []
    for index, charge in enumerate(version.charges):
        try:
            charges.append(_rule(charge))
        except (msgspec.ValidationError, Invalid) as error:
            problems.append(_problem(f"{pointer}/charges/{index}", error))
    if not problems:
        problems = _component_problems(charges, pointer)
    if problems:
        raise Invalid(f"tariff {head.code!r} version {version.version} cannot be used", problems)
    return TariffVersion(_tariff(head, version, charges), dict(document))


def version_in_force(versions: Sequence[Tariff], on: date) -> Tariff:
    """Return the version valid on a day; Invalid says which days have none."""
    for version in versions:
        if version.is_valid_on(on):
            return version
    if not versions:
        raise Invalid("the tariff has no active version; import and activate one")
    code = versions[0].code
    spans = ", ".join(f"{v.valid_from} to {v.valid_to or 'open'}" for v in versions)
    raise Invalid(f"tariff {code!r} has no active version for {on}; it has {spans}")


def _tariff(head: _Head, version: _Version, charges: Sequence[ChargeRule]) -> Tariff:
    named = ROUNDINGS[version.rounding]
    return Tariff(
        head.code,
        version.version,
        head.name_zh,
        head.name_en,
        head.region,
        head.commodity,
        head.customer_class,
        Currency(head.currency),
        head.unit,
        version.valid_from,
        version.valid_to,
        version.confidence,
        version.sources,
        Rounding(named.direction, named.scope, version.rounding_step),
        version.change_split,
        tuple(charges),
        version.contradictions,
        version.notes,
    )


def _rule(charge: Mapping[str, Any]) -> ChargeRule:
    kind = charge.get("kind")
    if not isinstance(kind, str) or kind not in TARIFFS:
        raise Invalid(f"a charge has a kind, one of {', '.join(TARIFFS)}; not {kind!r}")
    return msgspec.convert(charge, TARIFFS[kind], dec_hook=_decode_own)


def _decode_own(wanted: type, value: Any) -> Any:
    """Build our own value types for msgspec; a refusal becomes one with a path."""
    if wanted is UnitPrice:
        if isinstance(value, bool):
            raise ValueError(f"a price is a number, not {value}")
        try:
            return UnitPrice(decimal(value))
        except (Invalid, TypeError) as error:
            raise ValueError(str(error)) from error
    raise NotImplementedError(f"no decoder for {wanted}")


def _head_problems(document: _Document) -> list[Problem]:
    problems = []
    if document.schema != SCHEMA:
        problems.append(Problem("/schema", f"this program reads schema {SCHEMA}, not {document.schema}"))
    if not _CODE.fullmatch(document.code):
        problems.append(Problem("/code", f"a code is lower-case words joined by '-', not {document.code!r}"))
    if document.commodity not in COMMODITIES:
        known = ", ".join(COMMODITIES)
        problems.append(Problem("/commodity", f"{document.commodity!r} is not known; known are {known}"))
    try:
        Currency(document.currency)
    except Invalid as error:
        problems.append(Problem("/currency", str(error)))
    return problems


def _version_problems(version: _Version, pointer: str) -> list[Problem]:
    problems = []
    if version.version < 1:
        problems.append(Problem(f"{pointer}/version", f"versions count from 1, not {version.version}"))
    if version.valid_to is not None and version.valid_to <= version.valid_from:
        span = f"{version.valid_from} to {version.valid_to}"
        detail = f"{span} is no day; valid_to is the day after the last valid one"
        problems.append(Problem(f"{pointer}/valid_to", detail))
    if not version.sources:
        problems.append(Problem(f"{pointer}/sources", "name at least one source of the figures"))
    if version.rounding not in ROUNDINGS:
        known = ", ".join(ROUNDINGS)
        problems.append(Problem(f"{pointer}/rounding", f"{version.rounding!r} is not one of {known}"))
    if version.rounding_step < 1:
        detail = f"a step is a whole number from 1, not {version.rounding_step}"
        problems.append(Problem(f"{pointer}/rounding_step", detail))
    if not version.charges:
        problems.append(Problem(f"{pointer}/charges", "a tariff has at least one charge"))
    return problems


def _component_problems(charges: Sequence[ChargeRule], pointer: str) -> list[Problem]:
    problems = []
    known: set[str] = set()
    for index, charge in enumerate(charges):
        at = f"{pointer}/charges/{index}"
        if not _COMPONENT.fullmatch(charge.component):
            detail = f"a component is lower-case letters, digits and '_', not {charge.component!r}"
            problems.append(Problem(f"{at}/component", detail))
        if charge.component in known:
            problems.append(Problem(f"{at}/component", f"component {charge.component!r} is there twice"))
        problems += [
            Problem(f"{at}/of", f"{name!r} is no component before {charge.component!r}")
            for name in getattr(charge, "of", ())
            if name not in known
        ]
        known.add(charge.component)
    return problems


def _sequence_problems(tariffs: Sequence[Tariff]) -> list[Problem]:
    problems = []
    for index, (earlier, later) in enumerate(pairwise(tariffs), start=1):
        at = f"/versions/{index}"
        if later.version <= earlier.version:
            detail = (
                f"version {later.version} comes after version {earlier.version}; number them in order of time"
            )
            problems.append(Problem(f"{at}/version", detail))
        if earlier.valid_to is None or later.valid_from < earlier.valid_to:
            spans = f"{earlier.version} (to {earlier.valid_to or 'open'}) and {later.version}"
            detail = f"versions {spans} (from {later.valid_from}) overlap"
            problems.append(Problem(f"{at}/valid_from", detail))
        elif later.valid_from > earlier.valid_to:
            detail = f"no version is valid from {earlier.valid_to} to {later.valid_from}"
            problems.append(Problem(f"{at}/valid_from", detail))
    return problems


def _problem(pointer: str, error: Exception) -> Problem:
    """Return a parser's refusal with its `$.a[0].b` path as a JSON pointer."""
    text = str(error)
    match = _PATH.search(text)
    if match is None:
        return Problem(pointer, text)
    steps = (name or number for name, number in _PATH_STEP.findall(match[1]))
    return Problem("".join([pointer, *(f"/{step}" for step in steps)]), text[: match.start()])
