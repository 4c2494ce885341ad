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
)
