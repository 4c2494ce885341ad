"""The cameras of the network, and what to write into the configuration for each."""

import click

from edge.cli import run_async
from edge.discovery import LOOK_S, find_cameras
from protocol.onvif import Match


@click.command("find-cameras")
@click.option("--interface", default="", help="An address of this machine on the cameras' network.")
@click.option(
    "--seconds", type=float, default=LOOK_S, show_default=True, help="How long to wait for answers."
)
def find(interface: str, seconds: float) -> None:
    """Look for ONVIF cameras on the network (WS-Discovery) and print what to write for each."""
    found = run_async(find_cameras(interface, seconds))
    for number, match in enumerate(found, start=1):
        for line in proposal(number, match):
            click.echo(line)
    if not found:
        raise click.ClickException(
            "no camera answers: ONVIF may be off in the camera, or it is on another network (--interface)"
        )


def proposal(number: int, match: Match) -> list[str]:
    """Return the table of one camera, with what it says of itself as a remark."""
    said = ", ".join(text for text in (match.name, match.hardware, match.location) if text)
    address = match.addresses[0].partition("://")[2].partition("/")[0].rpartition("@")[2]
    remark = "".join(letter for letter in f"{said or 'camera'}; {match.endpoint}" if letter.isprintable())
    return [
        "",
        f"# {remark}",
        "[[devices]]",
        f'id = "cam-{number}"',
        'line = "cameras"',
        'profile = "onvif_camera"',
        f'address = "{address.removesuffix(":80")}"',
    ]
