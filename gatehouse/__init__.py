"""The one console command. It mounts what each room offers and imports a room only when asked for it."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("gatehouse")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"
