"""Three cameras of the building, to try a box with: `gatehouse simulate cameras`."""

import asyncio
import signal
import time
from contextlib import AsyncExitStack

import click

from protocol.onvif import DISCOVERY_PORT
from simulator.cameras import Discovery
from simulator.clock import Clock
from simulator.faults import FaultBook
from simulator.hung_cameras import DEMO_CAMERA, hung_cameras


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
    async with AsyncExitStack() as stack:
        hung = await stack.enter_async_context(hung_cameras(clock, host, FaultBook(), port))
        for camera in hung:
            click.echo(f"{camera.make.device_id} {camera.address} {camera.make.view.name}")
        discovery = Discovery(hung)
        await discovery.open(host, DISCOVERY_PORT)
        stack.callback(discovery.close)
        click.echo(f"user {DEMO_CAMERA.username}, password {DEMO_CAMERA.password}")
        await stopped.wait()
