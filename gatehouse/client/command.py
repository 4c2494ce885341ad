"""`gatehouse client generate`: a typed client of one cloud, or of a document kept in a file."""

from pathlib import Path

import click

from gatehouse.client.connection import Connection, NoAnswer, Problem
from gatehouse.client.document import Document, checked_name, read_document
from gatehouse.client.operations import operations_module
from gatehouse.client.schemas import Types
from gatehouse.client.text import MARK, header

_INIT = """
from .connection import Answer, File, NoAnswer, Problem, ProblemPart, ServerSentEvent, Unreadable
from .operations import Client

__all__ = [
    "Answer",
    "Client",
    "File",
    "NoAnswer",
    "Problem",
    "ProblemPart",
    "ServerSentEvent",
    "Unreadable",
]
"""


class _Served(Connection):
    """A cloud as far as its document goes."""

    def document(self) -> bytes:
        """Return what is served at /openapi.json."""
        return self._fetch("GET", "/openapi.json", "application/json").content


@click.group()
def client() -> None:
    """Write programs that use the API."""


@client.command()
@click.option("--cloud", "url", metavar="URL", default="", help="The cloud whose /openapi.json is read.")
@click.option(
    "--document",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The document in a file, where the cloud cannot be reached from here.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The package's folder; its last part is the package's name.",
)
def generate(url: str, file: Path | None, output: Path) -> None:
    """Write a typed Python package for the API: a method for each operation, a type for each value.

    The package needs msgspec and nothing of Gatehouse. Writing it again replaces it.
    """
    if bool(url) == (file is not None):
        raise click.UsageError("give either --cloud or --document")
    checked_name(output.resolve().name)
    if output.exists() and any(output.iterdir()) and not _is_ours(output):
        raise click.ClickException(f"{output} holds something else; expected an empty or a new folder")
    document = read_document(file.read_bytes(), str(file)) if file else read_document(_served(url), url)
    written = package_files(document)
    output.mkdir(parents=True, exist_ok=True)
    for name, text in written.items():
        (output / name).write_text(text, encoding="utf-8")
    count = sum(1 for _ in document.operations())
    click.echo(f"{output}: {count} operations of Gatehouse {document.info.version}")


def package_files(document: Document) -> dict[str, str]:
    """Return the package: file names and what stands in them."""
    version = document.info.version
    types = Types(document)
    return {
        "__init__.py": header("A client of a Gatehouse cloud.", version) + _INIT,
        "connection.py": Path(__file__).with_name("connection.py").read_text(encoding="utf-8"),
        "operations.py": operations_module(document, types),
        "py.typed": "",
        "schemas.py": types.module(version),
    }


def _is_ours(folder: Path) -> bool:
    head = folder / "__init__.py"
    return head.is_file() and MARK in head.read_text(encoding="utf-8", errors="replace")


def _served(url: str) -> bytes:
    try:
        return _Served(url).document()
    except (NoAnswer, Problem, ValueError) as error:
        raise click.ClickException(f"--cloud {url}: {error}") from None
