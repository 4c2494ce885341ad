"""Tariffs: prices as documents, taken in as drafts and put in force by a person."""

from datetime import date
from typing import Any

import msgspec

from cloud.api.route import Call, Nothing, Page, PageQuery, Route, View, cut, view_of
from cloud.domain.access import Action
from cloud.services import tariffs
from cloud.store.tariffs import StoredTariff, TariffState, TariffSummary


class TariffView(View, frozen=True):
    """One version of a tariff, in force on `[valid_from, valid_to)` while it is active."""

    tariff_id: str
    code: str
    version: int
    name_zh: str
    name_en: str
    commodity: str
    valid_from: date
    valid_to: date | None
    state: TariffState
    confidence: str


class TariffDetailView(View, frozen=True):
    """A version and the document it was taken from, with its sources."""

    tariff: TariffView
    document: dict[str, Any]


class TariffsView(View, frozen=True):
    """The versions of one file."""

    items: tuple[TariffView, ...]


async def list_tariffs(call: Call[PageQuery, Nothing]) -> Page[TariffView]:
    """List every version of every tariff."""
    found = await call.read(tariffs.list_tariffs)
    return cut(found, call.query, _summary_key, lambda one: view_of(one, TariffView))


async def get_tariff(call: Call[Nothing, Nothing]) -> TariffDetailView:
    """Show a version with its document."""
    found = await call.read(tariffs.get_tariff, call.code("tariff_code"), call.number("version"))
    return TariffDetailView(tariff=_tariff_view(found), document=dict(found.version.document))


async def import_tariff(call: Call[Nothing, msgspec.Raw]) -> TariffsView:
    """Take in a tariff file as drafts; again, it changes nothing."""
    found = await call.write(tariffs.import_document, bytes(call.body))
    return TariffsView(items=tuple(_tariff_view(one) for one in found))


async def activate_tariff(call: Call[Nothing, Nothing]) -> TariffView:
    """Put a draft in force from its first day."""
    return _tariff_view(await call.write(tariffs.activate, call.code("tariff_code"), call.number("version")))


async def retire_tariff(call: Call[Nothing, Nothing]) -> TariffView:
    """Take a version out of use for new bills."""
    return _tariff_view(await call.write(tariffs.retire, call.code("tariff_code"), call.number("version")))


def _tariff_view(stored: StoredTariff) -> TariffView:
    return view_of(
        stored.tariff,
        TariffView,
        tariff_id=stored.tariff_id,
        state=stored.state,
        confidence=stored.tariff.confidence.value,
    )


def _summary_key(one: TariffSummary) -> str:
    return f"{one.code} {one.version:06}"


_ALL, _ONE = "/api/v1/tariffs", "/api/v1/tariffs/{tariff_code}/versions/{version}"
_READ, _MANAGE = Action.READ_TARIFFS, Action.MANAGE_TARIFFS

ROUTES = (
    Route("GET", _ALL, "List tariffs", _READ, list_tariffs, Page[TariffView], query=PageQuery),
    Route(
        "POST",
        _ALL,
        "Take in a tariff file",
        _MANAGE,
        import_tariff,
        TariffsView,
        body=msgspec.Raw,
        description="Its versions become drafts. The format is that of the files in cloud/tariffs.",
    ),
    Route("GET", _ONE, "Show a version of a tariff", _READ, get_tariff, TariffDetailView),
    Route("POST", _ONE + "/activate", "Put a version in force", _MANAGE, activate_tariff, TariffView),
    Route("POST", _ONE + "/retire", "Take a version out of use", _MANAGE, retire_tariff, TariffView),
)
