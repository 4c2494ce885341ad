"""The page for whoever holds a paper: is it genuine, does it still hold? No sign-in, no personal data.

The invariant: whatever is asked, the answer names no person, no place and no account; a wrong number and
a wrong code get the same answer, and both are counted against the asker's address.
"""

from dataclasses import dataclass

from aiohttp import web

from cloud.config import DEFAULT_TENANT
from cloud.console.formats import Format
from cloud.console.language import language_of
from cloud.console.login import frame_of
from cloud.console.preferences import preferences_of
from cloud.console.templating import render
from cloud.domain.authenticity import Standing, Verdict
from cloud.domain.periods import time_zone
from cloud.keys import CLOCK, DATABASE
from cloud.services import papers
from cloud.web.identity import address_of

_NUMBER_LENGTH_MAX = 60
_CODE_LENGTH_MAX = 40


@dataclass(frozen=True, slots=True)
class VerificationView:
    """What was asked, and the answer; none before anything was asked."""

    number: str
    code: str
    verdict: Verdict | None


async def show_form(request: web.Request) -> web.StreamResponse:
    """Show the form, or the answer to what was typed into it."""
    number, code = _asked(request.query.get("number", ""), request.query.get("code", ""))
    return await _answer(request, number, code)


async def show_verdict(request: web.Request) -> web.StreamResponse:
    """Show the answer to what a QR code asks."""
    number, code = _asked(request.match_info["number"], request.match_info["code"])
    return await _answer(request, number, code)


async def _answer(request: web.Request, number: str, code: str) -> web.Response:
    database = request.app[DATABASE]
    verdict = None
    if number and code:
        address = address_of(request)
        verdict = await papers.verify_anywhere(database, DEFAULT_TENANT, address, number, code)
    preferences = preferences_of(request, None)
    # Only dates of day are shown, so the zone does not matter.
    fmt = Format(language_of(preferences.language), time_zone("UTC"), request.app[CLOCK]())
    is_unknown = verdict is not None and verdict.standing is Standing.UNKNOWN
    return render(
        request,
        preferences.language,
        "verification.html",
        {"page": frame_of(request), "fmt": fmt, "view": VerificationView(number, code, verdict)},
        status=404 if is_unknown else 200,
    )


def _asked(number: str, code: str) -> tuple[str, str]:
    return number.strip().upper()[:_NUMBER_LENGTH_MAX], code.strip()[:_CODE_LENGTH_MAX]
