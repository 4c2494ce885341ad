"""What machines say, in the reader's language: codecs explaining bytes, drivers giving reasons.

They speak plain English sentences with values in them. The shapes we know are listed here and
translated like any other string; one we don't know is shown as it was said. The invariant: a value
inside a sentence is never changed, only the words around it.
"""

import re
from collections.abc import Sequence
from functools import cache

from cloud.console.language import Language, mark

# "{}" stands for a value or for another saying; the first shape that fits the whole text is used.
_SHAPES: Sequence[str] = (
    mark("wake-up FE"),
    mark("start"),
    mark("start, again"),
    mark("end"),
    mark("meter address {}, lowest byte first"),
    mark("meter type {}: {}"),
    mark("control {}: {}, {}, refused"),
    mark("control {}: {}, {}, more follows"),
    mark("control {}: {}, {}"),
    mark("request"),
    mark("reply"),
    mark("read data"),
    mark("read follow-up data"),
    mark("{} bytes of data, each sent with 33H added"),
    mark("{} bytes up to the checksum"),
    mark("data identifier {}: {}, high byte first"),
    mark("data identifier {}: {}, low byte first"),
    mark("data identifier {}: {}"),
    mark("checksum {}: sum from the first 68, modulo 256; correct"),
    mark("checksum {}: sum from 68, modulo 256; correct"),
    mark("CRC-16 {}, low byte first; correct"),
    mark("serial number {}"),
    mark("unit {}"),
    mark("meter clock not set"),
    mark("meter clock {}"),
    mark("status {}: valve {}, battery {}"),
    mark("unit id {}"),
    mark("function {}: {}, {}"),
    mark("read holding registers"),
    mark("read input registers"),
    mark("read coils"),
    mark("read discrete inputs"),
    mark("{} bytes of registers"),
    mark("{} bytes of bits"),
    mark("{} bytes follow"),
    mark("register {} of the reply: {}"),
    mark("register {}: {}"),
    mark("{} registers"),
    mark("from address {}, counted from 0"),
    mark("transaction {}, repeated in the reply"),
    mark("protocol 0: Modbus"),
    mark("bits, first asked first: {}"),
    mark("exception {}: {}"),
    mark("appended by the maker, not used"),
    mark("block total, T1.."),
    mark("cold water"),
    mark("hot water"),
    mark("drinking water"),
    mark("current data"),
    mark("current volume {}"),
    mark("volume at settlement {}"),
    mark("forward active energy {} (settlement 0)"),
    mark("reverse active energy {} (settlement 0)"),
    mark("combined active energy {} (settlement 0)"),
    mark("voltage {}"),
    mark("current {}"),
    mark("active power {}"),
    mark("total {}"),
    mark("total"),
    mark("T1 sharp {}"),
    mark("T2 peak {}"),
    mark("T3 flat {}"),
    mark("T4 valley {}"),
    mark("T1 sharp"),
    mark("T2 peak"),
    mark("T3 flat"),
    mark("T4 valley"),
    mark("good"),
    mark("low"),
    mark("open"),
    mark("closed"),
    mark("not available"),
    mark("no reply"),
    mark("no reply; only our own echo"),
    mark("no reply; heard instead: {}"),
    mark("no reply within {} ms"),
    mark("the meter says: not available"),
    mark("the device says: not available"),
    mark("{} is not a number"),
    mark("kept by the broker, of unknown age"),
    mark("no value for {} s"),
    mark("answers again"),
    mark("water has been running through the night"),
    mark("the pumps draw more than they should: a burst pipe or a stuck valve"),
    mark("somebody is trapped in the lift"),
    mark("fault code {}"),
    mark("the pump-room sensor is wet"),
    mark("fire in zone {}"),
    mark("fire panel reports a fault"),
    mark("fire panel reports fire"),
    mark("lift controller reports a fault"),
    mark("the leak sensor is wet"),
    mark("the lift drive asks for service"),
    mark("the lift drive has tripped"),
    mark("the lock's battery is low"),
    mark("the sensor's battery is low"),
    mark("value above {} or below {} for {} s"),
    mark("value above {} or below {}"),
    mark("value above {} for {} s"),
    mark("value above {}"),
    mark("value below {} for {} s"),
    mark("value below {}"),
    mark("meter {} has no bill that ended where this one begins; enter a reading instead"),
    mark("meter {} cannot show {}, it shows 0 to {}"),
    mark("meter {} cannot show {}"),
    mark("the register fell from {} to {}: exchanged, reset or misread?"),
    mark("{} is {} already"),
    mark("the site has a gateway {} already: enrol its box instead"),
    mark("the code {} is not 1 to {} printable characters"),
    mark("gateways.public_url is not given, and no box can reach {}: say how they do"),
    mark("{} is {}, it cannot become {} now"),
    mark("{} is not done: alarm {} is still on"),
    mark("say what is still wrong"),
    mark("choose what it has become"),
    mark("{}: {} fen have been agreed already"),
    mark("{} is in nobody's home: there is nobody to agree to a quote"),
    mark("{} has no quote to answer"),
    mark("the quote is {} fen, expected 1 to {}"),
    mark("the rating is {}, expected 1 to {}"),
    mark("{} is {}: it is rated when it is done"),
    mark("the {} has {} characters, expected {} to {}"),
    mark("the description has {} characters, expected 1 to {}"),
    mark("the place has {} characters, expected at most {}"),
    mark("this request was sent by somebody else: make a new key"),
    mark("the file is no photo: expected JPEG, PNG or WebP"),
    mark("the photo has {} bytes, expected at most {}"),
    mark("the photo has {} x {} pixels, expected at most {} million"),
    mark("there are {} photos already, the most there may be"),
    mark("at most {} photos can be sent at once"),
    mark("one of the files is larger than {} MB"),
    mark("the site has no flat {}"),
    mark("a time of day is written 08:30, not {}"),
    mark("weekdays are 0 (Monday) to 6, not {}"),
    mark("reported"),
    mark("accepted"),
    mark("on_the_way"),
    mark("working"),
    mark("waiting_for_parts"),
    mark("done"),
    mark("confirmed"),
    mark("reopened"),
    mark("cancelled"),
    mark("note"),
    mark("rating"),
)

_NESTING_MAX = 3


def say(text: str, language: Language) -> str:
    """Return what a machine said in the reader's language, or as it was said."""
    return _said(text, language, 0)


@cache
def _patterns() -> Sequence[tuple[re.Pattern[str], str]]:
    return [
        (re.compile("(.+?)".join(re.escape(part) for part in shape.split("{}")), re.DOTALL), shape)
        for shape in _SHAPES
    ]


def _said(text: str, language: Language, depth: int) -> str:
    if depth > _NESTING_MAX:
        return text
    for pattern, shape in _patterns():
        matched = pattern.fullmatch(text)
        if matched:
            values = [_said(value, language, depth + 1) for value in matched.groups()]
            return language.gettext(shape).format(*values)
    return text
