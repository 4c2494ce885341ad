"""Amounts that are given and not worked out: an agreed quote, what was owed in the system before.

The invariant: also such an amount is a line of a tariff, so many fen at one fen each, and is traced and
recomputed like every other; no rule of ours stands between it and whoever said it.
"""

import json
from dataclasses import dataclass

from cloud.domain.user import system_user
from cloud.services import tariffs
from cloud.store import tariffs as tariff_store
from cloud.store.db import Tx
from cloud.store.tariffs import StoredTariff


@dataclass(frozen=True, slots=True)
class GivenAmount:
    """A kind of given amounts: the tariff's code and names, the line's, and where the amount is said."""

    code: str
    name_zh: str
    name_en: str
    commodity: str
    component: str
    line_zh: str
    line_en: str
    said_in: str
    found_at: str


def tariff_of(tx: Tx, given: GivenAmount) -> StoredTariff:
    """Return the tariff of a kind of given amounts, brought in where it is not there yet."""
    known = tariff_store.versions_of(tx, given.code)
    if not known:
        body = json.dumps(_document(given), ensure_ascii=False).encode()
        tariffs.import_document(tx, system_user(tx.tenant_id), body, activate=True)
        known = tariff_store.versions_of(tx, given.code)
    return known[-1]


def _document(given: GivenAmount) -> dict[str, object]:
    charge = {
        "kind": "fixed",
        "component": given.component,
        "price": "0.01",
        "per": "bill",
        "is_counted": True,
        "name_zh": given.line_zh,
        "name_en": given.line_en,
    }
    version = {
        "version": 1,
        "valid_from": "2000-01-01",
        "valid_to": None,
        "confidence": "high",
        "sources": [{"publisher": "Gatehouse", "title": given.said_in, "found_at": given.found_at}],
        "charges": [charge],
    }
    return {
        "schema": 1,
        "code": given.code,
        "name_zh": given.name_zh,
        "name_en": given.name_en,
        "region": "CN",
        "commodity": given.commodity,
        "customer_class": "residential",
        "currency": "CNY",
        "unit": "fen",
        "versions": [version],
    }
