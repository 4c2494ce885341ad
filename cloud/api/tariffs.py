"""Tariffs: prices as documents, taken in as drafts and put in force by a person."""

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
from aiohttp import web

from cloud.api.route import Call, Nothing, Page, PageQuery, Route, View, cut, view_of
from cloud.domain.access import Action
from cloud.domain.user import User
from cloud.services import tariffs
from cloud.store.db import Tx
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
    return _detail_view(await call.read(tariffs.get_tariff, call.code("tariff_code"), call.number("version")))


async def import_tariff(call: Call[Nothing, msgspec.Raw]) -> TariffsView:
    """Take in a tariff file as drafts; again, it changes nothing."""
    found = await call.write(tariffs.import_document, bytes(call.body))
    return TariffsView(items=tuple(_tariff_view(one) for one in found))


async def activate_tariff(call: Call[Nothing, Nothing]) -> web.Response:
    """Put a draft in force from its first day."""
    return await _move(call, tariffs.activate)


async def retire_tariff(call: Call[Nothing, Nothing]) -> web.Response:
    """Take a version out of use for new bills."""
    return await _move(call, tariffs.retire)


async def _move(
    call: Call[Nothing, Nothing], work: Callable[[Tx, User, str, int], StoredTariff]
) -> web.Response:
    code, version = call.code("tariff_code"), call.number("version")
    return await call.change_seen(
        lambda tx, actor: _detail_view(tariffs.get_tariff(tx, actor, code, version)),
        lambda tx, actor: _tariff_view(work(tx, actor, code, version)),
    )


def _detail_view(found: StoredTariff) -> TariffDetailView:
    return TariffDetailView(tariff=_tariff_view(found), document=dict(found.version.document))


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
    Route(
        "POST",
        _ONE + "/activate",
        "Put a version in force",
        _MANAGE,
        activate_tariff,
        TariffView,
        is_guarded=True,
    ),
    Route(
        "POST",
        _ONE + "/retire",
        "Take a version out of use",
        _MANAGE,
        retire_tariff,
        TariffView,
        is_guarded=True,
    ),
)
