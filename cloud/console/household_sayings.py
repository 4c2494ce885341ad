"""What is said of households and of registering for a home."""

from collections.abc import Sequence

from cloud.console.language import mark

HOUSEHOLD_SHAPES: Sequence[str] = (
    mark("this invitation is not good: it was used, taken back or is over; ask for a new one"),
    mark("{} invitations are open already: take one back first"),
    mark("{} people sign in for this home already: end somebody's access first"),
    mark("who works here takes up no home with that login: sign out first"),
    mark("you sign in for this home already"),
    mark("another head of this home is let go by the property office alone"),
    mark("somebody has taken this invitation up, or it was taken back already"),
    mark("nobody waits on this invitation any more"),
    mark("{} is no account of a home somebody lives in now"),
    mark("the code is wrong; without one, your registration waits to be confirmed"),
    mark("{} is given by the property office alone"),
    mark("the bills of this home are not shown to you: who invited you can change that"),
    mark("only who heads this home lets others in: ask them or the property office"),
    mark("nobody is registered who does not agree that name and number are kept"),
    mark("agree that your name and number are kept, or do not register"),
    mark("the two passwords are not the same"),
    mark("choose one of those offered, not {}"),
    mark("there is no such invitation"),
    mark("there is no such user or invitation"),
)
