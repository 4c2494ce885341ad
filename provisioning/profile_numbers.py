"""Numbers as a profile file writes them; what is wrong is noted, not raised."""

from decimal import Decimal, InvalidOperation


def decimal_from_text(text: str, at: str, problems: list[str]) -> Decimal:
    """Return the number; 1 in its place, and a problem, where it is none."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        problems.append(f"{at}: {text!r} is not a decimal number")
        return Decimal(1)
    return number
