"""What is said of the guards' work: duty, plans, evidence, patrols, goods, cameras."""

from cloud.console.language import mark

SECURITY_SHAPES = (
    mark("a post's name has {} to {} characters, not {}"),
    mark("a post is of circle {}, {} or {}, not {}"),
    mark("a turn is {} to {} days long, not {}"),
    mark("a rota has {} to {} turns, not {}"),
    mark("a post is held on one weekday at least"),
    mark("there are {} posts already: end one that is not needed"),
    mark("a turn is given away by whose it is, or by a manager"),
    mark("the turn of {} is over"),
    mark("{} is not held on {}"),
    mark("you have {} contacts already: remove one that is not used"),
    mark("the account has {} contacts already: remove one that is not used"),
    mark("a person is reached by e-mail or sms, not by {}"),
    mark("this is no address of {}: expected {}"),
    mark("a mailbox such as office@example.com"),
    mark("a mobile number of 11 digits"),
    mark("the https address of the group's robot"),
    mark("a step has {} to {} characters in each language: {}"),
    mark("a plan has {} to {} steps, not {}"),
    mark("{} steps in Chinese and {} in English: write each in both"),
    mark("somebody else has just changed this plan: look at it again"),
    mark("this visit is for the manager on duty: ask the visitor to wait"),
    mark("say who: a name of {} characters at most, or a plate"),
    mark("a barring ends in the future, or when it is lifted"),
    mark("{} are barred already: lift one that is not needed"),
    mark("this barring was lifted already"),
)
