"""What is said at doors: why somebody is let in or not, and what does not fit about badges and entrances."""

from cloud.console.language import mark

ACCESS_SHAPES = (
    mark("let in"),
    mark("not let in: unknown"),
    mark("not let in: blocked"),
    mark("not let in: other door"),
    mark("not let in: outside hours"),
    mark("not let in: not yet"),
    mark("not let in: over"),
    mark("not let in: used"),
    mark("not let in: stale"),
    mark("not let in: clock"),
    mark("not let in: too many"),
    mark("not let in: late"),
    mark("{} is no card number: digits as printed, or facility,number"),
    mark("the terminal's id has {} characters, expected {} to {}"),
    mark("this badge is somebody's already: end it there first"),
    mark("the home has {} badges already: end one first"),
    mark("report the card lost, or hand it in at the office"),
    mark("the badge has ended: give it out anew"),
    mark("a badge ends after it begins"),
    mark("{} is for residents: nobody is put into it one by one"),
    mark("{} of {} is the lock of another entrance already"),
    mark("gateway {} has no device {}"),
    mark("{} entrances, expected {} to {}"),
    mark("a building is said only of a group of its residents"),
    mark("the local policy does not allow {} for {}"),
)
