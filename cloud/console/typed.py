"""What somebody typed into a form, taken strictly: what does not fit is said in their language, by field.

The invariant: nothing typed is guessed at. Commas between digits and a ¥ before them are dropped; all else
fits or is refused.
"""

from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.domain.errors import Invalid
from protocol.errors import ProtocolError
from protocol.quantity import micro_from_decimal

# More than any field of ours takes; what a longer text means is said by the service that reads it.
TEXT_LENGTH_MAX = 2_000
_FEN_MAX = 10**12
_FEN_A_YUAN = 100
_DIGITS_MAX = 6


class BadField(Invalid):
    """A field that does not fit; `name` is the field, "" the form as a whole."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


async def texts_of(desk: Desk) -> dict[str, str]:
    """Return every field of the form sent, without the space around it."""
    form = await desk.request.post()
    return {name: str(value).strip()[:TEXT_LENGTH_MAX] for name, value in form.items()}


def day_of(text: str, fmt: Format, name: str = "") -> date:
    """Return a day; BadField where it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadField(name, fmt.language.gettext("This must be a date.")) from error


def day_or(text: str, otherwise: date) -> date:
    """Return the day an address names, or another where it names none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return otherwise


def instant_of(text: str, fmt: Format, name: str = "") -> int:
    """Return a local date and time in UTC milliseconds; BadField where it is none."""
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=fmt.zone).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise BadField(name, fmt.language.gettext("This must be a date and a time.")) from error


def minute_of(text: str, fmt: Format, name: str = "") -> int:
    """Return a time of day in minutes; BadField where it is none."""
    try:
        at = time.fromisoformat(text)
    except ValueError as error:
        raise BadField(name, fmt.language.gettext("This must be a time such as 08:30.")) from error
    return at.hour * 60 + at.minute


def number_of(text: str, fmt: Format, name: str = "") -> Decimal:
    """Return an exact number; BadField where it is none, or has more than six decimals."""
    try:
        value = Decimal(text.replace(",", ""))
        micro_from_decimal(value)
    except (InvalidOperation, ProtocolError, ValueError, OverflowError) as error:
        expected = fmt.language.gettext("This must be a number such as 18777.05, not “%s”.")
        raise BadField(name, expected % text) from error
    return value


def whole_of(text: str, fmt: Format, name: str = "") -> int:
    """Return a whole number of few digits; BadField where it is none."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS_MAX):
        raise BadField(name, fmt.language.gettext("This must be a whole number, not “%s”.") % text)
    return int(text)


def fen_of(text: str, fmt: Format, name: str = "amount", least_fen: int = 1) -> int:
    """Return an amount of money in fen; BadField where it is none, or less than `least_fen`."""
    try:
        fen = Decimal(text.replace(",", "").removeprefix("¥").strip()) * _FEN_A_YUAN
        is_exact = fen.is_finite() and fen == fen.to_integral_value()
    except InvalidOperation:
        is_exact = False
    if not is_exact or not least_fen <= fen <= _FEN_MAX:
        raise BadField(name, fmt.language.gettext("This must be an amount such as 152.80, not “%s”.") % text)
    return int(fen)
