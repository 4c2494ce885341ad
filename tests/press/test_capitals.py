"""Amounts in capitals, as the rules for cheques have them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.domain.capitals import AMOUNT_FEN_LIMIT, amount_in_capitals
from cloud.domain.errors import Invalid

_DIGITS = {digit: value for value, digit in enumerate("零壹贰叁肆伍陆柒捌玖")}
_PLACES = {"拾": 10, "佰": 100, "仟": 1000}
_GROUPS = {"万": 10**4, "亿": 10**8, "兆": 10**12}


@pytest.mark.parametrize(
    ("fen", "capitals"),
    [
        (0, "零元整"),
        (1, "壹分"),
        (50, "伍角整"),
        (105, "壹元零伍分"),
        (1000, "壹拾元整"),
        (38039, "叁佰捌拾元叁角玖分"),
        (140950, "壹仟肆佰零玖元伍角整"),
        (164000, "壹仟陆佰肆拾元整"),
        (600714, "陆仟零柒元壹角肆分"),
        (10_700_053, "壹拾万柒仟元伍角叁分"),
        (1_000_100_000, "壹仟万壹仟元整"),
        (10_001_000_000, "壹亿零壹万元整"),
        (1_000_000_000_000, "壹佰亿元整"),
        (-38039, "负叁佰捌拾元叁角玖分"),
    ],
)
def test_an_amount_is_written_as_on_a_cheque(fen: int, capitals: str) -> None:
    assert amount_in_capitals(fen) == capitals


@given(st.integers(min_value=0, max_value=AMOUNT_FEN_LIMIT - 1))
def test_capitals_read_back_are_the_amount(fen: int) -> None:
    assert read_capitals(amount_in_capitals(fen)) == fen


def test_more_than_can_be_written_is_refused() -> None:
    with pytest.raises(Invalid, match=str(AMOUNT_FEN_LIMIT)):
        amount_in_capitals(AMOUNT_FEN_LIMIT)


def read_capitals(text: str) -> int:
    """Read an amount in capitals, by another way than it is written."""
    whole, has_whole, small = text.removesuffix("整").rpartition("元")
    if not has_whole:
        whole, small = "", text.removesuffix("整")
    yuan = group = digit = 0
    for letter in whole:
        if letter in _DIGITS:
            digit = _DIGITS[letter]
        elif letter in _PLACES:
            group += digit * _PLACES[letter]
            digit = 0
        else:
            yuan += (group + digit) * _GROUPS[letter]
            group = digit = 0
    yuan += group + digit
    fen = yuan * 100
    for letter, worth in (("角", 10), ("分", 1)):
        if letter in small:
            fen += _DIGITS[small[small.index(letter) - 1]] * worth
    return fen
