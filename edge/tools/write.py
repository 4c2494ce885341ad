"""Setting one point by the person at the box: a valve, a relay, a door, an output, a set-point.

The invariant: the person is held by the same interlocks, limits and reading back as the cloud, and what
was done is told as an event, since a supply that was switched on the spot is of interest far away.
"""

from collections.abc import Mapping

from edge.actuator import Actuator
from edge.clock import Clock
from edge.errors import EXCHANGE_FAILURES, EdgeError, Unconfirmed
from edge.intake import Intake
from edge.interlocks import interlocks_of
from edge.read_back import ReadBack
from protocol.command import ACTION_RULES, Action
from protocol.event import Event, EventState, Severity
from provisioning.config import Config, DeviceId

LOCAL_WRITE = "local_write"

# State points that are switched by an act of their own, by point and code.
_ACTS: Mapping[tuple[str, str], Action] = {
    rule.confirmed_by: action for action, rule in ACTION_RULES.items() if rule.confirmed_by is not None
}

_FAILURES: tuple[type[Exception], ...] = (*EXCHANGE_FAILURES, Unconfirmed)


async def write_point(
    config: Config,
    actuators: Mapping[DeviceId, Actuator],
    intake: Intake,
    clock: Clock,
    key: str,
    value: str,
) -> str:
    """Set the point and return what it shows then; EdgeError says why it was not, or may not have been."""
    device_id, _, point = key.partition("/")
    own = {code: action for (name, code), action in _ACTS.items() if name == point}
    if own and value not in own:
        raise EdgeError(f"{key}: {value!r} is not {' or '.join(sorted(own))}")
    action = own.get(value, Action.SET_POINT)
    actuator = actuators.get(DeviceId(device_id))
    if actuator is None or action not in actuator.actions:
        raise EdgeError(f"{key} cannot be set: {device_id!r} is no device here that can {action.value}")
    for interlock in interlocks_of(config.commands, intake):
        if action in interlock.actions and interlock.is_held():
            raise EdgeError(f"{key} is held: {interlock.reason}")
    parameters = {} if own else {"point": point, "value": value}
    shown = await _done(actuator, intake, clock, device_id, action, parameters)
    told = Event(
        LOCAL_WRITE,
        EventState.OCCURRED,
        Severity.INFO,
        key,
        clock.wall_ms(),
        f"set to {value} at the box: {shown}",
        attributes={"action": action.value, "value": value},
    )
    await intake.accept((), [told])
    return shown


async def _done(
    actuator: Actuator,
    intake: Intake,
    clock: Clock,
    device_id: str,
    action: Action,
    parameters: Mapping[str, str],
) -> str:
    back = ReadBack(intake, clock, actuator, device_id, action)
    try:
        said = await actuator.act(action, parameters)
    except _FAILURES as error:
        raise EdgeError(str(error)) from error
    if not back.point:
        return said
    shown = await back.shown()
    if shown != back.expected:
        raise EdgeError(f"{back.point} still reads {shown or 'nothing'}{'; ' + said if said else ''}")
    return f"{back.point} reads {shown}"
