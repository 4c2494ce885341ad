"""The table of people: who belongs to which home since when, by home and name."""

from collections.abc import Callable

from cloud.domain.errors import Invalid
from cloud.domain.identity_number import identity_number, mobile_number, plate_number
from cloud.domain.imports import cell
from cloud.domain.imports.cell import Cell, Read, Value
from cloud.domain.imports.fault import BadCell
from cloud.domain.imports.kind import Column, Kind, Role
from cloud.domain.person import Relation

_RELATIONS = {
    "业主": "owner",
    "家人": "family",
    "家庭成员": "family",
    "租户": "tenant",
    "租客": "tenant",
    "其他": "other",
    **{relation.value: relation.value for relation in Relation},
}
MASK = "*"  # what is there comes out masked, and comes back so


def _number(fault: str, normal: Callable[[str], str]) -> Read:
    """Return what reads a number people are known by; one that is masked stays as it is."""

    def read(said: Cell) -> Value:
        text = cell.code(said)
        if text is None or MASK in str(text):
            return text
        try:
            return normal(str(text))
        except Invalid as error:
            raise BadCell(fault, text) from error

    return read


PEOPLE = Kind(
    "people",
    "住户",
    "People",
    "一行一个人和他的一套房。同一身份证号（或同名同手机号）的几行是同一个人。号码加密保存，导出时打码；"
    "已有住户的号码请在其页面修改。",
    "One person and one home a row. Rows of one identity number (or one name and telephone) are one person. "
    "Numbers are kept encrypted and come out masked; those of people known already change on their page.",
    (
        Column(
            "space", "房号", "Flat", Role.KEY, cell.code,
            "已在“房产”中的房号", "A flat that is known", "1-101",
        ),
        Column("name", "姓名", "Full name", Role.KEY, cell.text, "最多 50 字", "At most 50 signs", "王建国"),
        Column(
            "relation", "身份", "Relation", Role.FIXED, cell.choice(_RELATIONS),
            "业主、家人、租户或其他", "owner, family, tenant or other", "业主",
            is_needed=True, choices=("业主", "家人", "租户", "其他"),
        ),
        Column(
            "from_on", "入住日期", "Since", Role.FIXED, cell.day,
            "从这一天起", "From this day on", "2026-01-01", is_needed=True,
        ),
        Column(
            "to_on", "迁出日期", "Until", Role.FREE, cell.day,
            "已搬走的填，住着的空着", "Of who has left; empty for who lives there", "",
        ),
        Column(
            "phone", "手机", "Telephone", Role.NEW_ONLY, _number("phone", mobile_number),
            "11 位，设为文本，可空", "11 digits as text; may be empty", "13812340101",
        ),
        Column(
            "identity", "身份证号", "Identity number", Role.NEW_ONLY, _number("identity", identity_number),
            "18 位，设为文本，可空", "18 signs as text; may be empty", "", width=22,
        ),
        Column(
            "plate", "车牌", "Plate", Role.NEW_ONLY, _number("plate", plate_number),
            "可空", "May be empty", "京A12345",
        ),
        Column("note", "备注", "Note", Role.FREE, cell.text, "可空", "May be empty", "", width=24),
    ),
)  # fmt: skip
