"""What a page says once after an act: a word of a closed list, carried over the redirect in a cookie.

The invariant: the cookie names a sentence and its numbers; it can never put words of its own on a page.
"""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from cloud.console.language import Language, mark
from cloud.web.headers import is_secure

COOKIE = "gatehouse_notice"

_LIFE_S = 60  # longer than any redirect takes
_VALUE_LENGTH_MAX = 60

_SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "alarm-acknowledged": mark("Alarm %(number)s acknowledged"),
        "alarms-acknowledged": mark("%(number)s alarms acknowledged"),
        "announcement-published": mark("Published to %(count)s homes"),
        "announcement-taken-back": mark("Taken back; no resident sees it any more"),
        "cost-shared": mark("%(name)s shared among %(count)s accounts"),
        "cost-withdrawn": mark("Taken back; nobody bears it"),
        "bill-run-approved": mark("%(code)s approved: its invoices may be issued"),
        "bill-run-refused": mark("%(code)s refused; check it again when it is put right"),
        "ballot-cancelled": mark("Cancelled; everybody who may vote reads why"),
        "ballot-cast": mark("The vote counts; its receipt is %(receipt)s"),
        "ballot-opened": mark("The vote is open; homes have it on their phones"),
        "booking-taken-back": mark("The slots are free again"),
        "complaint-noted": mark("%(number)s: noted"),
        "complaint-told": mark("%(number)s: you have an answer within three days"),
        "day-closed": mark("%(name)s counted: %(amount)s"),
        "dunning-done": mark("Reminders written down: %(count)s"),
        "dunning-set": mark("Reminders come %(days)s days after the due day"),
        "plan-noted": mark("%(title)s: the plan holds from now on"),
        "equipment-noted": mark("%(code)s: noted in the register"),
        "figures-noted": mark("Noted; the comparison below is of now"),
        "gateway-revoked": mark("%(code)s revoked: nobody speaks for it any more"),
        "gateway-trusted": mark("%(code)s: one box, noted"),
        "building-added": mark("Building %(code)s is there; add its flats"),
        "checklist-changed": mark("The list says so from now on; signed sheets keep their words"),
        "configuration-drafted": mark("Kept in the draft; nothing is sent yet"),
        "configuration-sent": mark("Configuration %(number)s is on its way"),
        "configuration-withdrawn": mark("Configuration %(number)s was taken back"),
        "home-joined": mark("%(home)s is yours to see"),
        "import-undone": mark("%(name)s was undone: what it brought is gone, what it changed is as before"),
        "alarm-handled": mark("Noted with the alarm"),
        "invoice-corrected": mark("Taken back by %(note)s; this is the new invoice %(number)s"),
        "invoice-credited": mark("Taken back by %(note)s; nothing is charged instead"),
        "maintenance-completed": mark("Signed: the clock of %(name)s starts again at 0"),
        "meter-exchanged": mark("Counted as an exchange; the new meter is %(serial)s"),
        "money-contact": mark("Noted; what is due goes there too"),
        "money-contact-gone": mark("Nothing goes there any more"),
        "money-deposit": mark("The deposit is recorded"),
        "money-deposit-used": mark("The deposit is credit now and clears what is owed"),
        "money-pause": mark("Noted; nobody is reminded until then"),
        "money-refund": mark("Asked for; somebody else decides on it"),
        "moved-in": mark("The new account is %(number)s, from the registers of the day"),
        "badge-ended": mark("Ended; it opens nothing"),
        "badge-found": mark("It opens again"),
        "badge-given": mark("%(name)s has a badge now"),
        "badge-lost": mark("Blocked: it opens nothing from now on"),
        "code-made": mark("Code %(code)s for %(name)s: tell it to them now, it is not shown again"),
        "barring-changed": mark("Noted"),
        "duty-changed": mark("Noted"),
        "entrance-added": mark("%(name)s is an entrance now"),
        "goods-asked": mark("The office has been told"),
        "goods-decided": mark("Noted; the home has been told"),
        "goods-released": mark("Out: the goods of %(place)s; the home has been told"),
        "goods-taken-back": mark("Taken back"),
        "moved-out": mark("%(code)s stands empty now; its account has ended"),
        "nearby-changed": mark("Noted; residents see it now"),
        "notice-tried": mark("A test is on its way; below you see whether it arrived"),
        "notice-again": mark("It is tried again"),
        "password-changed": mark("Your password is changed; everywhere else you are signed out"),
        "special-days-changed": mark("Noted; bills to come follow"),
        "second-factor-removed": mark("No code is asked any more"),
        "session-ended": mark("Signed out there"),
        "password-chosen": mark("Your password is set; sign in as %(login)s"),
        "parcel-handed-out": mark("The parcel of %(place)s, shelf %(shelf)s"),
        "parcel-taken-in": mark("On the shelf; %(place)s has been told"),
        "camera-changed": mark("Noted"),
        "patrol-changed": mark("Noted"),
        "patrol-marked": mark("Noted: you were at %(name)s"),
        "payment-credited": mark("%(number)s: %(amount)s recorded, %(credit)s of it is credit now"),
        "payment-recorded": mark("%(number)s: %(amount)s recorded"),
        "period-closed": mark("%(code)s billed: %(count)s invoices issued"),
        "period-partly-closed": mark("%(code)s: %(count)s invoices issued, %(held)s accounts held"),
        "person-changed": mark("Noted"),
        "privacy-asked": mark("Noted; you have an answer within 15 days"),
        "problem-settled": mark("Settled; its bytes are kept"),
        "quiet-hours-set": mark("Noted; whatever is told from now on keeps to it"),
        "reading-estimated": mark("Estimate for %(day)s recorded: %(value)s"),
        "reading-recorded": mark("Reading of %(day)s recorded: %(value)s"),
        "repair-changed": mark("%(number)s: noted"),
        "repair-taken": mark("%(number)s is written down; whoever suits has been told"),
        "plan-written": mark("Version %(version)s is in force; open alarms keep the plan they had"),
        "refund-approved": mark("%(number)s approved: %(amount)s goes back"),
        "refund-refused": mark("%(number)s refused; nothing was booked"),
        "subjects-set": mark("%(count)s subjects changed; exports use them from now on"),
        "space-changed": mark("%(code)s: noted, and what was before is kept"),
        "sheet-signed": mark("Signed; the clock starts again at 0"),
        "signed-out": mark("You have signed out"),
        "venue-booked": mark("%(name)s is yours then"),
        "venue-changed": mark("Noted"),
        "visitor-admitted": mark("%(name)s goes to %(place)s; the host has been told"),
        "visitor-invited": mark("%(name)s is expected; send them the code"),
        "visitor-taken-back": mark("The code lets nobody in any more"),
        "technician-set": mark("Noted what %(name)s can do, where and when"),
        "table-imported": mark("%(count)s rows carried out; this can be undone for a day"),
        "tariff-active": mark("%(code)s v%(version)s is in force from its first day"),
        "tariff-drafted": mark("%(code)s v%(version)s is kept as a draft"),
        "tariff-retired": mark("%(code)s v%(version)s is used for no new bill"),
    }
)


def leave_notice(request: web.Request, response: web.StreamResponse, word: str, **values: str) -> None:
    """Have the next page say the sentence."""
    assert word in _SENTENCES, word
    response.set_cookie(
        COOKIE,
        urlencode({"say": word, **values}),
        max_age=_LIFE_S,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=is_secure(request),
    )


def notice_of(request: web.Request, language: Language) -> str:
    """Return the sentence the last act left, or nothing."""
    values = {name: value[:_VALUE_LENGTH_MAX] for name, value in parse_qsl(request.cookies.get(COOKIE, ""))}
    sentence = _SENTENCES.get(values.pop("say", ""))
    if sentence is None:
        return ""
    try:
        return language.gettext(sentence) % values
    except (KeyError, ValueError):
        return ""
