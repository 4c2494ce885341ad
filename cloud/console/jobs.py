"""The technician's phone: my repairs, the next first, and one with its next step as a large button."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.repair_view import RepairPage, RepairRow, find_repair, perform, repair_page, rows_of
from cloud.console.uploads import Sent, read_form
from cloud.domain.errors import Conflict, Invalid
from cloud.domain.ids import SiteId
from cloud.domain.repair import UNFINISHED, WAITING, RepairState, Urgency
from cloud.domain.user import User
from cloud.services import repairs
from cloud.store.db import Tx

_ROWS = 100
_DONE_SHOWN = 10


@dataclass(frozen=True, slots=True)
class JobsView:
    """What is mine, the most pressing first; what nobody has; what I finished lately."""

    mine: tuple[RepairRow, ...]
    free: tuple[RepairRow, ...]
    done: tuple[RepairRow, ...]


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show the technician's repairs."""
    view = await desk.read(_jobs, desk.site.site_id, desk.format)
    if "part" in desk.request.query:
        return desk.part("jobs/rows.html", view=view)
    return await desk.page("jobs/list.html", tab="/jobs", view=view)


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one repair with its next step."""
    view = await _one(desk)
    if "part" in desk.request.query:
        return desk.part("repairs/progress.html", view=view)
    return await desk.page("jobs/job.html", tab="/jobs", view=view)


async def act(desk: Desk) -> web.StreamResponse:
    """Do what a form on the page asks for."""
    number = desk.request.match_info["repair"]
    found = await desk.read(find_repair, desk.site.site_id, number)
    sent = Sent({})
    try:
        sent = await read_form(desk.request)
        await perform(desk, found.repair.repair_id, sent)
    except (Conflict, Invalid) as error:
        view = await _one(desk, str(error), sent.values)
        return await desk.page("jobs/job.html", status=422, tab="/jobs", view=view)
    return desk.go(f"/jobs/{number}", "repair-changed", number=number)


async def _one(desk: Desk, error: str = "", typed: Mapping[str, str] | None = None) -> RepairPage:
    number = desk.request.match_info["repair"]
    return await desk.read(_page, desk.site.site_id, number, desk.format, error, typed)


def _page(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    number: str,
    fmt: Format,
    error: str,
    typed: Mapping[str, str] | None,
) -> RepairPage:
    found = find_repair(tx, actor, site_id, number)
    # Photos come from the staff's page of the repair, which every technician may open.
    return repair_page(tx, actor, found, fmt, f"/repairs/{number}", error, typed)


def _jobs(tx: Tx, actor: User, site_id: SiteId, fmt: Format) -> JobsView:
    everything = repairs.list_repairs(tx, actor, site_id, UNFINISHED, None, _ROWS).items
    rows = rows_of(everything, fmt.now_ms)
    over = frozenset({RepairState.DONE, RepairState.CONFIRMED})
    finished = repairs.list_repairs(
        tx, actor, site_id, over, None, _DONE_SHOWN, assignee_id=actor.user_id
    ).items
    return JobsView(
        tuple(sorted((row for row in rows if row.repair.assignee_id == actor.user_id), key=_pressing)),
        tuple(
            sorted(
                (row for row in rows if row.repair.assignee_id is None and row.repair.state in WAITING),
                key=_pressing,
            )
        ),
        rows_of(finished, fmt.now_ms),
    )


def _pressing(row: RepairRow) -> tuple[bool, int]:
    is_calm = row.repair.urgency is not Urgency.EMERGENCY
    is_waiting = row.repair.state in WAITING
    return is_calm, row.clock.respond_by_ms if is_waiting else row.clock.resolve_by_ms
