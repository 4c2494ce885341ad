"""What is near the site: residents look it up and call, the office keeps the directory."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.typed import whole_of
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import NearbyServiceId, SiteId, is_uuid
from cloud.domain.nearby import NearbyCategory, NearbySaid, NearbyService
from cloud.domain.user import User
from cloud.services import nearby
from cloud.store.db import Tx

_FIELD_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class NearbyGroup:
    """The services of one category."""

    category: str
    services: tuple[NearbyService, ...]


@dataclass(frozen=True, slots=True)
class NearbyView:
    """The directory, and for the office the form; `changed` is the service it changes, "" for a new one."""

    groups: tuple[NearbyGroup, ...]
    changed: str
    typed: Mapping[str, str]
    error: str = ""

    @property
    def categories(self) -> list[str]:
        """Return the categories there are."""
        return [one.value for one in NearbyCategory]


async def show_office(desk: Desk) -> web.StreamResponse:
    """Show the directory and its form; with `change` one service in it."""
    view = await desk.read(_view, desk.site.site_id, desk.request.query.get("change", ""), None, "")
    return await desk.page("nearby.html", view=view)


async def act_office(desk: Desk) -> web.StreamResponse:
    """Add a service, change or remove one."""
    posted = await desk.request.post()
    form = {name: str(value).strip()[:_FIELD_LENGTH_MAX] for name, value in posted.items()}
    service = form.get("service", "")
    try:
        if form.get("act") == "remove":
            await desk.write(nearby.remove_service, _id(service))
        elif service:
            await desk.write(nearby.change_service, _id(service), _said(form, desk.format))
        else:
            await desk.write(nearby.add_service, desk.site.site_id, _said(form, desk.format))
    except (Conflict, Invalid) as error:
        view = await desk.read(_view, desk.site.site_id, service, form, str(error))
        return await desk.page("nearby.html", status=422, view=view)
    return desk.go("/nearby", "nearby-changed")


async def show_own(desk: Desk) -> web.StreamResponse:
    """Show a resident what is near."""
    view = await desk.read(_view, desk.site.site_id, "", None, "")
    return await desk.page("home/nearby.html", tab="/home/more", view=view)


def _view(
    tx: Tx, actor: User, site_id: SiteId, changed: str, typed: Mapping[str, str] | None, error: str
) -> NearbyView:
    known = nearby.list_services(tx, actor, site_id)
    one = next((one for one in known if one.service_id == changed), None)
    if changed and one is None:
        raise NotFound(f"there is no nearby service {changed!r}")
    groups = groupby(known, key=lambda one: one.said.category.value)
    shown = typed if typed is not None else {} if one is None else _typed(one.said)
    return NearbyView(
        tuple(NearbyGroup(category, tuple(of_it)) for category, of_it in groups), changed, shown, error
    )


def _typed(said: NearbySaid) -> dict[str, str]:
    return {
        "name": said.name,
        "category": said.category.value,
        "phone": said.phone,
        "address": said.address,
        "hours": said.hours,
        "note": said.note,
        "position": str(said.position),
    }


def _said(form: Mapping[str, str], fmt: Format) -> NearbySaid:
    category = form.get("category", "")
    if category not in {one.value for one in NearbyCategory}:
        raise Invalid(fmt.language.gettext("Choose what kind of service it is."))
    return NearbySaid(
        " ".join(form.get("name", "").split()),
        NearbyCategory(category),
        form.get("phone", ""),
        form.get("address", ""),
        form.get("hours", ""),
        form.get("note", ""),
        whole_of(form.get("position", "") or "0", fmt),
    )


def _id(text: str) -> NearbyServiceId:
    if not is_uuid(text):
        raise NotFound(f"there is no nearby service {text!r}")
    return NearbyServiceId(text)
