"""An amount in capitals (人民币大写): the writing of a sum that nobody can add a stroke to.

The rules are those for cheques (中国人民银行《支付结算办法》附一): digits 壹 to 玖, a run of zeros is one 零,
an amount that ends at yuan or jiao is closed by 整, one with fen is not.
"""

from cloud.domain.errors import Invalid

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿", "兆")
# One more group of four digits would need a word that nobody writes on a receipt.
AMOUNT_FEN_LIMIT = 10**18


def amount_in_capitals(fen: int) -> str:
    """Return an amount in capitals: 38039 fen is 叁佰捌拾元叁角玖分, 164000 壹仟陆佰肆拾元整, 0 零元整."""
    if abs(fen) >= AMOUNT_FEN_LIMIT:
        raise Invalid(f"{fen} fen is beyond what is written in capitals, expected below {AMOUNT_FEN_LIMIT}")
    sign = "负" if fen < 0 else ""
    yuan, cents = divmod(abs(fen), 100)
    jiao, single_fen = divmod(cents, 10)
    whole = f"{_whole(yuan)}元" if yuan else ""
    if not cents:
        return f"{sign}{whole or '零元'}整"
    # No jiao between yuan and fen is a 零; without yuan there is nothing to set the fen off from.
    small = f"{_DIGITS[jiao]}角" if jiao else _DIGITS[0] * bool(whole)
    return f"{sign}{whole}{small}{f'{_DIGITS[single_fen]}分' if single_fen else '整'}"


def _whole(number: int) -> str:
    groups = []
    while number:
        number, group = divmod(number, 10_000)
        groups.append(group)
    text = ""
    for index in range(len(groups) - 1, -1, -1):
        group = groups[index]
        if not group:
            # Four zeros have no word of their own; the next group's 零 tells of them.
            continue
        is_first = not text
        skips = not is_first and (group < 1000 or _has_empty_above(groups, index))
        text += (_DIGITS[0] if skips else "") + _four(group) + _GROUPS[index]
    return text


def _has_empty_above(groups: list[int], index: int) -> bool:
    return index + 1 < len(groups) and groups[index + 1] == 0


def _four(group: int) -> str:
    """Write a number below 10,000: 1040 is 壹仟零肆拾."""
    text = ""
    has_gap = False
    for place in range(3, -1, -1):
        digit = group // 10**place % 10
        if digit:
            text += (_DIGITS[0] if has_gap and text else "") + _DIGITS[digit] + _PLACES[place]
            has_gap = False
        else:
            has_gap = True
    return text
