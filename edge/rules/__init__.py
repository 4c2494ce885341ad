"""The kinds of rules a configuration may name."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from edge.rule import Rule, RuleScope
from edge.rules.continuous_flow import ContinuousFlow
from edge.rules.expression import Expression
from edge.rules.leak import Leak
from edge.rules.rate_of_change import RateOfChange
from edge.rules.run_hours import RunHours
from edge.rules.stale import Stale
from edge.rules.stuck import Stuck
from edge.rules.threshold import Threshold
from provisioning.config import RuleEntry
from provisioning.strict import Malformed

RULES: Mapping[str, Callable[[RuleEntry, RuleScope], Rule]] = MappingProxyType(
    {
        "continuous_flow": ContinuousFlow,
        "expression": Expression,
        "leak": Leak,
        "rate_of_change": RateOfChange,
        "run_hours": RunHours,
        "stale": Stale,
        "stuck": Stuck,
        "threshold": Threshold,
    }
)


def load_rules(entries: Iterable[RuleEntry], scope: RuleScope) -> list[Rule]:
    """Return the configured rules; Malformed lists what is wrong with any of them."""
    rules: list[Rule] = []
    problems: list[str] = []
    for entry in entries:
        make = RULES.get(entry.kind)
        if make is None:
            problems.append(f"rule {entry.rule_id}: kind {entry.kind!r} is none of {', '.join(RULES)}")
            continue
        try:
            rules.append(make(entry, scope))
        except Malformed as error:
            problems += [f"{error.origin}: {problem}" for problem in error.problems]
    if problems:
        raise Malformed("rules", problems)
    return rules
