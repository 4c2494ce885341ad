"""A gateway's configurations: what runs, what is being written, what was sent and what came of it.

The invariants: a page says what sending would change and disturb before anything is sent; what was
typed is kept in the draft, right or wrong; and a configuration in force is never edited, only followed
by another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.gateways import find_gateway
from cloud.domain.configuration import Configuration, ConfigurationStep, problems_of
from cloud.domain.configuration_edit import (
    DEVICE_KEYS,
    EDITABLE,
    device_entry,
    entry_text,
    rest_of_device,
    with_entry,
    without_entry,
)
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.gateway import Gateway
from cloud.domain.ids import SiteId
from cloud.domain.user import User
from cloud.services import configurations
from cloud.store.db import Tx
from protocol.configuration import WATCH_S_USUAL, ConfigurationState
from provisioning.difference import Difference, difference
from provisioning.document import Document
from provisioning.profiles import profile_names

_S = ConfigurationState
_WAY = (_S.DRAFT, _S.SENT, _S.STAGED, _S.APPLIED, _S.HEALTHY)
_VERSIONS_SHOWN = 50
_TEXT_LENGTH_MAX = 1_000_000
# What a person chooses from: long enough for the slowest meters, or short for who stands beside the box.
WATCHES_S = (60, WATCH_S_USUAL, 900, 3600)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way to a gateway: done, current or still to come."""

    word: str
    state: str


@dataclass(frozen=True, slots=True)
class OverviewView:
    """All configurations of a gateway."""

    gateway: Gateway
    running: Configuration | None
    draft: Configuration | None
    under_way: Configuration | None
    way: tuple[Step, ...]
    versions: tuple[Configuration, ...]


@dataclass(frozen=True, slots=True)
class VersionView:
    """One configuration: what it changed, and its life."""

    gateway: Gateway
    one: Configuration
    before: Configuration | None
    difference: Difference
    steps: tuple[ConfigurationStep, ...]
    way: tuple[Step, ...]
    others: tuple[Configuration, ...]
    is_running: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be edited, in a line."""

    name: str
    about: str
    detail: str


@dataclass(frozen=True, slots=True)
class EditView:
    """The draft: its things, the one that is open, what is wrong, and what it would change."""

    gateway: Gateway
    draft: Configuration
    running: Configuration | None
    entries: Mapping[str, tuple[Entry, ...]]
    part: str  # which table is shown, or "text" or "profiles"
    name: str  # the thing that is open; "" for a new one
    typed: Mapping[str, str]
    error: str
    problems: Sequence[str]
    difference: Difference
    lines: tuple[str, ...]
    profiles: tuple[str, ...]
    watches_s: tuple[int, ...] = field(default=WATCHES_S)


def way_of(one: Configuration) -> tuple[Step, ...]:
    """Return the way of a configuration to its gateway, as far as it has come."""
    if one.state not in _WAY:
        return ()
    reached = _WAY.index(one.state)
    is_over = one.state is _S.HEALTHY
    return tuple(
        Step(state.value, "done" if i < reached or is_over else "current" if i == reached else "")
        for i, state in enumerate(_WAY)
    )


async def show_all(desk: Desk) -> web.StreamResponse:
    """Show what runs, what is on its way, the draft, and every number so far."""
    view = await desk.read(_overview, desk.site.site_id, desk.request.match_info["code"])
    if "part" in desk.request.query:
        return desk.part("configurations/overview.html", view=view)
    return await desk.page("configurations/list.html", view=view)


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one configuration beside the one before it, or beside another."""
    matched, query = desk.request.match_info, desk.request.query
    compared = query.get("with", "")
    asked = (desk.site.site_id, matched["code"], int(matched["version"]))
    view = await desk.read(_version, *asked, int(compared) if compared.isdecimal() else None)
    if "part" in query:
        return desk.part("configurations/detail.html", view=view)
    return await desk.page("configurations/version.html", view=view)


async def show_draft(desk: Desk) -> web.StreamResponse:
    """Show the draft and one part of it to edit."""
    part = desk.request.query.get("part", "devices")
    name = desk.request.query.get("name", "")
    view = await desk.read(_edit, desk.site.site_id, desk.request.match_info["code"], part, name, {}, "")
    return await desk.page("configurations/edit.html", view=view)


async def begin(desk: Desk) -> web.StreamResponse:
    """Begin a draft: from what runs, or from an earlier number that is to run again."""
    form = await desk.request.post()
    code, number = desk.request.match_info["code"], str(form.get("from", ""))
    asked = int(number) if number.isdecimal() else None
    await desk.write(_begin, desk.site.site_id, code, asked)
    return desk.go(f"/gateways/{code}/configuration/draft")


async def edit(desk: Desk) -> web.StreamResponse:
    """Write one part of the draft anew, or show it again with what does not fit."""
    form = await desk.request.post()
    typed = {name: str(value).replace("\r\n", "\n")[:_TEXT_LENGTH_MAX] for name, value in form.items()}
    code = desk.request.match_info["code"]
    part, name = typed.get("part", "text"), typed.get("name", "")
    try:
        await desk.write(_write, desk.site.site_id, code, typed)
    except Invalid as error:
        asked = (desk.site.site_id, code, part, name, typed, str(error))
        return await desk.page("configurations/edit.html", status=422, view=await desk.read(_edit, *asked))
    return desk.go(f"/gateways/{code}/configuration/draft?part={part}", "configuration-drafted")


async def send(desk: Desk) -> web.StreamResponse:
    """Send the draft to the gateway."""
    form = await desk.request.post()
    code, watch = desk.request.match_info["code"], str(form.get("watch_s", ""))
    note = str(form.get("note", "")).strip()
    watch_s = int(watch) if watch.isdecimal() else 0
    try:
        sent = await desk.write(_send, desk.site.site_id, code, note, watch_s)
    except (Conflict, Invalid) as error:
        asked = (desk.site.site_id, code, "devices", "", {"note": note}, str(error))
        return await desk.page("configurations/edit.html", status=422, view=await desk.read(_edit, *asked))
    return desk.go(
        f"/gateways/{code}/configuration/{sent.number}", "configuration-sent", number=str(sent.number)
    )


async def withdraw(desk: Desk) -> web.StreamResponse:
    """Take back a draft, or what the gateway has not got yet."""
    matched = desk.request.match_info
    asked = (desk.site.site_id, matched["code"], int(matched["version"]))
    await desk.write(_withdraw, *asked)
    path = f"/gateways/{matched['code']}/configuration"
    return desk.go(path, "configuration-withdrawn", number=matched["version"])


def _overview(tx: Tx, actor: User, site_id: SiteId, code: str) -> OverviewView:
    gateway = find_gateway(tx, actor, site_id, code)
    on_its_way = configurations.under_way(tx, actor, gateway.gateway_id)
    found = configurations.list_configurations(tx, actor, gateway.gateway_id, None, _VERSIONS_SHOWN)
    return OverviewView(
        gateway,
        configurations.running(tx, actor, gateway.gateway_id),
        configurations.draft_of(tx, actor, gateway.gateway_id),
        on_its_way,
        way_of(on_its_way) if on_its_way is not None else (),
        found.items,
    )


def _version(
    tx: Tx, actor: User, site_id: SiteId, code: str, number: int, compared: int | None
) -> VersionView:
    gateway = find_gateway(tx, actor, site_id, code)
    one = configurations.find_number(tx, actor, gateway.gateway_id, number)
    _, steps = configurations.get_configuration(tx, actor, one.configuration_id)
    others = configurations.list_configurations(tx, actor, gateway.gateway_id, None, _VERSIONS_SHOWN).items
    with_number = compared if compared is not None else one.based_on
    before = next((other for other in others if other.number == with_number), None)
    changed = difference(before.document if before is not None else Document(""), one.document)
    runs = configurations.running(tx, actor, gateway.gateway_id)
    is_running = runs is not None and runs.number == one.number
    rest = tuple(other for other in others if other.number != one.number)
    return VersionView(gateway, one, before, changed, tuple(steps), way_of(one), rest, is_running)


def _edit(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    code: str,
    part: str,
    name: str,
    typed: Mapping[str, str],
    error: str,
) -> EditView:
    gateway, draft = _draft(tx, actor, site_id, code)
    runs = configurations.running(tx, actor, gateway.gateway_id)
    tables = draft.document.tables()
    entries = {table: tuple(_entries(tables.get(table))) for table in EDITABLE}
    if not typed:
        typed = _typed(draft.document, part, name)
    before = Document("") if runs is None else runs.document
    own = None if runs is None else runs.document
    return EditView(
        gateway,
        draft,
        runs,
        entries,
        part if part in (*EDITABLE, "text", "profiles") else "devices",
        name,
        typed,
        error,
        problems_of(draft.document, own),
        difference(before, draft.document),
        tuple(entry.name for entry in entries["lines"]),
        (*profile_names(), *draft.document.profiles),
    )


def _typed(document: Document, part: str, name: str) -> Mapping[str, str]:
    """Return what the open form holds before anybody has typed."""
    if part == "text":
        return {"text": document.text}
    if part == "profiles":
        return {"profile": name, "text": document.profiles.get(name, "")}
    if not name or part not in EDITABLE:
        return {}
    if part != "devices":
        return {"entry": entry_text(document.text, part, name)}
    device = _by_id(document, "devices", name)
    values = {key: str(device[key]) for key in DEVICE_KEYS if key in device}
    return {**values, "rest": rest_of_device(document.text, name)}


def _begin(tx: Tx, actor: User, site_id: SiteId, code: str, number: int | None) -> Configuration:
    gateway = find_gateway(tx, actor, site_id, code)
    if number is not None:
        earlier = configurations.find_number(tx, actor, gateway.gateway_id, number)
        return configurations.revert(tx, actor, earlier.configuration_id)
    draft = configurations.draft_of(tx, actor, gateway.gateway_id)
    if draft is not None:
        return draft
    runs = configurations.running(tx, actor, gateway.gateway_id)
    if runs is None:
        raise Conflict(
            f"gateway {gateway.code} has not told what runs there: it does so when it next says hello"
        )
    return configurations.write_draft(tx, actor, gateway.gateway_id, runs.document)


def _write(tx: Tx, actor: User, site_id: SiteId, code: str, typed: Mapping[str, str]) -> None:
    gateway, draft = _draft(tx, actor, site_id, code)
    document = _edited(draft.document, typed)
    configurations.write_draft(tx, actor, gateway.gateway_id, document, draft.note)


def _edited(document: Document, typed: Mapping[str, str]) -> Document:
    """Return the draft as it is after one act of its forms."""
    part, name = typed.get("part", ""), typed.get("name", "")
    is_removal = typed.get("act") == "remove"
    if part == "text":
        return Document(typed.get("text", ""), document.profiles)
    if part == "profiles":
        own = dict(document.profiles)
        if is_removal:
            own.pop(name, None)
        else:
            own[_profile_name(typed.get("profile", ""))] = typed.get("text", "")
        return Document(document.text, own)
    if part not in EDITABLE:
        raise NotFound(f"a configuration has no {part!r} to edit")
    if is_removal:
        return Document(without_entry(document.text, part, name), document.profiles)
    entry = typed.get("entry", "")
    if part == "devices":
        was = _by_id(document, part, name).get("address") if name else None
        entry = device_entry(typed, typed.get("rest", ""), was)
    return Document(with_entry(document.text, part, name, entry), document.profiles)


def _profile_name(text: str) -> str:
    name = text.strip()
    stem = name.removesuffix(".toml")
    if not stem.isascii() or not stem.replace("_", "").replace("-", "").isalnum():
        raise Invalid(f"a profile is named with letters, digits, - and _, not {name!r}")
    return f"{stem}.toml"


def _send(tx: Tx, actor: User, site_id: SiteId, code: str, note: str, watch_s: int) -> Configuration:
    _, draft = _draft(tx, actor, site_id, code)
    return configurations.send(tx, actor, draft.configuration_id, note, watch_s)


def _withdraw(tx: Tx, actor: User, site_id: SiteId, code: str, number: int) -> Configuration:
    gateway = find_gateway(tx, actor, site_id, code)
    one = configurations.find_number(tx, actor, gateway.gateway_id, number)
    return configurations.withdraw(tx, actor, one.configuration_id)


def _draft(tx: Tx, actor: User, site_id: SiteId, code: str) -> tuple[Gateway, Configuration]:
    gateway = find_gateway(tx, actor, site_id, code)
    draft = configurations.draft_of(tx, actor, gateway.gateway_id)
    if draft is None:
        raise NotFound(f"nobody is writing a configuration for gateway {gateway.code}")
    return gateway, draft


def _entries(table: object) -> Sequence[Entry]:
    found: list[Entry] = []
    for one in table if isinstance(table, list) else []:
        about = str(one.get("profile") or one.get("transport") or one.get("kind") or "")
        detail = [one.get("line"), one.get("address"), one.get("path"), one.get("host"), one.get("points")]
        shown = [
            ", ".join(map(str, part)) if isinstance(part, list) else str(part) for part in detail if part
        ]
        found.append(Entry(str(one.get("id", "")), about, " · ".join(shown)))
    return found


def _by_id(document: Document, table: str, name: str) -> Mapping[str, object]:
    found = document.tables().get(table)
    for one in found if isinstance(found, list) else []:
        if one.get("id") == name:
            return dict(one)
    raise NotFound(f"{table}: there is no {name!r}")
