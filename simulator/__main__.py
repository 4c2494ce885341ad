"""The `gatehouse simulate` command: run the building, and let things happen in a running one.

Besides tests the only place of the simulator that reads the real clock.
"""

import asyncio
import json
import logging
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import click
from aiohttp import web

from protocol.onvif import DISCOVERY_PORT
from simulator.building import (
    DEMO_CAMERA_PASSWORD,
    DEMO_CARD_KEY,
    DEMO_READER_KEY,
    DEMO_RELAY_PASSWORD,
    DEVICES,
    DOORS,
    devices_on,
)
from simulator.cameras_command import cameras_command
from simulator.cashier_command import cashier_command
from simulator.control import make_control
from simulator.door_reader import reader_on_a_line
from simulator.edge_config import (
    CAMERA_PASSWORD_FILE,
    CARD_KEY_FILE,
    READER_KEY_FILE,
    RELAY_PASSWORD_FILE,
    edge_config,
)
from simulator.endpoints import TURNAROUND_MS
from simulator.faults import FaultKind
from simulator.panel_caller import SAYINGS, NotConfirmed, dc09_message, deliver, gb26875_message
from simulator.simulation import DEFAULT_SEED, Places, Settings, Simulation
from simulator.site_document import Occasion, write_site_document, year_start

DEFAULT_CONTROL_PORT = 8090
DEFAULT_MQTT_PORT = 18830
# What the edge is told in files beside its configuration.
_SECRETS = {
    CAMERA_PASSWORD_FILE: DEMO_CAMERA_PASSWORD,
    CARD_KEY_FILE: DEMO_CARD_KEY,
    READER_KEY_FILE: DEMO_READER_KEY,
    RELAY_PASSWORD_FILE: DEMO_RELAY_PASSWORD,
}
# Of the users in the document written by --write-cloud-setup; a demonstration has no secrets.
DEMO_PASSWORD = "gatehouse-demo"  # noqa: S105

_CONTROL_TIMEOUT_S = 10.0


def real_ms() -> int:
    """Return the real time in milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


_port = click.IntRange(0, 65_535)
_path = click.Path(dir_okay=False, path_type=Path)


@click.group(invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--control-port", type=_port, default=DEFAULT_CONTROL_PORT, show_default=True)
@click.option("--bus-1-link", type=_path, help="A symbolic link to the pseudo-terminal of bus-1.")
@click.option("--bus-2-port", type=_port, default=0, help="The TCP serial server.  [default: any]")
@click.option(
    "--meters-port", type=_port, default=0, help="Modbus TCP: em-main 1, em-pump 2.  [default: any]"
)
@click.option("--lift-port", type=_port, default=0, help="Modbus TCP: lift-1.  [default: any]")
@click.option("--fire-port", type=_port, default=0, help="Modbus TCP: fire-1.  [default: any]")
@click.option("--garage-port", type=_port, default=0, help="Modbus RTU over UDP: em-garage.  [default: any]")
@click.option("--mbus-port", type=_port, default=0, help="M-Bus behind TCP: hm-1.  [default: any]")
@click.option(
    "--dtu-port", type=_port, default=0, help="Where the DTU calls the gateway: em-charger, em-shop."
)
@click.option(
    "--mqtt-host", default="127.0.0.1", show_default=True, help="The broker for lock and leak sensor."
)
@click.option("--mqtt-port", type=_port, default=DEFAULT_MQTT_PORT, show_default=True)
@click.option(
    "--broker/--no-broker", default=True, show_default=True, help="Serve MQTT on that port ourselves."
)
@click.option(
    "--door-reader/--no-door-reader", default=True, show_default=True, help="An OSDP reader on a terminal."
)
@click.option("--cameras/--no-cameras", default=True, show_default=True, help="Three ONVIF cameras.")
@click.option("--no-mqtt", is_flag=True, help="Leave lock and leak sensor out.")
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), default=1.0, help="Times real time.")
@click.option("--seed", type=int, default=DEFAULT_SEED, show_default=True, help="Another seed, another year.")
@click.option("--at", "at_ms", type=int, help="Stand at this instant (ms since 1970) until PUT /clock.")
@click.option(
    "--turnaround-ms", type=click.IntRange(0, 500), default=TURNAROUND_MS, help="Before a slave answers."
)
@click.option("--write-edge-config", type=_path, help="Write an edge configuration for this building.")
@click.option("--credential-file", type=_path, help="To be named in that configuration.")
@click.option("--edge-page-port", type=_port, default=0, help="The edge's page in it.  [default: none]")
@click.option("--write-cloud-setup", type=_path, help="Write the site document for `gatehouse db load`.")
@click.option(
    "--opened-on",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Since when accounts and meters are known in it.  [default: January the first]",
)
@click.pass_context
def simulate(context: click.Context, /, **options: Any) -> None:
    """Run a building of 24 flats that speaks real wire protocols, until Ctrl-C.

    Prints where everything is. The control port has a page for people: values, faults, the clock.
    """
    if context.invoked_subcommand is None:
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
        try:
            asyncio.run(_run(_settings(options), options))
        except OSError as error:
            raise click.ClickException(str(error)) from error


def _settings(options: dict[str, Any]) -> Settings:
    return Settings(
        host=options["host"],
        bus_1_link=options["bus_1_link"],
        bus_2_port=options["bus_2_port"],
        meters_port=options["meters_port"],
        lift_port=options["lift_port"],
        fire_port=options["fire_port"],
        garage_port=options["garage_port"],
        mbus_port=options["mbus_port"],
        dtu_port=options["dtu_port"],
        mqtt_host=options["mqtt_host"],
        mqtt_port=None if options["no_mqtt"] else options["mqtt_port"],
        has_broker=options["broker"] and not options["no_mqtt"],
        seed=options["seed"],
        turnaround_ms=options["turnaround_ms"],
        has_callers=True,
        has_door_reader=options["door_reader"],
        has_cameras=options["cameras"],
        discovery_port=DISCOVERY_PORT,
    )


async def _run(settings: Settings, options: dict[str, Any]) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with Simulation(settings, real_ms) as simulation:
        if options["at_ms"] is not None:
            simulation.clock.stand_at(options["at_ms"])
        elif options["speed"] != 1.0:
            simulation.clock.follow(factor=options["speed"])
        _write_documents(simulation, options)
        runner = web.AppRunner(make_control(simulation), access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, settings.host, options["control_port"])
            await site.start()
            _tell(simulation.places, site.port)
            await stopped.wait()
        finally:
            await runner.cleanup()


def _write_documents(simulation: Simulation, options: dict[str, Any]) -> None:
    if options["write_edge_config"] is not None:
        text = edge_config(
            simulation.places,
            credential_file=options["credential_file"],
            page_port=options["edge_page_port"],
        )
        options["write_edge_config"].write_text(text, encoding="utf-8")
        for name, secret in _SECRETS.items():
            file = options["write_edge_config"].with_name(name)
            file.write_text(secret + "\n", encoding="ascii")
            file.chmod(0o600)
    if options["write_cloud_setup"] is not None:
        now_ms = simulation.clock.now_ms()
        opened_on = options["opened_on"]
        since = year_start(now_ms) if opened_on is None else opened_on.date()
        occasion = Occasion(since, now_ms, DEMO_PASSWORD)
        options["write_cloud_setup"].write_bytes(write_site_document(simulation.building, occasion))


def _tell(places: Places, control_port: int) -> None:
    lines = {
        "control": f"http://{places.host}:{control_port}/",
        "bus-1": f"{places.bus_1_path} (serial)",
        "bus-2": f"{places.host}:{places.bus_2_port} (TCP serial server)",
        "meters-tcp": f"{places.host}:{places.meters_port} (Modbus TCP)",
        "lift-tcp": f"{places.host}:{places.lift_port} (Modbus TCP)",
        "fire-tcp": f"{places.host}:{places.fire_port} (Modbus TCP)",
        "garage-udp": f"{places.host}:{places.garage_port} (Modbus RTU over UDP)",
        "mbus-1": f"{places.host}:{places.mbus_port} (M-Bus behind a TCP level converter)",
        "dtu-1": f"calls {places.host}:{places.dtu_port} (serial server that dials in)",
        "doors": "off" if places.doors_path is None else f"{places.doors_path} (OSDP)",
        "cameras": ", ".join(places.cameras.values()) or "off",
        "mqtt": "off" if places.mqtt_port is None else f"{places.mqtt_host}:{places.mqtt_port} (zigbee2mqtt)",
    }
    for name, place in lines.items():
        click.echo(f"{name:<11} {place}")


_control = click.option(
    "--control",
    default=f"http://127.0.0.1:{DEFAULT_CONTROL_PORT}",
    show_default=True,
    help="The control port of the running simulator.",
)


simulate.add_command(cameras_command)
simulate.add_command(cashier_command)


@simulate.command("fault")
@_control
@click.argument("device", metavar="DEVICE")
@click.argument("kind", type=click.Choice([kind.value for kind in FaultKind]))
@click.option("--delay-ms", type=int, help="late_reply: how late.")
@click.option("--zone", type=click.IntRange(1, 8), help="fire_alarm: which zone.")
@click.option(
    "--start-value", type=int, help="meter_exchanged: the new meter's first reading, in last digits."
)
@click.option("--replies", type=click.IntRange(1), help="End a wire fault after so many replies.")
def fault_command(control: str, device: str, kind: str, **options: int | None) -> None:
    """Let something go wrong: `gatehouse simulate fault fire-1 fire_alarm --zone 3`."""
    wish = {"device": device, "kind": kind, **{k: v for k, v in options.items() if v is not None}}
    answer = _ask("POST", control, "/faults", wish)
    click.echo(f"fault {answer['id']}: {device} {kind}")


@simulate.command("repair")
@_control
@click.argument("fault_id", type=int)
def repair_command(control: str, fault_id: int) -> None:
    """End a fault by its number."""
    answer = _ask("DELETE", control, f"/faults/{fault_id}")
    click.echo(f"fault {fault_id}: {answer['device']} {answer['kind']} has ended")


@simulate.command("card")
@_control
@click.argument("number", type=click.IntRange(0))
def card_command(control: str, number: int) -> None:
    """Hold the card of this number to the building's door reader."""
    (reader,) = devices_on(DOORS)
    wish = {"device": reader.device_id, "action": "card", "code": str(number)}
    _ask("POST", control, "/events", wish)
    click.echo(f"card {number} was shown")


@simulate.command("clock")
@_control
@click.option("--at", "at_ms", type=int, help="Stand at this instant, ms since 1970.")
@click.option("--follow", type=float, metavar="FACTOR", help="Run at so many times real time from now.")
def clock_command(control: str, at_ms: int | None, follow: float | None) -> None:
    """Set the building's clock."""
    if (at_ms is None) == (follow is None):
        raise click.UsageError("say either --at or --follow")
    wish = {"at_ms": at_ms} if follow is None else {"follow": "real", "factor": follow}
    answer = _ask("PUT", control, "/clock", wish)
    click.echo(f"at {answer['at_ms']} ms, factor {answer['factor']:g}")


@simulate.command("panel")
@click.argument("saying", type=click.Choice(SAYINGS))
@click.option("--to", "target", required=True, metavar="HOST:PORT", help="Where the gateway listens.")
@click.option(
    "--protocol", type=click.Choice(("gb26875.3", "sia-dc09")), default="gb26875.3", show_default=True
)
@click.option("--address", required=True, help="Source address (12 hex digits), or the account.")
@click.option("--place", type=click.IntRange(1, 200), default=17, show_default=True, help="Detector or zone.")
def panel_command(saying: str, target: str, protocol: str, address: str, place: int) -> None:
    """Be a fire panel's transmitter, or an alarm panel, and say one thing until it is confirmed."""
    host, _, port = target.rpartition(":")
    if not host or not port.isdecimal():
        raise click.UsageError(f"{target!r} is not HOST:PORT")
    now_ms = real_ms()
    build = gb26875_message if protocol == "gb26875.3" else dc09_message
    message = build(saying, address, place, now_ms // 1000 % 60_000, now_ms)
    try:
        attempts = asyncio.run(deliver(message, host, int(port)))
    except NotConfirmed as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{saying} confirmed, told {attempts} time{'s' if attempts > 1 else ''}")


@simulate.command("reader")
@click.option("--link", type=_path, required=True, help="Made to point to the reader's line.")
@click.option("--address", type=click.IntRange(0, 126), default=5, show_default=True)
@click.option("--key-file", type=_path, help="32 hex digits; without, it speaks in the clear.")
def reader_command(link: Path, address: int, key_file: Path | None) -> None:
    """Be an OSDP door reader: type `card 12345678`, `open`, `close` or `quit`; see what it is told."""
    try:
        key = None if key_file is None else bytes.fromhex(key_file.read_text(encoding="utf-8").strip())
        with reader_on_a_line(link, address, key, click.echo) as reader:
            for line in sys.stdin:
                match line.split():
                    case ["card", digits]:
                        reader.show_card(bytes.fromhex(digits))
                    case ["open" | "close" as word]:
                        reader.open_case(is_open=word == "open")
                    case ["quit"]:
                        return
                    case _:
                        click.echo("card HEX, open, close or quit", err=True)
    except (ImportError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error


@simulate.command("state")
@_control
@click.argument("device", required=False)
def state_command(control: str, device: str | None) -> None:
    """Print what every device shows, or one."""
    if device is not None and device not in {known.device_id for known in DEVICES}:
        raise click.UsageError(f"there is no device {device!r}")
    for shown in _ask("GET", control, "/state")["devices"]:
        if device in (None, shown["id"]):
            values = ", ".join(f"{point} {value}" for point, value in shown["values"].items())
            click.echo(f"{shown['id']:<10} {values}")


def _ask(method: str, control: str, path: str, body: dict[str, Any] | None = None) -> Any:
    url = control.rstrip("/") + path
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - a person gave the address
        url, data=data, method=method, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_CONTROL_TIMEOUT_S) as response:  # noqa: S310
            return json.load(response)
    except urllib.error.HTTPError as error:
        told = error.read()
        if error.headers.get_content_type() != "application/json":
            raise click.ClickException(f"what answers at {url} is no simulator: {error}") from error
        raise click.ClickException(str(json.loads(told).get("error", error.reason))) from error
    except (urllib.error.URLError, ValueError) as error:
        raise click.ClickException(f"no simulator answers at {url}: {error}") from error


if __name__ == "__main__":
    simulate()
