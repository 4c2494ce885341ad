"""The duty roster: whose turn it is this week, swaps, posts, and where the reader is reached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from aiohttp import web
from multidict import MultiDict

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.typed import day_of, day_or, minute_of, whole_of
from cloud.domain.access import Action, may
from cloud.domain.dispatch import Shift
from cloud.domain.duty import DutyPost
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.ids import DutyPostId, SiteId, UserId, is_uuid
from cloud.domain.notice import Channel, Contact, masked
from cloud.domain.user import User
from cloud.services import duty, notices
from cloud.services.duty import NamedTurn
from cloud.store.db import Tx

_DAYS = 7
# As many turns as the form offers; a longer rota is told through the API.
_TURNS_OFFERED = 6
_EVERY_DAY = tuple(str(number) for number in range(7))


@dataclass(frozen=True, slots=True)
class PostRow:
    """A post and who holds it on each day of the week shown."""

    post: DutyPost
    turns: tuple[NamedTurn | None, ...]


@dataclass(frozen=True, slots=True)
class OwnContact:
    """Where the reader is reached, as it may be shown."""

    contact_id: str
    channel: str
    address: str


@dataclass(frozen=True, slots=True)
class DutyView:
    """A week of the roster and everything that can be done about it."""

    days: tuple[date, ...]
    rows: tuple[PostRow, ...]
    now: tuple[NamedTurn, ...]
    staff: tuple[User, ...]
    swappable: tuple[DutyPost, ...]
    contacts: tuple[OwnContact, ...]
    typed: Mapping[str, str] = field(default_factory=dict)
    weekdays: tuple[str, ...] = _EVERY_DAY
    rota: tuple[str, ...] = ("",) * _TURNS_OFFERED
    error: str = ""


async def show(desk: Desk) -> web.StreamResponse:
    """Show a week of the roster."""
    return await desk.page("duty.html", view=await desk.read(_view, desk.site.site_id, _monday(desk), None))


async def act(desk: Desk) -> web.StreamResponse:
    """Add or end a post, swap a turn, say where one is reached."""
    form = MultiDict((name, str(value).strip()[:200]) for name, value in (await desk.request.post()).items())
    try:
        await desk.write(_act, desk.site.site_id, form, desk.format)
    except (Conflict, Forbidden, Invalid, NotFound) as error:
        view = await desk.read(_view, desk.site.site_id, _monday(desk), (form, str(error)))
        return await desk.page("duty.html", status=422, view=view)
    return desk.go("/duty", "duty-changed")


def _monday(desk: Desk) -> date:
    on = day_or(desk.request.query.get("from", ""), desk.format.today)
    return on - timedelta(days=on.weekday())


def _view(
    tx: Tx, actor: User, site_id: SiteId, monday: date, refused: tuple[MultiDict[str], str] | None
) -> DutyView:
    posts = duty.list_posts(tx, actor, site_id)
    week = duty.roster(tx, actor, site_id, monday, _DAYS)
    held = {(one.turn.post.post_id, one.turn.on): one for one in week}
    days = tuple(monday + timedelta(days=number) for number in range(_DAYS))
    is_manager = may(actor, Action.MANAGE_DUTY)
    own = [post for post in posts if is_manager or actor.user_id in post.rota]
    view = (
        days,
        tuple(PostRow(post, tuple(held.get((post.post_id, on)) for on in days)) for post in posts),
        tuple(duty.on_duty(tx, actor, site_id)),
        tuple(duty.fit_for_duty(tx, actor)),
        tuple(own) if may(actor, Action.SWAP_DUTY) else (),
        tuple(
            OwnContact(one.contact_id, one.channel.value, masked(one.channel, one.address))
            for one in _own_contacts(tx, actor)
        ),
    )
    if refused is None:
        return DutyView(*view)
    form, error = refused
    chosen = [*form.getall("rota", []), *[""] * _TURNS_OFFERED][:_TURNS_OFFERED]
    weekdays = tuple(form.getall("weekday", []))
    return DutyView(*view, dict(form), weekdays, tuple(chosen), error)


def _own_contacts(tx: Tx, actor: User) -> Sequence[Contact]:
    return notices.own_contacts(tx, actor) if may(actor, Action.READ_NOTICES) else ()


def _act(tx: Tx, actor: User, site_id: SiteId, form: MultiDict[str], fmt: Format) -> None:
    match form.get("act", ""):
        case "add":
            _add(tx, actor, site_id, form, fmt)
        case "end":
            duty.end_post(tx, actor, DutyPostId(_id(form.get("post", ""))))
        case "swap":
            post_id, user_id = DutyPostId(_id(form.get("post", ""))), UserId(_id(form.get("who", "")))
            duty.swap(tx, actor, post_id, day_of(form.get("on", ""), fmt), user_id, form.get("reason", ""))
        case "reach":
            is_mail = "@" in form.get("address", "")
            channel = Channel.EMAIL if is_mail else Channel.SMS
            notices.add_own_contact(tx, actor, channel, form.get("address", ""))
        case "forget":
            notices.remove_own_contact(tx, actor, _id(form.get("contact", "")))
        case _:
            raise NotFound("there is no such act")


def _add(tx: Tx, actor: User, site_id: SiteId, form: MultiDict[str], fmt: Format) -> None:
    begins, ends = (minute_of(form.get(name, ""), fmt) for name in ("from", "to"))
    circle, turn_days = (whole_of(form.get(name, ""), fmt) for name in ("circle", "turn"))
    weekdays = frozenset(int(one) for one in form.getall("weekday", []) if one in _EVERY_DAY)
    rota = [UserId(one) for one in form.getall("rota", []) if is_uuid(one)]
    starts_on = day_of(form.get("starts", ""), fmt)
    shift = Shift(weekdays, begins, ends)
    duty.add_post(tx, actor, site_id, form.get("name", ""), circle, shift, turn_days, starts_on, rota)


def _id(text: str) -> str:
    if not is_uuid(text):
        raise NotFound(f"there is no duty post {text!r}")
    return text
