"""What is refused of those who work here, and why a notice did not arrive, as shapes to be said."""

from collections.abc import Sequence

from cloud.console.language import mark

STAFF_SHAPES: Sequence[str] = (
    mark("the login {} is taken"),
    mark("the login {} is not 1 to 64 characters without spaces"),
    mark("the display name has {} characters, expected 1 to {}"),
    mark("there is no such user"),
    mark("the role {} is none of somebody who works here"),
    mark("you cannot change your own role or sites: ask another manager"),
    mark("you cannot disable yourself: ask another manager"),
    mark("you have a second factor: remove it before you set up another"),
    mark("there is no second factor to confirm: begin to set one up"),
    mark("you have no second factor: set one up first"),
    mark("the company requires a second factor of everybody who is {}"),
    mark("you cannot reset your own second factor: ask another manager"),
    mark("{} has no second factor"),
    mark("set up your own second factor before you require one of your role"),
    mark("{} may not sign in: let them in again first"),
    mark("role {} may not make somebody {}, who could also {}"),
    mark("a notifier that tells of nothing is none: name at least one topic"),
    mark("a notifier's name has 1 to {} characters"),
    mark("there are {} notifiers already: remove one that is not used"),
    mark("only what was given up is sent again"),
    mark("there is no notifier {}"),
    mark("webhook address {}: expected {}://host[:port]/path"),
    mark("webhook address {} is of this network; [webhooks] allow_private lets it in"),
    mark("the {} provider refused it or did not answer"),
    mark("{} is not where robots of {} live"),
    mark("short messages are not configured: [notices.sms]"),
    mark("{} is not configured"),
    mark("no registered text for {}: [notices.sms] templates"),
    mark("the receiver answered {}"),
    mark("the robot's address has no {}"),
    mark("no answer within {} s"),
    mark("there is a company {} already, or another was begun at this moment: try again"),
    mark("a company's name has 1 to {} characters, not {}"),
    mark("there is a site {} already"),
    mark("the code {} is not 1 to 10 letters and digits"),
)
