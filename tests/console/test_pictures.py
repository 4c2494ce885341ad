"""The pictures say what their numbers say: areas are money, gaps break lines, every byte is drawn."""

from decimal import Decimal

import pytest

from cloud.console.pictures.building import Flat, House, Lift, Mark, Unit, draw_buildings
from cloud.console.pictures.curve import draw_bars, draw_day, nice_ticks
from cloud.console.pictures.frame import Meaning, draw_frame, text_width
from cloud.console.pictures.ladder import Part, Step, draw_ladder
from cloud.console.pictures.service_clock import Day, draw_clock

# Beijing's residential ladder (2012) and the worked example 138.64 + 147.78 kWh across its first bound.
STEPS = (
    Step(1, Decimal(2880), Decimal("0.4883")),
    Step(2, Decimal(4800), Decimal("0.5383")),
    Step(3, None, Decimal("0.7883")),
)
PARTS = (
    Part(1, Decimal("138.64"), Decimal("0.4883"), 6770),
    Part(2, Decimal("147.78"), Decimal("0.5383"), 7955),
)


def demo_house() -> House:
    flats = tuple(
        Flat(f"1-{floor}0{number}", f"{floor}0{number}", floor)
        for floor in range(1, 7)
        for number in range(1, 5)
    )
    return House("1", 6, (Unit("1", flats, Lift("lift-1", 3)),))


def test_every_flat_has_one_cell_and_none_overlap() -> None:
    picture = draw_buildings([demo_house()])

    assert len(picture.cells) == 24
    boxes = [(cell.x, cell.y, cell.width, cell.height) for cell in picture.cells]
    for index, (x, y, width, height) in enumerate(boxes):
        assert x >= 0
        assert x + width <= picture.width
        for other_x, other_y, other_width, other_height in boxes[index + 1 :]:
            apart = (
                x + width <= other_x
                or other_x + other_width <= x
                or y + height <= other_y
                or other_y + other_height <= y
            )
            assert apart


def test_the_lift_s_car_stands_at_the_row_of_its_floor() -> None:
    picture = draw_buildings([demo_house()])

    third_floor = next(cell for cell in picture.cells if cell.flat.floor == 3)
    assert picture.shafts[0].car_y == third_floor.y


def test_a_lift_whose_floor_is_not_known_has_no_car() -> None:
    house = House("1", 2, (Unit("1", (Flat("1-101", "101", 1),), Lift("lift-1", None, Mark.CRITICAL)),))

    assert draw_buildings([house]).shafts[0].car_y is None


@pytest.mark.parametrize("houses", [1, 3, 8])
@pytest.mark.parametrize("floors", [1, 6, 33])
def test_any_site_fits_its_width(houses: int, floors: int) -> None:
    flats = tuple(Flat(f"{f}0{n}", f"{f}0{n}", f) for f in range(1, floors + 1) for n in range(1, 5))
    picture = draw_buildings([House(str(n), floors, (Unit("1", flats),)) for n in range(houses)])

    assert max(cell.x + cell.width for cell in picture.cells) <= picture.width + 0.01
    assert len(picture.floors) <= 8


def test_areas_of_a_ladder_are_in_the_ratio_of_their_money() -> None:
    ladder = draw_ladder(STEPS, Decimal("2741.36"), PARTS)

    first, second = (area.width * area.height for area in ladder.areas)
    assert first / second == pytest.approx(float(PARTS[0].quantity * PARTS[0].price) / 79.549974, rel=1e-6)


def test_the_bound_that_was_crossed_is_marked_where_it_lies() -> None:
    ladder = draw_ladder(STEPS, Decimal("2741.36"), PARTS)

    assert [bound for _, bound in ladder.bounds] == [Decimal("2880.00")]
    assert ladder.bounds[0][0] == ladder.areas[1].x
    assert ladder.last == Decimal("3027.78")


def test_a_period_without_use_has_a_strip_and_no_areas() -> None:
    ladder = draw_ladder(STEPS, Decimal(0), ())

    assert ladder.areas == ()
    assert ladder.now_x == 0


def test_the_clock_fills_one_cell_a_day_and_turns_red_past_its_limit() -> None:
    clock = draw_clock(days=16, limit=15)

    kinds = [cell.kind for cell in clock.cells]
    assert kinds.count(Day.AHEAD) == len(kinds) - 16
    assert kinds[15] is Day.OVER
    assert kinds[12:15] == [Day.NEAR] * 3
    assert kinds[:12] == [Day.PASSED] * 12


def test_a_plan_on_the_day_it_was_signed_has_no_filled_cell() -> None:
    assert {cell.kind for cell in draw_clock(days=0, limit=15).cells} == {Day.AHEAD}


def test_a_gap_breaks_the_curve() -> None:
    curve = draw_day([1.0, 2.0, None, 3.0], [], 3)

    assert curve.line.count("M") == 2
    assert curve.line.count("L") == 1


@pytest.mark.parametrize("highest", [0.003, 0.4, 1, 7, 95, 96.4, 150, 1234])
def test_an_axis_holds_its_highest_value_in_at_most_five_round_ticks(highest: float) -> None:
    top, ticks = nice_ticks(highest)

    assert top >= highest
    assert ticks[0] == 0
    assert 2 <= len(ticks) <= 6
    assert top <= highest * 2.6


def test_bars_start_at_zero() -> None:
    bars = draw_bars([0.0, 5.0, 10.0], 300, 50)

    assert [bar.height for bar in bars] == [0, 25, 50]
    assert all(bar.y + bar.height == 50 for bar in bars)


def test_every_byte_is_drawn_once_and_labels_do_not_touch() -> None:
    meanings = [
        Meaning(0, 4, "preamble", "前导"),
        Meaning(4, 1, "start", ""),
        Meaning(5, 6, "address", "地址", "202607000123"),
        Meaning(11, 1, "start", ""),
        Meaning(12, 1, "control", "控制码"),
        Meaning(13, 1, "length", "长度"),
        Meaning(14, 4, "data_identifier", "数据标识", "00010000"),
        Meaning(18, 4, "value", "数值", "151.90 kWh"),
        Meaning(22, 1, "checksum", "校验和"),
        Meaning(23, 1, "end", ""),
    ]
    frame = bytes.fromhex("FEFEFEFE68230100072620689108333334 33C38434335516".replace(" ", ""))

    picture = draw_frame(frame, meanings)

    assert [cell.offset for cell in picture.cells] == list(range(24))
    assert [cell.digits for cell in picture.cells] == [f"{byte:02X}" for byte in frame]
    labels = [
        (b.label_x, b.label_y, max(text_width(b.meaning.label), text_width(b.meaning.value)))
        for b in picture.brackets
        if b.label_y is not None
    ]
    for index, (x, y, width) in enumerate(labels):
        for other_x, other_y, other_width in labels[index + 1 :]:
            assert y != other_y or abs(x - other_x) >= (width + other_width) / 2


def test_a_long_frame_wraps_and_keeps_its_fields() -> None:
    picture = draw_frame(bytes(40), [Meaning(0, 40, "payload", "数据")], bytes_a_row=16)

    assert len({cell.y for cell in picture.cells}) == 3
    assert len([bracket for bracket in picture.brackets if bracket.label_y is not None]) == 1


def test_disguised_bytes_are_shown_twice() -> None:
    picture = draw_frame(b"\x33\xc3", [Meaning(0, 2, "value", "v")], plain={0: 0x00, 1: 0x90})

    assert [(cell.digits, cell.plain) for cell in picture.cells] == [("33", "00"), ("C3", "90")]
