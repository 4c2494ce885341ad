"""Feed damaged and random bytes to everything that reads bytes from outside, as many as asked for.

    python -m tests.fuzz.run --inputs 10000000 [--jobs 2] [--seed N] [--target NAME ...]

Every input is decoded; every ANNOTATE_EVERY-th is also annotated byte by byte, which a program does only
for a person who looks. A target may return or refuse with its own error; anything else it raises, any input
it takes longer over than a line can wait, and any that makes it grow is a finding, printed with the bytes
that caused it. The test suite runs a small share of this; a release runs ten million for each decoder.
`tests.fuzz.guided` does the same for one target by coverage.
"""

import contextlib
import gc
import logging
import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

import click

from protocol.errors import ProtocolError
from provisioning.authority import AuthorityError
from provisioning.identity import IdentityError
from tests.fuzz.targets import Target, targets

# A device is given a second to answer; decoding must be far from noticeable in that. Processor time, the
# best of three tries, so that a busy machine is no finding.
INPUT_LIMIT_MS = 10
TRIES = 3
ANNOTATE_EVERY = 16
# What one input may make a decoder hold at once; looked at for one input in MEMORY_SAMPLE, since it is slow.
PEAK_BYTES_MAX = 4 * 1024 * 1024
MEMORY_SAMPLE = 1_000
# What stays behind of all inputs together, once a tenth of them have been seen, and at least a thousand:
# then the caches, of 1,024 entries of some blocks each, are nearly full. Of 10 million inputs it shows when
# one in a thousand leaves something behind.
WARM_AFTER = 1_000
GROWTH_BLOCKS_MAX = 12_000
BYTES_MAX = 2_000

REFUSALS = (AuthorityError, IdentityError, ProtocolError)


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that a target neither took nor refused as it should."""

    target: str
    data: bytes
    what: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a target's inputs; times are of the processor."""

    target: str
    inputs: int
    annotated: int
    took_s: float
    slowest_ms: float  # of one input that was decoded and not annotated
    slowest_annotated_ms: float
    grown_blocks: int
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        return (
            f"{self.target:<32} {self.inputs:>11,} inputs {self.annotated:>9,} annotated"
            f" {self.inputs / max(self.took_s, 1e-6):>8,.0f}/s  slowest {self.slowest_ms:5.2f} ms,"
            f" annotated {self.slowest_annotated_ms:5.2f} ms  {self.grown_blocks:>5} blocks grown"
            f"  {len(self.findings)} findings"
        )


def fuzz(
    name: str,
    target: Target,
    *,
    inputs: int,
    chance: random.Random,
    annotate_every: int = ANNOTATE_EVERY,
) -> Outcome:
    """Try `inputs` inputs on a target."""
    findings: list[Finding] = []
    watch, annotating = Watch(), Watch()
    blocks_when_warm = annotated = grown = 0
    warm_after = max(WARM_AFTER, inputs // 10)
    share = chance.random
    started = time.process_time()
    for number in range(inputs):
        if number == warm_after:
            blocks_when_warm = _blocks_held()
        if share() < 0.9:
            data = _damaged(target.seeds[int(share() * len(target.seeds))], chance)
        else:
            data = _noise(chance)
        if target.seal is not None and share() < 0.7:
            data = target.seal(data)
        what = watch.look(target.read, data)
        if what:
            findings.append(Finding(name, data, what))
        if target.annotate is not None and number % annotate_every == 0:
            annotated += 1
            what = annotating.look(target.annotate, data)
            if what:
                findings.append(Finding(name, data, f"annotated: {what}"))
        if number % MEMORY_SAMPLE == 0:
            peak = _peak_bytes(target, data)
            if peak > PEAK_BYTES_MAX:
                findings.append(Finding(name, data, f"held {peak:,} bytes"))
    took_s = time.process_time() - started
    if blocks_when_warm and not findings:
        grown = _blocks_held() - blocks_when_warm
        if grown > GROWTH_BLOCKS_MAX:
            what = f"{grown:,} blocks of memory stayed behind after {inputs - warm_after:,} inputs"
            findings.append(Finding(name, b"", what))
    return Outcome(
        name, inputs, annotated, took_s, watch.slowest_ms, annotating.slowest_ms, grown, tuple(findings)
    )


class Watch:
    """Looks how a target takes its inputs, and remembers the slowest.

    The processor time of a thread is dear to ask for, up to 0.2 ms. It is never more than the time that
    went by, so it is only asked for where that was more than the slowest input so far had.
    """

    def __init__(self) -> None:
        self.slowest_ms = 0.0

    def look(self, read: Callable[[bytes], object], data: bytes) -> str:
        """Return what is wrong with how an input is taken: what it raised, or how long it took."""
        started = time.perf_counter()
        try:
            read(data)
        except REFUSALS:
            pass
        except Exception as error:  # noqa: BLE001 - the very thing that is looked for
            return f"{type(error).__name__}: {error}"
        if (time.perf_counter() - started) * 1000 <= self.slowest_ms:
            return ""
        took_ms = min(_processor_ms(read, data) for _ in range(TRIES))
        self.slowest_ms = max(self.slowest_ms, took_ms)
        return f"took {took_ms:.0f} ms" if took_ms > INPUT_LIMIT_MS else ""


def _processor_ms(read: Callable[[bytes], object], data: bytes) -> float:
    started = time.thread_time()
    with contextlib.suppress(*REFUSALS):
        read(data)
    return (time.thread_time() - started) * 1000


def _blocks_held() -> int:
    gc.collect()
    return sys.getallocatedblocks()


def _peak_bytes(target: Target, data: bytes) -> int:
    tracemalloc.start()
    with contextlib.suppress(Exception):
        (target.annotate or target.read)(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def _damaged(seed: bytes, chance: random.Random) -> bytes:
    """Return a seed with one to eight small damages.

    A share of `random()` instead of `randrange`, which takes five times as long: of ten million inputs, half
    the time would go into their making.
    """
    share = chance.random
    data = bytearray(seed)
    for _ in range(_DAMAGES[int(share() * len(_DAMAGES))]):
        at = int(share() * (len(data) + 1))
        match int(share() * 6):
            case 0 if at < len(data):
                data[at] ^= 1 << int(share() * 8)
            case 1 if at < len(data):
                data[at] = _ODD_BYTES[int(share() * 5)] if share() < 0.8 else int(share() * 256)
            case 2:
                data[at:at] = chance.randbytes(1 + int(share() * 8))
            case 3:
                del data[at : at + 1 + int(share() * 8)]
            case 4:
                data[at:at] = data[: 1 + int(share() * 39)]
            case _:
                del data[at:]
    return bytes(data[:BYTES_MAX])


# How many damages one input has, and bytes at which counts, signs and fillers turn.
_DAMAGES = (1, 1, 1, 2, 3, 8)
_ODD_BYTES = (0x00, 0x7F, 0x80, 0xFE, 0xFF)


def _noise(chance: random.Random) -> bytes:
    return chance.randbytes(int(chance.random() * 300))


def _run(name: str, inputs: int, seed: int, annotate_every: int) -> Outcome:
    logging.disable()  # pymodbus tells of every frame it cannot read, and there are millions
    chance = random.Random(f"{seed} {name}")
    return fuzz(name, targets()[name], inputs=inputs, chance=chance, annotate_every=annotate_every)


@click.command()
@click.option("--inputs", default=100_000, show_default=True, help="How many, for each decoder.")
@click.option("--annotate-every", default=ANNOTATE_EVERY, show_default=True, help="1: explain each input.")
@click.option("--jobs", default=1, show_default=True, help="How many decoders at a time.")
@click.option("--seed", type=int, help="Repeat an earlier run.")
@click.option("--target", "only", multiple=True, type=click.Choice(sorted(targets())), help="Not all, these.")
def main(inputs: int, annotate_every: int, jobs: int, seed: int | None, only: tuple[str, ...]) -> None:
    """Feed damaged and random bytes to every decoder; each input is decoded, some are also annotated."""
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    click.echo(f"seed {seed}")
    findings = 0
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        runs = [pool.submit(_run, name, inputs, seed, annotate_every) for name in only or sorted(targets())]
        for run in as_completed(runs):
            outcome = run.result()
            click.echo(str(outcome))
            for finding in outcome.findings[:10]:
                click.echo(f"  {finding.what}\n  {finding.data.hex()}")
            findings += len(outcome.findings)
    click.echo(f"{findings} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
