"""The kinds of rules a configuration may name."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from edge.config import RuleEntry
from edge.rule import Rule, RuleScope
from edge.rules.leak import Leak
from edge.rules.stale import Stale
from edge.rules.threshold import Threshold
from provisioning.strict import Malformed

RULES: Mapping[str, Callable[[RuleEntry, RuleScope], Rule]] = MappingProxyType(
    {
        "leak": Leak,
        "stale": Stale,
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
