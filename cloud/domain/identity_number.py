"""Numbers people are known by: checked when entered, masked when shown.

GB 11643-1999: 17 digits and a check character by MOD 11-2; digits 7 to 14 are the birth date. A mask
keeps just enough for a person at the counter to recognise the right record.
"""

import re
from datetime import date

from cloud.domain.errors import Invalid

_IDENTITY = re.compile(r"[1-9]\d{16}[\dX]")
# GB 11643-1999, annex: weights 2^(17-i) mod 11 and the check characters of the remainders 0 to 10.
_WEIGHTS = tuple(2 ** (17 - index) % 11 for index in range(17))
_CHECK_CHARACTERS = "10X98765432"
# Mainland mobile numbers have 11 digits and begin with 13 to 19.
_MOBILE = re.compile(r"1[3-9]\d{9}")


def identity_number(text: str) -> str:
    """Return a citizen's identity number in its normal form (X in capitals); Invalid says what is wrong."""
    number = text.strip().upper()
    if not _IDENTITY.fullmatch(number):
        raise Invalid(f"an identity number has 17 digits and a digit or X; this one has {len(number)} signs")
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise Invalid(f"the birth date {number[6:14]} in the identity number is no date") from None
    remainder = sum(int(digit) * weight for digit, weight in zip(number[:17], _WEIGHTS, strict=True)) % 11
    if number[17] != _CHECK_CHARACTERS[remainder]:
        raise Invalid("the identity number's check character does not fit its digits: a digit is mistyped")
    return number


def mobile_number(text: str) -> str:
    """Return a mainland mobile number; Invalid for anything else."""
    number = text.strip()
    if not _MOBILE.fullmatch(number):
        raise Invalid("a mobile number has 11 digits and begins with 13 to 19")
    return number


def mask_identity(number: str) -> str:
    """Return an identity number as lists show it: 110105********002X."""
    return f"{number[:6]}{'*' * (len(number) - 10)}{number[-4:]}"


def mask_mobile(number: str) -> str:
    """Return a mobile number as lists show it: 138****8000."""
    return f"{number[:3]}****{number[-4:]}"


def mask_name(name: str) -> str:
    """Return a name as lists show it: the first character and one star."""
    return f"{name[:1]}*" if name else ""


# GA 36-2018: a province's sign, a letter, and five signs, six on a new-energy vehicle.
_PLATE = re.compile(r"[\u4e00-\u9fff][A-Z][A-Z0-9]{4,5}[A-Z0-9\u4e00-\u9fff]")


def plate_number(text: str) -> str:
    """Return a vehicle's plate in its normal form, without gaps; Invalid for anything else."""
    plate = text.replace("·", "").replace(" ", "").upper()
    if not _PLATE.fullmatch(plate):
        raise Invalid("a plate has a province's sign, a letter and 5 or 6 signs")
    return plate


def mask_plate(plate: str) -> str:
    """Return a plate as lists show it: 京A***45."""
    return f"{plate[:2]}***{plate[-2:]}" if plate else ""
