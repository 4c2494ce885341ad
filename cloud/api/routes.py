"""Every route of the API, noun by noun."""

from itertools import chain

from cloud.api import alarms, audit, events, gateways, live, me, readings, sessions, users
from cloud.api.route import Route

_NOUNS = (alarms, audit, events, gateways, live, me, readings, sessions, users)

ROUTES: tuple[Route, ...] = tuple(chain.from_iterable(noun.ROUTES for noun in _NOUNS))
