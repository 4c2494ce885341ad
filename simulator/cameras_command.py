"""Three cameras of the building, to try a box with: `gatehouse simulate cameras`."""

import asyncio
import signal
import time
from contextlib import AsyncExitStack

import click

from protocol.onvif import DISCOVERY_PORT, Credential
from simulator.cameras import Camera, CameraMake, Discovery
from simulator.clock import Clock
from simulator.scenes import View

# A simulated building has no secrets.
DEMO_CAMERA = Credential("gatehouse", "demo-camera")
_HUNG = (
    ("cam-1", View("1 号楼大堂", "lobby")),
    ("cam-2", View("水泵房", "pump_room")),
    ("cam-3", View("地下车库 A 区", "garage")),
)


@click.command("cameras")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where they listen, and are found.")
@click.option(
    "--port", type=click.IntRange(0, 65_532), default=8_101, show_default=True, help="Of the first."
)
def cameras_command(host: str, port: int) -> None:
    """Play three ONVIF cameras until Ctrl-C: discovery, SOAP, pictures that are drawn."""
    try:
        asyncio.run(_play(host, port))
    except OSError as error:
        raise click.ClickException(str(error)) from error


async def _play(host: str, port: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    clock = Clock(lambda: time.time_ns() // 1_000_000)
    hung = [
        Camera(CameraMake(device_id, view, "IPC-T3", DEMO_CAMERA), clock, host) for device_id, view in _HUNG
    ]
    async with AsyncExitStack() as stack:
        for place, camera in enumerate(hung):
            await camera.open(port + place if port else 0)
            stack.push_async_callback(camera.close)
            click.echo(f"{camera.make.device_id} {camera.address} {camera.make.view.name}")
        discovery = Discovery(hung)
        await discovery.open(host, DISCOVERY_PORT)
        stack.callback(discovery.close)
        click.echo(f"user {DEMO_CAMERA.username}, password {DEMO_CAMERA.password}")
        await stopped.wait()
