"""Values that are codes with names: a lift's mode, a door, a leak sensor."""

from collections.abc import Iterable, Mapping

from cloud.domain.ids import SeriesId
from cloud.domain.series import PointValue
from protocol.quantity import MICRO, QUANTITIES


def state_words(values: Iterable[PointValue]) -> Mapping[SeriesId, str]:
    """Return, by series, the name of the code each state point last had; other points are left out."""
    words = {}
    for value in values:
        word = state_word(value.point.quantity, value.last_value_micro)
        if word:
            words[value.point.series_id] = word
    return words


def state_word(quantity_name: str, value_micro: int | None) -> str:
    """Return the name of a state's code; nothing for what is no state or has no name."""
    quantity = QUANTITIES.get(quantity_name)
    if quantity is None or value_micro is None:
        return ""
    return quantity.codes.get(value_micro // MICRO, "")
