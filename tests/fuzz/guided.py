"""Fuzz one target by coverage, for as many inputs as wanted (atheris, libFuzzer inside).

    python -m tests.fuzz.guided dlt645-2007 --runs 1000000 [--corpus DIR]

Reaches what random damage does not: every branch becomes a goal. Findings are the same as in
`tests.fuzz.run`, except that instrumented code is slow, so only gross slowness counts here. An input that
is a finding is written to the working directory by libFuzzer and printed.
"""

import contextlib
import sys
import tempfile
from pathlib import Path

import atheris
import click

with atheris.instrument_imports(include=["protocol", "provisioning"]):
    from protocol.fieldbus import CODECS

    for codec in CODECS.values():
        codec.load()
    from tests.fuzz.run import BYTES_MAX, REFUSALS
    from tests.fuzz.targets import targets

# libFuzzer's own limits: seconds for one input, megabytes for the process.
INPUT_LIMIT_S, MEMORY_LIMIT_MB = 2, 512


@click.command()
@click.argument("name", type=click.Choice(sorted(targets())))
@click.option("--runs", default=1_000_000, show_default=True, help="How many inputs.")
@click.option("--corpus", type=click.Path(path_type=Path), help="Where inputs that reach new code are kept.")
def main(name: str, runs: int, corpus: Path | None) -> None:
    """Fuzz one target by coverage; ends with an error at the first finding."""
    target = targets()[name]

    def try_input(data: bytes) -> None:
        for candidate in (data, target.seal(data)) if target.seal else (data,):
            with contextlib.suppress(*REFUSALS):
                (target.annotate or target.read)(candidate)

    with tempfile.TemporaryDirectory() as seeds:
        for number, seed in enumerate(target.seeds):
            (Path(seeds) / f"{number:04d}").write_bytes(seed)
        folders = [str(corpus)] if corpus else []
        limits = [f"-timeout={INPUT_LIMIT_S}", f"-rss_limit_mb={MEMORY_LIMIT_MB}", f"-max_len={BYTES_MAX}"]
        arguments = [sys.argv[0], f"-runs={runs}", *limits, *folders, seeds]
        atheris.Setup(arguments, try_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
