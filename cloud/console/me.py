"""My account: password, second factor, language, and where one is signed in; at a desk and on a phone."""

from dataclasses import dataclass

from aiohttp import web
from markupsafe import Markup

from cloud.console.codes import picture_of_code
from cloud.console.desk import Desk
from cloud.console.language import mark
from cloud.domain.access import Action, may
from cloud.domain.errors import Conflict, Invalid, NotFound, TooMany, Unauthenticated
from cloud.domain.notice import Channel, masked
from cloud.domain.second_factor import SecondFactorState
from cloud.domain.user import Role, Session, User
from cloud.keys import DATABASE, PASSWORDS, SESSION_LIMITS
from cloud.services import authentication, notices, second_factors, users
from cloud.services.passwords import LENGTH_MIN
from cloud.services.second_factors import Enrolment
from cloud.store.db import Tx
from cloud.web.identity import credential_of

_PASSWORD_LENGTH_MAX = 1024
_WRONG_PASSWORD = mark("The password is wrong.")
_WRONG_CODE = mark("The code is wrong, or was used already.")
_NOT_THE_SAME = mark("The two passwords are not the same.")
_WRONG_LENGTH = mark("A password has 8 to 256 characters.")
# A browser tells its whole ancestry; a person knows theirs by these words, the first that is in it.
_BROWSERS = ("MicroMessenger", "Edg", "Firefox", "Chrome", "Safari")
_SYSTEMS = ("iPhone", "iPad", "Android", "Windows", "Mac OS", "Linux")
_TOLD_AS = {"MicroMessenger": "WeChat", "Edg": "Edge", "Mac OS": "Mac"}


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One sign-in, as its owner recognises it."""

    session: Session
    device: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class AccountView:
    """Everything of one's own sign-in; `codes` are told this once."""

    login: str
    sessions: tuple[SessionRow, ...]
    factor: SecondFactorState
    enrolment: Enrolment | None
    length_min: int = LENGTH_MIN
    picture: Markup = Markup()  # noqa: RUF009 - of nothing
    codes: tuple[str, ...] = ()
    password_error: str = ""
    factor_error: str = ""
    reached: tuple[tuple[str, str], ...] | None = None
    contact_error: str = ""
    address: str = ""


async def show(desk: Desk) -> web.StreamResponse:
    """Show one's own account."""
    return await _page(desk)


async def act(desk: Desk) -> web.StreamResponse:
    """Change something of it."""
    form = {name: str(value)[:_PASSWORD_LENGTH_MAX] for name, value in (await desk.request.post()).items()}
    gettext = desk.language.gettext
    match form.get("act", ""):
        case "password":
            told = await _change_password(desk, form)
            if told:
                return await _page(desk, status=422, password_error=gettext(told))
            return desk.go(desk.request.path, "password-changed")
        case "revoke":
            await desk.write(users.revoke_session, form.get("session", ""))
            return desk.go(desk.request.path, "session-ended")
        case "revoke-others":
            await desk.write(users.revoke_others, credential_of(desk.request)[0])
            return desk.go(desk.request.path, "session-ended")
        case "reach" | "unreach" as wanted:
            return await _change_contact(desk, wanted, form)
        case other:
            return await _change_factor(desk, other, form)


async def _change_contact(desk: Desk, wanted: str, form: dict[str, str]) -> web.StreamResponse:
    try:
        if wanted == "reach":
            channel = Channel.EMAIL if "@" in form.get("address", "") else Channel.SMS
            await desk.write(notices.add_own_contact, channel, form.get("address", "").strip())
        else:
            await desk.write(notices.remove_own_contact, form.get("contact", ""))
    except (Conflict, Invalid, NotFound) as error:
        return await _page(desk, status=422, contact_error=str(error), address=form.get("address", ""))
    return desk.go(f"{desk.request.path}#reached", "person-changed")


async def _change_factor(desk: Desk, wanted: str, form: dict[str, str]) -> web.StreamResponse:
    gettext = desk.language.gettext
    try:
        match wanted:
            case "begin":
                await desk.write(second_factors.begin)
                return desk.go(f"{desk.request.path}#second-factor")
            case "confirm":
                codes = await authentication.confirm(
                    desk.request.app[DATABASE], desk.actor, form.get("code", "")
                )
                return await _page(desk, codes=codes)
            case "codes":
                return await _page(desk, codes=await desk.write(second_factors.renew_codes))
            case "remove":
                await desk.write(second_factors.remove)
                return desk.go(desk.request.path, "second-factor-removed")
            case other:
                raise Invalid(f"there is no act {other!r}")
    except TooMany as error:
        told = gettext("Too many tries. The next one is possible in %s s.") % error.retry_after_s
        return await _page(desk, status=429, factor_error=told)
    except Conflict as error:
        return await _page(desk, status=409, factor_error=str(error))
    except Unauthenticated as error:
        if wanted != "confirm":
            raise
        assert str(error), "a refused code says so"
        return await _page(desk, status=422, factor_error=gettext(_WRONG_CODE))


async def _change_password(desk: Desk, form: dict[str, str]) -> str:
    """Change the password; return what is wrong, or nothing."""
    new = form.get("new", "")
    if new != form.get("again", ""):
        return _NOT_THE_SAME
    app, (token, _) = desk.request.app, credential_of(desk.request)
    try:
        await users.change_password(
            app[DATABASE], app[PASSWORDS], desk.actor, token, form.get("present", ""), new
        )
    except Invalid:
        return _WRONG_LENGTH
    except Unauthenticated:
        return _WRONG_PASSWORD
    return ""


async def _page(
    desk: Desk,
    *,
    status: int = 200,
    codes: tuple[str, ...] = (),
    password_error: str = "",
    factor_error: str = "",
    contact_error: str = "",
    address: str = "",
) -> web.StreamResponse:
    template = "home/me.html" if desk.actor.role is Role.RESIDENT else "me.html"
    token, _ = credential_of(desk.request)
    limits = desk.request.app[SESSION_LIMITS]

    def gather(tx: Tx, actor: User) -> AccountView:
        record = users.own_record(tx, actor)
        current = users.current_session(tx, token)
        current_id = "" if current is None else current.session_id
        rows = tuple(
            SessionRow(one, device_of(one.client), one.session_id == current_id)
            for one in users.list_sessions(tx, actor, limits)
        )
        enrolment = second_factors.begun(tx, actor)
        picture = Markup() if enrolment is None else picture_of_code(enrolment.address)
        factor = second_factors.state(tx, actor)
        return AccountView(
            record.login,
            rows,
            factor,
            enrolment,
            picture=picture,
            codes=codes,
            password_error=password_error,
            factor_error=factor_error,
            reached=_reached(tx, actor),
            contact_error=contact_error,
            address=address,
        )

    return await desk.page(template, status=status, tab="/home/more", view=await desk.read(gather))


def _reached(tx: Tx, actor: User) -> tuple[tuple[str, str], ...] | None:
    """Return (id, masked address) of where the actor is reached; None for who is told nothing."""
    if not may(actor, Action.READ_NOTICES):
        return None
    return tuple(
        (one.contact_id, masked(one.channel, one.address)) for one in notices.own_contacts(tx, actor)
    )


def device_of(client: str) -> str:
    """Return what a person knows a device by: `Chrome, Windows`; else a program's own name, or ""."""
    browser = next((word for word in _BROWSERS if f"{word}/" in client), "")
    system = next((word for word in _SYSTEMS if word in client), "")
    told = ", ".join(_TOLD_AS.get(word, word) for word in (browser, system) if word)
    return told or client.partition(" ")[0]
