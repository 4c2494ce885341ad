"""What sharing costs and taking usage over say when it cannot be done."""

from collections.abc import Sequence

from cloud.console.language import mark

CHARGE_SHAPES: Sequence[str] = (
    mark("{} of {} was shared already, by tariff {}"),
    mark("period {} of site {} has {} invoices; share costs before"),
    mark("there is no account {} to be excluded"),
    mark("{} fen cannot be split among nobody"),
    mark("{} fen cannot be split: all {} weights are zero"),
    mark("{} cannot be measured: {}: {}"),
    mark("site {} has no master meter for {}"),
    mark("the sub-meters of the masters measured {} more than it did; check them"),
    mark("nothing was shared in {} by tariff {}"),
    mark("areas and floor coefficients must not all be zero"),
    mark("bills since {} stand on this usage: it cannot be undone"),
)
