"""What to do by kind of emergency, as the program comes: one TOML file a kind, steps in both languages.

A site writes its own; these are what it starts from, and what it has until then. The invariant: every
step is said in every language, so what is ticked in one is the same step in another.
"""

import tomllib
from functools import cache
from importlib import resources

from cloud.domain.response_plan import PlanKind, PlanStep, ResponsePlan


@cache
def built_in(kind: PlanKind) -> ResponsePlan:
    """Return the plan the program comes with, read once from its file; its version is 0."""
    document = tomllib.loads((resources.files(__name__) / f"{kind.value}.toml").read_text("utf-8"))
    steps = tuple(PlanStep(step["zh-CN"], step["en"]) for step in document["steps"])
    return ResponsePlan(kind, 0, steps, None, "", None)
