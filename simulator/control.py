"""The control port: how tests and people look at the building and let things happen in it.

    GET    /                  a page for people
    GET    /state             time, places, faults and every device with the values it shows
    PUT    /clock             {"at_ms": 1790000000000} to stand there, or
                              {"follow": "real", "factor": 60, "from_ms": …} to run
    POST   /faults            {"device": "em-101", "kind": "dead", …}; answers the fault with its id
    DELETE /faults/{id}       put it right
    POST   /events            {"device": "lock-1", "action": "unlock", "user": 7}, or
                              {"device": "door-1", "action": "card", "code": "4711101"}
    GET    /ledger            how many readings were issued, in all and by device
    GET    /ledger/items      ?first=0&limit=10000: the readings themselves, in columns

The invariant: a request that is answered with success has taken effect before the answer.
"""

from http import HTTPStatus
from importlib import resources
from typing import Literal, TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from protocol.quantity import QUANTITIES, decimal_from_micro
from simulator.building import DEVICES, DOORS, Device, devices_on
from simulator.faults import LATE_REPLY_MS, Fault, FaultKind, kinds_for
from simulator.maps import TOLD_BY_THE_BOX, shown_values
from simulator.simulation import Simulation
from simulator.wireless import Action

SIMULATION = web.AppKey("simulation", Simulation)

LEDGER_ITEMS_MAX = 50_000  # about two megabytes of JSON

_T = TypeVar("_T")


class ClockWish(msgspec.Struct, forbid_unknown_fields=True):
    """Either `at_ms`, to stand there, or `follow`, to run."""

    at_ms: int | None = None
    follow: Literal["real"] | None = None
    factor: float = 1.0
    from_ms: int | None = None


class FaultWish(msgspec.Struct, forbid_unknown_fields=True):
    """A fault to be caused; `replies` ends a wire fault after so many replies."""

    device: str
    kind: FaultKind
    delay_ms: int = LATE_REPLY_MS
    zone: int = 1
    start_value: int = 0
    replies: int | None = None


class EventWish(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody does at a door."""

    device: str
    action: str
    user: int = 0
    code: str = ""  # typed at its keypad


def make_control(simulation: Simulation) -> web.Application:
    """Return the control port's application."""
    app = web.Application(middlewares=[_explain])
    app[SIMULATION] = simulation
    app.router.add_get("/", _page)
    app.router.add_get("/state", _state)
    app.router.add_put("/clock", _set_clock)
    app.router.add_post("/faults", _add_fault)
    app.router.add_delete("/faults/{id:[0-9]+}", _end_fault)
    app.router.add_post("/events", _do_event)
    app.router.add_get("/ledger", _ledger)
    app.router.add_get("/ledger/items", _ledger_items)
    return app


@web.middleware
async def _explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
    except (ValueError, msgspec.DecodeError) as error:
        return _json({"error": str(error)}, HTTPStatus.BAD_REQUEST)
    return response


async def _page(request: web.Request) -> web.Response:
    del request
    page = resources.files("simulator").joinpath("page.html").read_text(encoding="utf-8")
    return web.Response(text=page, content_type="text/html")


async def _state(request: web.Request) -> web.Response:
    simulation = request.app[SIMULATION]
    at_ms = simulation.clock.now_ms()
    places = simulation.places
    return _json(
        {
            "at_ms": at_ms,
            "factor": simulation.clock.factor,
            "seed": simulation.settings.seed,
            "places": {
                "host": places.host,
                "bus_1_path": str(places.bus_1_path),
                "bus_2_port": places.bus_2_port,
                "meters_port": places.meters_port,
                "lift_port": places.lift_port,
                "fire_port": places.fire_port,
                "garage_port": places.garage_port,
                "mbus_port": places.mbus_port,
                "dtu_port": places.dtu_port,
                "mqtt_host": places.mqtt_host,
                "mqtt_port": places.mqtt_port,
                "doors_path": None if places.doors_path is None else str(places.doors_path),
                "cameras": dict(places.cameras),
            },
            "issued": len(simulation.ledger),
            "faults": [_fault_json(fault) for fault in simulation.faults.all()],
            "devices": [_device_json(simulation, device, at_ms) for device in DEVICES],
        }
    )


async def _set_clock(request: web.Request) -> web.Response:
    wish = await _body(request, ClockWish)
    clock = request.app[SIMULATION].clock
    if (wish.at_ms is None) == (wish.follow is None):
        raise ValueError("the clock wants either at_ms or follow")
    if wish.at_ms is not None:
        clock.stand_at(wish.at_ms)
    else:
        clock.follow(factor=wish.factor, from_ms=wish.from_ms)
    zigbee = request.app[SIMULATION].zigbee
    if zigbee is not None:
        zigbee.wake()
    return _json({"at_ms": clock.now_ms(), "factor": clock.factor})


async def _add_fault(request: web.Request) -> web.Response:
    wish = await _body(request, FaultWish)
    wanted = Fault(
        fault_id=0,
        device_id=wish.device,
        kind=wish.kind,
        since_ms=0,
        delay_ms=wish.delay_ms,
        zone=wish.zone,
        start_value=wish.start_value,
        replies_left=wish.replies,
    )
    fault = await request.app[SIMULATION].add_fault(wish.device, wanted)
    return _json(_fault_json(fault), HTTPStatus.CREATED)


async def _end_fault(request: web.Request) -> web.Response:
    fault_id = int(request.match_info["id"])
    try:
        fault = await request.app[SIMULATION].end_fault(fault_id)
    except KeyError:
        return _json({"error": f"there is no fault {fault_id}"}, HTTPStatus.NOT_FOUND)
    return _json(_fault_json(fault))


async def _do_event(request: web.Request) -> web.Response:
    wish = await _body(request, EventWish)
    doors, zigbee = request.app[SIMULATION].doors, request.app[SIMULATION].zigbee
    if wish.device in {device.device_id for device in devices_on(DOORS)}:
        if doors is None:
            raise ValueError("there is no door reader: libosdp is not on this machine")
        doors.show(int(wish.code))
        return _json({"device": wish.device, "action": wish.action}, HTTPStatus.ACCEPTED)
    if zigbee is None:
        raise ValueError("no broker: start the simulator with --mqtt-port")
    zigbee.do(Action(wish.device, wish.action, wish.user, wish.code))
    return _json({"device": wish.device, "action": wish.action}, HTTPStatus.ACCEPTED)


async def _ledger(request: web.Request) -> web.Response:
    ledger = request.app[SIMULATION].ledger
    return _json({"count": len(ledger), "by_device": dict(ledger.count_by_device())})


async def _ledger_items(request: web.Request) -> web.Response:
    ledger = request.app[SIMULATION].ledger
    first = int(request.query.get("first", "0"))
    limit = int(request.query.get("limit", str(LEDGER_ITEMS_MAX)))
    if first < 0 or not 1 <= limit <= LEDGER_ITEMS_MAX:
        raise ValueError(f"first is at least 0 and limit 1 to {LEDGER_ITEMS_MAX}")
    items = list(ledger.items(first, limit))
    return _json(
        {
            "count": len(ledger),
            "first": first,
            "device": [item.device_id for item in items],
            "point": [item.point for item in items],
            "value_micro": [item.value_micro for item in items],
            "at_ms": [item.at_ms for item in items],
        }
    )


def _device_json(simulation: Simulation, device: Device, at_ms: int) -> dict[str, object]:
    values = shown_values(device.profile, simulation.building.values_micro(device.device_id, at_ms))
    return {
        "id": device.device_id,
        "role": device.role.value,
        "title": device.title,
        "line": device.line_id,
        "address": device.address,
        "profile": device.profile,
        "values": {
            point: _told(TOLD_BY_THE_BOX.get(device.profile, {}).get(point, point), value_micro)
            for point, value_micro in values.items()
        },
        "faults": sorted(kind.value for kind in kinds_for(device)),
    }


def _told(point: str, value_micro: int) -> str:
    """Return a value as a person reads it: a state's word, or a number with its unit."""
    quantity = QUANTITIES.get(point) or QUANTITIES[point.rstrip("0123456789").rstrip("_")]
    value = decimal_from_micro(value_micro)
    if quantity.codes:
        return quantity.codes[int(value)]
    return f"{value:f} {quantity.unit}".rstrip()


def _fault_json(fault: Fault) -> dict[str, object]:
    return {
        "id": fault.fault_id,
        "device": fault.device_id,
        "kind": fault.kind.value,
        "since_ms": fault.since_ms,
        "until_ms": fault.until_ms,
        "replies_left": fault.replies_left,
    }


async def _body(request: web.Request, shape: type[_T]) -> _T:
    # A page of another origin can post forms, but no JSON without our consent.
    if request.content_type != "application/json":
        raise ValueError(f"the body is {request.content_type}, expected application/json")
    return msgspec.json.decode(await request.read(), type=shape)


def _json(value: object, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json", status=status)
