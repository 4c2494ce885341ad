"""The project's own copy of captured and published frames, `tests/vectors/*.json`."""

import json
from decimal import Decimal
from functools import cache
from pathlib import Path

VECTOR_DIR = Path(__file__).parent.parent / "vectors"


@cache
def vectors(protocol: str) -> tuple[dict, ...]:
    """Return every vector of one protocol, numbers as Decimal."""
    text = (VECTOR_DIR / f"{protocol}.json").read_text(encoding="utf-8")
    return tuple(json.loads(text, parse_float=Decimal))


def golden_frames(protocol: str, *directions: str) -> list[bytes]:
    """Return the valid frames of one protocol, of these directions or of all."""
    return [
        bytes.fromhex(vector["hex"])
        for vector in vectors(protocol)
        if vector["valid"] and vector["hex"] and (not directions or vector["direction"] in directions)
    ]
