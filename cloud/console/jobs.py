"""The technician's phone: my repairs, the next first, and one with its next step as a large button."""

from dataclasses import dataclass

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.repair_sheet import RepairSheet
from cloud.console.repair_view import RepairRow, rows_of
from cloud.domain.ids import SiteId
from cloud.domain.repair import UNFINISHED, WAITING, RepairState, Urgency
from cloud.domain.user import User
from cloud.services import repairs
from cloud.store.db import Tx

_ROWS = 100
# Photos come from the staff's page of the repair, which every technician may open.
_SHEET = RepairSheet("jobs/job.html", "/jobs", photos="/repairs", tab="/jobs")
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
    return await _SHEET.show(desk)


async def act(desk: Desk) -> web.StreamResponse:
    """Do what a form on the page asks for."""
    return await _SHEET.act(desk)


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
