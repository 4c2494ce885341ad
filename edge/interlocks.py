"""What holds an action back on the spot, whoever asks: a state point's codes, or not knowing them."""

from edge.admission import Interlock
from edge.intake import Intake
from protocol.quantity import MICRO
from protocol.reading import Quality
from provisioning.config import CommandInterlock, CommandSettings


def interlocks_of(settings: CommandSettings | None, intake: Intake) -> list[Interlock]:
    """Return the configured interlocks, fed by what is known now."""
    return [] if settings is None else [_interlock(one, intake) for one in settings.interlocks]


def _interlock(setting: CommandInterlock, intake: Intake) -> Interlock:
    def is_held() -> bool:
        reading = intake.latest.get(setting.point_key)
        if reading is None or reading.quality is not Quality.GOOD or reading.value_micro is None:
            return True  # not knowing is no reason to dare it
        return reading.value_micro // MICRO in setting.codes

    return Interlock(setting.reason, setting.actions, is_held)
