"""What the register of equipment says when it refuses, in the reader's language."""

from collections.abc import Sequence

from cloud.console.language import mark

EQUIPMENT_SHAPES: Sequence[str] = (
    mark("brand"),
    mark("model"),
    mark("serial number"),
    mark("the price is {} fen, expected 0 to {}"),
    mark("the warranty ends on {}, before the purchase on {}"),
    mark("the site has equipment {} already"),
    mark("the site has no building {}"),
    mark("the building has no space {}"),
    mark("the site has no device {}"),
    mark("the amount is {} fen, expected one that is not 0, {} at most"),
    mark("the note has {} characters, expected 1 to {}"),
    mark("the reason has {} characters, expected 1 to {}"),
    mark("{} is out of service already"),
    mark("{} is in service already"),
    mark("{} has not come yet: note a cost when it was paid"),
    mark("the plan's code has {} characters, expected 1 to {}"),
    mark("the plan's title has {} characters, expected 1 to {}"),
    mark("the plan is due every {} days, expected 1 to {}"),
    mark("orders are made {} days before, expected 0 to {}"),
    mark("the plan ends on {}, before it starts on {}"),
    mark("an item list goes with a cycle: choose both or neither"),
    mark("the limit of a running total must be above 0"),
    mark("the equipment has a plan {} already, perhaps one that has ended"),
    mark("{} is retired: it has no plans any more"),
    mark("the equipment's device has no value {} to watch"),
    mark("{} takes a limit for what it grows by"),
    mark("{} takes a limit above or below"),
)
