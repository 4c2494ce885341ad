"""Commands to devices: doors, valves, relays; who asked, what for, and what became of it."""

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, page_of, view_of
from cloud.domain.access import Action as Permission
from cloud.domain.announcement import Audience
from cloud.domain.command import REASON_LENGTH_MAX, REASON_LENGTH_MIN, CommandStep, IssuedCommand, Purpose
from cloud.domain.ids import CommandId, DeviceId, GatewayId, SiteId
from cloud.services import commands, valves
from protocol.command import Action, CommandState


class CommandQuery(PageQuery, frozen=True):
    """Which commands."""

    site_id: Id | None = None
    device_code: Annotated[str, Meta(max_length=64)] | None = None


class _NewCommand(Request, frozen=True):
    gateway_id: Id
    device_code: Annotated[str, Meta(min_length=1, max_length=64)]
    purpose: Purpose
    reason: Annotated[str, Meta(min_length=REASON_LENGTH_MIN, max_length=REASON_LENGTH_MAX)]


class DoorCommand(_NewCommand, frozen=True):
    """What is asked of which door, what for, and why in a person's words. There is no way to lock one."""

    action: Literal["door_unlock"]


class SupplyCommand(_NewCommand, frozen=True):
    """What is asked of which valve or relay, what for, and why.

    No purpose is about money: arrears never lead to such an act (Civil Code art. 944).
    """

    action: Literal["relay_close", "relay_open", "valve_close", "valve_open"]


class DeviceCommand(_NewCommand, frozen=True):
    """What is asked of which device, what for, and why; `parameters` as the action needs them."""

    action: Literal["broadcast_time", "freeze_totals", "raw_read", "set_point"]
    parameters: dict[str, Annotated[str, Meta(max_length=600)]] = field(default_factory=dict)


class CommandView(View, frozen=True):
    """One command and where it stands; `unknown` means that somebody must look."""

    command_id: str
    site_id: str
    gateway_id: str
    device_code: str
    device_title: str
    action: Action
    purpose: Purpose
    reason: str
    actor_id: str
    actor_name: str
    state: CommandState
    detail: str
    requested_at_ms: int
    sent_at_ms: int | None
    ended_at_ms: int | None


class BoxSignatureView(View, frozen=True):
    """The box's signature under how a command ended; check it with the certificate, without us."""

    statement: str
    signature: str
    key_hash: str
    certificate_pem: str | None


class CommandStepView(View, frozen=True):
    """One step of a command's life; the last is signed by the box, unless it runs an older agent."""

    at_ms: int
    state: CommandState
    detail: str
    by_edge_at_ms: int | None
    signature: BoxSignatureView | None


class CommandHistoryView(View, frozen=True):
    """A command and its steps, oldest first."""

    command: CommandView
    steps: tuple[CommandStepView, ...]


class BehindQuery(Request, frozen=True):
    """Since when they may have been told; as a rule when the valve was turned."""

    since_ms: Annotated[int, Meta(ge=0, le=2**48 - 1)] = 0


class AudienceView(View, frozen=True):
    """Whom an announcement to these homes is for."""

    building_ids: tuple[str, ...]
    unit_code: str
    riser: str


class BehindView(View, frozen=True):
    """The homes behind a device's valve, by code; none where nobody has said where it stands.

    `audience` is null for one home alone; `announcement_id` is what those homes have been told since.
    """

    space_codes: tuple[str, ...]
    audience: AudienceView | None
    announcement_id: str | None


async def list_homes_behind(call: Call[BehindQuery, Nothing]) -> BehindView:
    """List the homes behind a device's valve."""
    device_id = DeviceId(call.id("device_id"))
    behind = await call.read(valves.behind_device, device_id, call.query.since_ms)
    return BehindView(
        space_codes=behind.codes,
        audience=None if behind.audience is None else _audience_view(behind.audience),
        announcement_id=None if behind.told is None else behind.told.announcement_id,
    )


def _audience_view(audience: Audience) -> AudienceView:
    return AudienceView(
        building_ids=tuple(sorted(audience.building_ids)),
        unit_code=audience.unit_code,
        riser=audience.riser,
    )


async def list_commands(call: Call[CommandQuery, Nothing]) -> Page[CommandView]:
    """List commands, the last asked for first."""
    query = call.query
    site_id = None if query.site_id is None else SiteId(query.site_id)
    found = await call.read(commands.list_commands, site_id, query.cursor, query.limit, query.device_code)
    return page_of(found, command_view)


async def get_command(call: Call[Nothing, Nothing]) -> CommandHistoryView:
    """Return one command and its steps."""
    command, steps = await call.read(commands.get_command, CommandId(call.id("command_id")))
    return CommandHistoryView(command=command_view(command), steps=tuple(_step_view(step) for step in steps))


async def command_door(call: Call[Nothing, DoorCommand]) -> object:
    """Ask a door to open."""
    return await _request(call, call.body, {})


async def command_supply(call: Call[Nothing, SupplyCommand]) -> object:
    """Ask a valve or relay to turn."""
    return await _request(call, call.body, {})


async def command_device(call: Call[Nothing, DeviceCommand]) -> object:
    """Ask a device something only a technician asks."""
    return await _request(call, call.body, call.body.parameters)


async def _request(
    call: Call[Nothing, Any], new: DoorCommand | SupplyCommand | DeviceCommand, parameters: dict[str, str]
) -> object:
    return await call.create(
        command_view,
        commands.request,
        GatewayId(new.gateway_id),
        new.device_code,
        Action(new.action),
        new.purpose,
        new.reason,
        parameters,
    )


def command_view(command: IssuedCommand) -> CommandView:
    """Return a command as it is told."""
    return view_of(command, CommandView)


def _step_view(step: CommandStep) -> CommandStepView:
    signature = None if step.signature is None else view_of(step.signature, BoxSignatureView)
    return view_of(step, CommandStepView, signature=signature)


_ALL, _ONE = "/api/v1/commands", "/api/v1/commands/{command_id}"

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", _ALL, "List commands", Permission.READ_COMMANDS, list_commands, Page[CommandView], CommandQuery
    ),
    Route("GET", _ONE, "Show a command", Permission.READ_COMMANDS, get_command, CommandHistoryView),
    Route(
        "GET",
        "/api/v1/devices/{device_id}/homes-behind",
        "List the homes behind a valve",
        Permission.READ_COMMANDS,
        list_homes_behind,
        BehindView,
        query=BehindQuery,
        description="From the register of equipment, or because it is a home's own meter; never guessed.",
    ),
)

_ACCEPTED = "Accepted means written down; follow its state. "

ROUTES += tuple(
    Route(
        "POST",
        f"{_ALL}/{name}",
        summary,
        permission,
        handle,
        CommandView,
        body=body,
        status=202,
        creates=True,
        description=_ACCEPTED + note,
    )
    for name, summary, permission, handle, body, note in (
        (
            "devices",
            "Ask a device something technical",
            Permission.COMMAND_DEVICES,
            command_device,
            DeviceCommand,
            "",
        ),
        (
            "doors",
            "Ask a door to open",
            Permission.COMMAND_DOORS,
            command_door,
            DoorCommand,
            "A door is asked at most once, and never later than 15 s after.",
        ),
        (
            "supply",
            "Ask a valve or relay to turn",
            Permission.COMMAND_SUPPLY,
            command_supply,
            SupplyCommand,
            "No purpose is about money: arrears never lead to such an act.",
        ),
    )
)
