"""A meter's register as its dial shows it: so many wheels before the point, so many after it.

The invariant: the digits are those a person standing before the meter reads, leading zeros included.
"""

from protocol.quantity import MICRO

# What most meters of flats have: six wheels before the point, two after it.
_WHEELS = 6
_DECIMALS = 2
_MICRO_DECIMALS = 6


def dial_digits(value_micro: int, modulus_micro: int | None = None) -> tuple[str, str]:
    """Return the digits before and after the point; `modulus_micro` is where the register starts anew."""
    wheels = _WHEELS if modulus_micro is None else max(1, len(str(modulus_micro // MICRO - 1)))
    whole, rest = divmod(value_micro, MICRO)
    fraction = f"{rest:0{_MICRO_DECIMALS}}".rstrip("0")
    return f"{whole:0{wheels}}", fraction.ljust(_DECIMALS, "0")
