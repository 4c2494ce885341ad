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
    mark("{} of yours wait for an answer already"),
    mark("it has come further meanwhile: look again, then decide anew"),
    mark("there is no complaint {}"),
    mark("a vote lasts an hour at least and 60 days at most"),
    mark("no flat or shop with an area is known: there is nobody to vote"),
    mark("say why in 1 to {} characters; everybody who may vote reads it"),
    mark("the vote is over already"),
    mark("this space has no vote of yours"),
    mark("this space is not on the roll"),
    mark("say where the paper is filed: its number or folder"),
    mark("the choice is {}, expected 0 to {}"),
    mark("this space has voted already; a vote is not changed"),
    mark("a manager votes for nobody: write down a vote on paper"),
    mark("only an owner decides: tenants and family are asked in surveys"),
    mark("{} options, expected {} to {}, all different"),
    mark("an option has {} characters at most"),
    mark("there is no vote {}"),
    mark("choose a home and an option"),
)
