"""What is wrong with a cell or a row: a code with its values, told in either language.

The invariant: every fault says what was found and what was expected, so that whoever filled the table
in can mend it without asking.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_TEXTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "above_zero": ("应大于 0", "is above zero"),
        "account_elsewhere": (
            "户号“{0}”属于房号“{1}”，不是“{2}”",
            "account {0} belongs to {1}, not to {2}",
        ),
        "billed_here": (
            "本系统从 {0} 起已出账，阶梯不能再改",
            "it is billed here since {0}: its ladder is not moved any more",
        ),
        "choice": ("“{0}”不在可选值内：{1}", "“{0}” is none of: {1}"),
        "day": ("“{0}”不是日期，应如 2026-11-01", "“{0}” is no date; expected one such as 2026-11-01"),
        "day_ahead": ("{0} 还没到", "{0} has not come yet"),
        "dial": ("表 {0} 显示不了 {1}，量程是 0 到 {2}", "meter {0} cannot show {1}; it shows 0 to {2}"),
        "dialled": (
            "“{0}”不是能拨打的号码：只用数字、空格、连字符和括号",
            "“{0}” cannot be dialled: digits, spaces, hyphens and brackets alone",
        ),
        "ends_first": ("迁出日期 {0} 早于入住日期 {1}", "it ends on {0}, before it begins on {1}"),
        "fixed": (
            "“{0}”现在是“{1}”，不能由导入改成“{2}”",
            "“{0}” is “{1}” and cannot be changed to “{2}” by an import",
        ),
        "formula_error": ("单元格是公式错误 {0}", "the cell holds a formula's error, {0}"),
        "handed_over": (
            "交付日期是 {0}，状态却是“未交付”",
            "it was handed over on {0}, and its state is “not handed over”",
        ),
        "identity": (
            "“{0}”不是有效的身份证号（18 位，含校验位）",
            "“{0}” is no identity number (18 signs, the last one checks the others)",
        ),
        "identity_elsewhere": (
            "这个身份证号属于“{0}”，姓名不一致",
            "this identity number is {0}'s, whose name is another",
        ),
        "inner_area": ("套内面积 {0} 大于建筑面积 {1}", "the inner area {0} exceeds the floor area {1}"),
        "length": ("有 {0} 个字符，最多 {1} 个", "{0} characters, at most {1} are kept"),
        "masked": ("“{0}”是打码后的号码，请填完整", "“{0}” is masked: it is needed whole"),
        "missing": ("必填", "is needed"),
        "month": ("“{0}”不是月份，应如 2026-08", "“{0}” is no month; expected one such as 2026-08"),
        "month_of_ours": (
            "{0} 由本系统出账，不能再作为期初欠费导入",
            "{0} is billed here: nothing of it is taken over",
        ),
        "no_account": ("没有户号“{0}”", "there is no account {0}"),
        "no_building": ("没有楼栋“{0}”", "there is no building {0}"),
        "no_meter": ("没有表号“{0}”", "there is no meter {0}"),
        "no_meter_then": ("{1} 时表 {0} 还没有安装", "meter {0} was not yet installed on {1}"),
        "no_one_supply": (
            "户号“{0}”没有（或不止一个）这种计量点",
            "account {0} has no such supply, or several",
        ),
        "no_space": ("没有房号“{0}”", "there is no flat {0}"),
        "no_tariff": ("没有在用的价目“{0}”", "no tariff {0} is in force"),
        "number": ("“{0}”不是数字", "“{0}” is no number"),
        "phone": (
            "“{0}”不是手机号（11 位，13 到 19 开头）",
            "“{0}” is no mobile number (11 digits, 13 to 19 first)",
        ),
        "place_taken": ("计量点“{0}”已装有表 {1}", "meter {1} hangs at {0} already"),
        "plate": ("“{0}”不是车牌号", "“{0}” is no plate"),
        "places": ("“{0}”的小数超过 {1} 位", "“{0}” has more than {1} decimals"),
        "precision": (
            "“{0}”被表格存成了数字，长号码的末位可能已丢失；请把这一列设为文本后重新填写",
            "“{0}” was kept as a number, and its last digits may be lost: make the column text, type it anew",
        ),
        "range": ("“{0}”应在 {1} 到 {2} 之间", "“{0}” is not between {1} and {2}"),
        "supplied": ("计量点“{0}”已由户号 {1} 缴费", "{0} is paid for by account {1} already"),
        "too_many": ("最多 {0} 项", "there can be {0} at most"),
        "twice": ("与第 {0} 行重复", "is in row {0} already"),
        "unreachable": ("电话和地址至少填一项", "a telephone number or an address is needed"),
        "until_first": ("截止日 {1} 早于起始日 {0}", "it ends on {1}, before it begins on {0}"),
        "wants": ("填了“{0}”就要填“{1}”", "“{0}” needs “{1}” too"),
        "whole": ("“{0}”不是整数", "“{0}” is no whole number"),
        "warranty": ("质保到 {0}，早于购置日期 {1}", "the warranty ends on {0}, before the purchase on {1}"),
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong; `column` is the key of its column, empty where it is about the whole row."""

    code: str
    values: tuple[str, ...] = ()
    column: str = ""

    def text(self, *, is_chinese: bool) -> str:
        """Return it in words, without its column."""
        return _TEXTS[self.code][0 if is_chinese else 1].format(*self.values)


class BadCell(Exception):
    """A cell that cannot be read; `fault` says why."""

    def __init__(self, code: str, *values: object) -> None:
        super().__init__(code)
        self.fault = Fault(code, tuple(str(value) for value in values))
