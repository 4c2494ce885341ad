"""What a reader has chosen for this browser: language, theme, site. Kept in cookies, not in the account.

The invariant: a preference is one of a closed set or is ignored; it can change how a page looks and
which site it is about, never what its reader may see.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from aiohttp import hdrs, web

from cloud.console.language import locale_asked_for
from cloud.domain.user import Locale, User
from cloud.web.headers import is_secure

_YEAR_S = 365 * 24 * 3600
_SITE_CODE_LENGTH_MAX = 40

LANGUAGE_COOKIE = "gatehouse_language"
SITE_COOKIE = "gatehouse_site"
THEME_COOKIE = "gatehouse_theme"

_E = TypeVar("_E", bound=Enum)


class Theme(Enum):
    """Light or dark; SYSTEM follows the device."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the request's cookies say, after doubt."""

    language: Locale
    theme: Theme
    site_code: str


def preferences_of(request: web.Request, actor: User | None) -> Preferences:
    """Return the reader's choices: the browser's, else the account's, else what the browser asks for."""
    fallback = locale_asked_for(request.headers.get(hdrs.ACCEPT_LANGUAGE, ""))
    if actor is not None:
        fallback = actor.locale
    return Preferences(
        _chosen(request, LANGUAGE_COOKIE, Locale) or fallback,
        _chosen(request, THEME_COOKIE, Theme) or Theme.SYSTEM,
        request.cookies.get(SITE_COOKIE, "")[:_SITE_CODE_LENGTH_MAX],
    )


def choose(request: web.Request, response: web.StreamResponse, cookie: str, value: str) -> None:
    """Remember a choice in the browser for a year."""
    response.set_cookie(
        cookie,
        value,
        max_age=_YEAR_S,
        path="/",
        samesite="Lax",
        httponly=True,
        secure=is_secure(request),
    )


def _chosen(request: web.Request, cookie: str, words: type[_E]) -> _E | None:
    try:
        return words(request.cookies.get(cookie))
    except ValueError:
        return None
