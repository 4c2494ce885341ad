"""Events: everything that happened, for the record and the feed."""

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Route, View, page_of
from cloud.api.words import SEVERITIES, SeverityWord
from cloud.domain.access import Action
from cloud.domain.ids import SiteId
from cloud.domain.overview import EventLine
from cloud.services import alarms
from protocol.event import EventState


class EventQuery(PageQuery, frozen=True):
    """Whose events."""

    site_id: Id | None = None


class EventView(View, frozen=True):
    """One event; `is_historical` ones were told late and made no noise."""

    event_id: str
    kind: str
    state: EventState
    severity: SeverityWord
    point_key: str
    device_title: str
    occurred_at_ms: int
    received_at_ms: int
    message: str
    is_historical: bool


async def list_events(call: Call[EventQuery, Nothing]) -> Page[EventView]:
    """List events, the last first."""
    query = call.query
    site_id = None if query.site_id is None else SiteId(query.site_id)
    return page_of(await call.read(alarms.list_events, site_id, query.cursor, query.limit), event_view)


def event_view(line: EventLine) -> EventView:
    """Return an event as it is told."""
    return EventView(
        event_id=line.event_id,
        kind=line.kind,
        state=line.state,
        severity=SEVERITIES[line.severity],
        point_key=line.point_key,
        device_title=line.device_title,
        occurred_at_ms=line.occurred_at_ms,
        received_at_ms=line.received_at_ms,
        message=line.message,
        is_historical=line.is_historical,
    )


ROUTES = (
    Route(
        "GET",
        "/api/v1/events",
        "List events",
        Action.READ_ALARMS,
        list_events,
        Page[EventView],
        query=EventQuery,
    ),
)
