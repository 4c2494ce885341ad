"""`gatehouse profiles`: which device models are known, what one of them offers, whether one is right.

A profile that `check` accepts loads, fits its driver and makes of its golden frames what it says.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from edge.golden import golden_differences
from protocol.quantity import decimal_from_micro
from provisioning.profile import PointProfile, Profile
from provisioning.profiles import load_profile, parse_profile, profile_names
from provisioning.strict import Malformed


@click.group()
def profiles() -> None:
    """List, show and check device profiles: a device model is one TOML file."""


@profiles.command("list")
@click.option("--protocol", default="", help="Only those of this protocol, e.g. modbus.")
def list_profiles(protocol: str) -> None:
    """List the profiles that come along."""
    for name in profile_names():
        profile = load_profile(name)
        if protocol in ("", profile.protocol):
            mark = "  (partial)" if profile.partial else ""
            count = len(profile.points)
            click.echo(f"{name:<28} {profile.protocol:<17} {count:>3} points  {profile.title}{mark}")


@profiles.command()
@click.argument("name")
def show(name: str) -> None:
    """Show the points of profile NAME, or of a FILE ending in .toml."""
    for line in _shown(_loaded(name)):
        click.echo(line)


@profiles.command()
@click.argument("names", nargs=-1, metavar="[NAME|FILE.toml]...")
def check(names: tuple[str, ...]) -> None:
    """Check profiles and replay their golden frames through the driver; all that come along without a name.

    Ends with 1 if one is wrong.
    """
    problems = 0
    for name in names or profile_names():
        profile = _loaded(name)
        try:
            differences = list(golden_differences(profile))
        except Malformed as error:
            differences = list(error.problems)
        problems += len(differences)
        for difference in differences:
            click.echo(f"{name}: {difference}", err=True)
        if differences:
            continue
        frames = len(profile.golden)
        told = f"golden frames as they should be: {frames}" if frames else "no golden frame to prove it"
        click.echo(f"{name}: points: {len(profile.points)}, {told}")
        if profile.partial:
            click.echo(f"{name}: partial: {profile.partial}")
    if problems:
        raise click.exceptions.Exit(1)


def _loaded(name: str) -> Profile:
    try:
        if not name.endswith(".toml"):
            return load_profile(name)
        path = Path(name)
        return parse_profile(path.read_text(encoding="utf-8"), path.stem)
    except Malformed as error:
        raise click.ClickException(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{name} cannot be read: {error}") from None


def _shown(profile: Profile) -> Iterator[str]:
    yield f"{profile.name}: {profile.title}"
    yield f"protocol {profile.protocol}; {profile.source}"
    if profile.partial:
        yield f"partial: {profile.partial}"
    for point in profile.points:
        yield f"  {point.name:<32} {_meaning(point)}"
    for event in profile.message_events:
        yield f"  {event.point:<32} event of {event.key}: {', '.join(sorted(set(event.values.values())))}"


def _meaning(point: PointProfile) -> str:
    quantity = point.quantity
    meaning = quantity.unit or ", ".join(quantity.codes.values()) or "number"
    if quantity.name != point.name:
        meaning = f"{meaning} ({quantity.name})"
    if point.is_billing:
        meaning += ", may be billed"
    if point.alarm is not None:
        meaning += f", alarm {point.alarm.kind}"
    if point.write is not None:
        low, high = (decimal_from_micro(micro) for micro in (point.write.min_micro, point.write.max_micro))
        meaning += ", may be set" if quantity.codes else f", may be set from {low:f} to {high:f}"
    return meaning
