"""Every route of the API, noun by noun."""

from itertools import chain

from cloud.api import (
    accounts,
    alarms,
    audit,
    commands,
    corrections,
    equipment,
    events,
    gateways,
    invoices,
    ledger,
    live,
    me,
    meters,
    notices,
    overview,
    payments,
    periods,
    readings,
    running_charges,
    sessions,
    setup,
    sites,
    tariffs,
    users,
    webhooks,
)
from cloud.api.route import Route

_NOUNS = (
    accounts,
    alarms,
    audit,
    commands,
    corrections,
    equipment,
    events,
    gateways,
    invoices,
    ledger,
    live,
    me,
    meters,
    notices,
    overview,
    payments,
    periods,
    readings,
    running_charges,
    sessions,
    setup,
    sites,
    tariffs,
    users,
    webhooks,
)

ROUTES: tuple[Route, ...] = tuple(chain.from_iterable(noun.ROUTES for noun in _NOUNS))
