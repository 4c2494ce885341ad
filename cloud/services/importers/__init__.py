"""The tables that can be brought in, each with how it meets what is there: one file, one line."""

from collections.abc import Mapping
from types import MappingProxyType

from cloud.services.importers import (
    accounts,
    equipment,
    former_charges,
    meters,
    nearby,
    opening_balances,
    opening_usage,
    people,
    readings,
    spaces,
)
from cloud.services.importers.importer import Importer

IMPORTERS: Mapping[str, Importer] = MappingProxyType(
    {
        "accounts": accounts.IMPORTER,
        "equipment": equipment.IMPORTER,
        "former_charges": former_charges.IMPORTER,
        "meters": meters.IMPORTER,
        "nearby_services": nearby.IMPORTER,
        "opening_balances": opening_balances.IMPORTER,
        "opening_usage": opening_usage.IMPORTER,
        "people": people.IMPORTER,
        "readings": readings.IMPORTER,
        "spaces": spaces.IMPORTER,
    }
)

# As somebody who begins with nothing brings them in: each after those it refers to.
IN_ORDER = (
    "spaces",
    "accounts",
    "people",
    "meters",
    "readings",
    "opening_balances",
    "opening_usage",
    "former_charges",
    "equipment",
    "nearby_services",
)
