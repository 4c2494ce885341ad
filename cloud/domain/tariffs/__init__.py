"""The shelf of charge rules: one file a kind, one line here.

A rule keeps the contract of `cloud.domain.tariff.ChargeRule` and knows no other rule.
"""

from collections.abc import Mapping
from types import MappingProxyType

from cloud.domain.tariff import ChargeRule
from cloud.domain.tariffs.area import Area
from cloud.domain.tariffs.fixed import Fixed
from cloud.domain.tariffs.flat import Flat
from cloud.domain.tariffs.formula import Formula
from cloud.domain.tariffs.limits import Limits
from cloud.domain.tariffs.matrix import Matrix
from cloud.domain.tariffs.percent import Percent
from cloud.domain.tariffs.share import Share
from cloud.domain.tariffs.tiered import Tiered
from cloud.domain.tariffs.time_of_use import TimeOfUse

TARIFFS: Mapping[str, type[ChargeRule]] = MappingProxyType(
    {
        "area": Area,
        "fixed": Fixed,
        "flat": Flat,
        "formula": Formula,
        "limits": Limits,
        "matrix": Matrix,
        "percent": Percent,
        "share": Share,
        "tiered": Tiered,
        "time_of_use": TimeOfUse,
    }
)
