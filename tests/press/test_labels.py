"""Labels for equipment: what is read standing before it, 24 on a page, the same bytes each time."""

from cloud.domain.equipment import Equipment, EquipmentKind
from cloud.domain.ids import EquipmentId, SiteId
from cloud.domain.premises import Site
from cloud.domain.user import Locale
from cloud.press.compiler import Press
from cloud.press.label import label_sheet
from tests.press.reading import pages_of, text_of

SITE = Site(SiteId("s"), "DG", "示范小区", "Asia/Shanghai", "")


def lift(number: int) -> tuple[Equipment, str]:
    one = Equipment(
        EquipmentId(f"00000000-0000-7000-8000-{number:012d}"), SITE.site_id, None, None, None,
        f"lift-{number}", EquipmentKind.LIFT, f"{number} 号电梯", "三菱", "LEHY-III", f"3110-{number}",
    )  # fmt: skip
    return one, "屋顶机房"


def test_a_label_says_what_it_is_on_and_where(press: Press) -> None:
    pdf = press.print(label_sheet(SITE, [lift(1)], Locale.CHINESE, "https://gate.example"))

    for said in (
        "示范小区",
        "1 号电梯",
        "lift-1",
        "三菱 LEHY-III",
        "3110-1",
        "屋顶机房",
        "扫码查看维保与报修",
    ):
        assert said in text_of(pdf), said


def test_a_code_leads_to_the_equipment_itself_whatever_it_is_called() -> None:
    sheets = [
        label_sheet(SITE, [pieces], Locale.ENGLISH, "https://gate.example") for pieces in (lift(1), lift(2))
    ]

    renamed = label_sheet(SITE, [(lift(1)[0], "")], Locale.CHINESE, "https://gate.example")
    assert sheets[0].labels[0].qr_svg == renamed.labels[0].qr_svg
    assert sheets[0].labels[0].qr_svg != sheets[1].labels[0].qr_svg


def test_a_page_has_twenty_four_and_the_same_labels_are_the_same_bytes(press: Press) -> None:
    full = label_sheet(SITE, [lift(n) for n in range(24)], Locale.CHINESE, "https://gate.example")
    over = label_sheet(SITE, [lift(n) for n in range(25)], Locale.CHINESE, "https://gate.example")

    assert (pages_of(press.print(full)), pages_of(press.print(over))) == (1, 2)
    assert press.print(full) == press.print(full)
