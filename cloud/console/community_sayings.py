"""What the services of the community refuse with, as shapes to be said in the reader's language."""

from collections.abc import Sequence

from cloud.console.language import mark

COMMUNITY_SHAPES: Sequence[str] = (
    mark("the title has {} characters, expected 1 to {}"),
    mark("the text has {} characters, expected 1 to {}"),
    mark("the last day {} has passed: choose today or later"),
    mark("no home fits this audience: choose another building, unit or riser"),
    mark("a unit or a riser is part of one building: name exactly one"),
    mark("staff belong to the site: name no building"),
    mark("the announcement was taken back already"),
    mark("there is no announcement {}"),
    mark("there is no building {}"),
)
