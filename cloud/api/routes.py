"""Every route of the API, noun by noun."""

from cloud.api import live, me, sessions, users
from cloud.api.route import Route

ROUTES: tuple[Route, ...] = (*live.ROUTES, *me.ROUTES, *sessions.ROUTES, *users.ROUTES)
