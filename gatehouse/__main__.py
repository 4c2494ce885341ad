"""The `gatehouse` command: one click group that mounts what each room offers.

A room is imported only when its command is run or its own help is asked for, so an installation of
`gatehouse[edge]` never touches anything of the cloud's, and `gatehouse --help` is quick everywhere.
A command whose extra is not installed says which one it needs.
"""

import importlib
from dataclasses import dataclass

import click

from gatehouse import __version__

# Our own packages: a missing one is a broken installation, not a missing extra.
_ROOMS = frozenset({"protocol", "provisioning", "edge", "cloud", "simulator", "gatehouse"})


@dataclass(frozen=True, slots=True)
class Mount:
    """Where a command lives, which extra brings its dependencies, and its line in the overview."""

    module: str
    attribute: str
    extra: str
    summary: str


COMMANDS: dict[str, Mount] = {
    "bill": Mount("cloud.billing_cli", "bill", "cloud", "Rate billing cases with the real billing code."),
    "client": Mount("gatehouse.client.command", "client", "", "Write a typed Python client of the API."),
    "cloud": Mount("cloud.__main__", "cloud", "cloud", "Serve the API, the console and the gateways' door."),
    "db": Mount("cloud.__main__", "db", "cloud", "Create, upgrade and inspect the cloud's database."),
    "decode": Mount("gatehouse.decode", "decode", "edge", "Decode field-bus frames; check test vectors."),
    "demo": Mount("gatehouse.demo", "demo", "demo", "Run a whole simulated property on this machine."),
    "edge": Mount("edge.__main__", "edge", "edge", "Run the agent on the box in the building."),
    "import": Mount("cloud.import_cli", "import_group", "cloud", "Bring tables in, and undo it."),
    "profiles": Mount("edge.profiles", "profiles", "edge", "List, show and check device profiles."),
    "provision": Mount("provisioning.__main__", "provision", "", "Give a gateway its identity."),
    "simulate": Mount("simulator.__main__", "simulate", "demo", "Run a building that speaks wire protocols."),
}


class Rooms(click.Group):
    """The top-level group: names and summaries come from a table, code only on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command's name, installed or not, in alphabetical order."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the room's command; click.ClickException says which extra is missing."""
        del ctx
        mount = COMMANDS.get(cmd_name)
        return None if mount is None else _load(cmd_name, mount)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; one that imports its libraries late explains a missing extra all the same."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            raise _explained(error, ctx.invoked_subcommand or "") from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview from the table, without importing a room."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].summary) for name in sorted(COMMANDS)])


def _load(name: str, mount: Mount) -> click.Command:
    try:
        module = importlib.import_module(mount.module)
    except ModuleNotFoundError as error:
        raise _explained(error, name) from None
    command = getattr(module, mount.attribute)
    assert isinstance(command, click.Command), f"{mount.module}.{mount.attribute} is not a click command"
    return command


def _explained(error: ModuleNotFoundError, name: str) -> Exception:
    """Return what to tell a person of a missing library; the error itself if it is no missing extra."""
    missing = (error.name or "").partition(".")[0]
    mount = COMMANDS.get(name)
    if mount is None or not mount.extra or missing in _ROOMS:
        return error
    return click.ClickException(
        f"`gatehouse {name}`: this command needs gatehouse[{mount.extra}] (no module named {missing!r}); "
        f"install it with: pip install 'gatehouse[{mount.extra}]'"
    )


@click.command(cls=Rooms)
@click.version_option(__version__, prog_name="gatehouse")
def main() -> None:
    """Run a property's buildings: from field devices to bills, maintenance and alarms."""


if __name__ == "__main__":
    main()
