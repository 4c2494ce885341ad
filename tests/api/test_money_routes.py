"""Every address that moves money can be asked twice: by a key, by what was seen, or by what it says."""

from collections.abc import Mapping

import pytest

from cloud.api import (
    bill_runs,
    corrections,
    dunning,
    imports,
    ledger,
    payment_orders,
    payments,
    periods,
    print_runs,
    provider_statements,
    refunds,
    reports,
    shared_costs,
    tariffs,
)
from cloud.api.route import Route

_MODULES = (
    bill_runs, corrections, dunning, imports, ledger, payment_orders, payments, periods, print_runs,
    provider_statements, refunds, reports, shared_costs, tariffs,
)  # fmt: skip

# What is done once whoever asks how often, and why.
_BY_NATURE: Mapping[str, str] = {
    "POST /api/v1/periods/{period_id}/checks": "a check that goes on is joined, one that broke off goes on",
    "POST /api/v1/periods/{period_id}/closing": "an account has one invoice of a period; a run is joined",
    "POST /api/v1/sites/{site_id}/periods": "the period of a code is opened once and returned again",
    "POST /api/v1/sites/{site_id}/late_fee_rules": "a rule of a day is there once: again is a conflict",
    "POST /api/v1/sites/{site_id}/day_closes": "a day is counted once: again is a conflict",
    "POST /api/v1/sites/{site_id}/dunning/run": "nobody is reminded twice of a step",
    "POST /api/v1/accounts/{account_id}/dunning_pause": "says until when",
    "POST /api/v1/accounts/{account_id}/payment_orders": "an order that can be paid is returned again",
    "POST /api/v1/imports/{import_id}/carry_out": "by the digest of what was seen; carried out once",
    "POST /api/v1/imports/{import_id}/undo": "undone once: again is a conflict",
    "POST /api/v1/sites/{site_id}/imports/{kind_code}": "writes nothing but the uploaded file",
    "POST /api/v1/sites/{site_id}/provider_statements": "writes nothing",
    "POST /api/v1/sites/{site_id}/bill_prints": "writes nothing but the file",
    "POST /api/v1/sites/{site_id}/notice_prints": "writes nothing but the file",
    "POST /api/v1/print_runs/{print_run_id}/stop": "stopped is stopped",
    "POST /api/v1/periods/{period_id}/shared_costs/preview": "writes nothing",
    "POST /api/v1/periods/{period_id}/shared_costs/withdrawal": "taken back once: again is not found",
    "POST /api/v1/tariffs": "a version of a code is there once, and a draft is replaced",
}
_WRITING = [route for module in _MODULES for route in module.ROUTES if route.method != "GET"]


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.mark.parametrize("route", _WRITING, ids=name_of)
def test_what_moves_money_can_be_sent_again(route: Route) -> None:
    assert route.creates or route.is_guarded or name_of(route) in _BY_NATURE


def test_no_reason_is_left_of_an_address_that_is_gone() -> None:
    assert set(_BY_NATURE) <= {name_of(route) for route in _WRITING}


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/accounts/{account_id}/payments",
        "/api/v1/accounts/{account_id}/refunds",
        "/api/v1/accounts/{account_id}/deposits",
        "/api/v1/accounts/{account_id}/deposits/use",
        "/api/v1/payments/{payment_id}/reversal",
    ],
)
def test_money_that_comes_or_goes_insists_on_a_key(path: str) -> None:
    assert [route.needs_key for route in _WRITING if route.path == path] == [True]
