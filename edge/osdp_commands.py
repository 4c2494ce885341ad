"""What a reader is told, as libosdp wants it: times are in steps of 0.1 s (IEC 60839-11-5)."""

from typing import TypeAlias

OsdpCommand: TypeAlias = dict[str, object]

_STEP_MS = 100
# Commands and colours by libosdp's numbers; its package need not be there to write them down.
_OUTPUT, _LED, _BUZZER, _TEXT, _STATUS = 1, 2, 3, 4, 9
_BLACK, _RED, _GREEN = 0, 1, 2
# Output control: on and off until told otherwise, both ending a timer; on for a time.
_OFF, _ON, _ON_FOR = 1, 2, 5
_TIMER_STEPS_MAX = 255  # libosdp keeps the timer in one byte
_SET, _TEMPORARY = 1, 2
_BEEP_TONE = 2
_BEEP_STEPS, _LIGHT_STEPS = 1, 5
_REFUSAL_BEEPS, _REFUSAL_LIGHT_STEPS = 3, 20
_TEXT_PERMANENT, _TEXT_MAX = 1, 32
_INPUT_REPORT, _LOCAL_REPORT = 0, 2


def output(*, is_on: bool, for_ms: int = 0) -> OsdpCommand:
    """Return the command that switches the first output."""
    steps = min(_TIMER_STEPS_MAX, for_ms // _STEP_MS)
    control = _OFF if not is_on else _ON_FOR if steps else _ON
    return {"command": _OUTPUT, "output_no": 0, "control_code": control, "timer_count": steps}


def beep() -> OsdpCommand:
    """Return a short beep."""
    return {
        "command": _BUZZER,
        "reader": 0,
        "control_code": _BEEP_TONE,
        "on_count": _BEEP_STEPS,
        "off_count": 0,
        "rep_count": 1,
    }


def refusal_beeps() -> OsdpCommand:
    """Return three short beeps: no."""
    return beep() | {"off_count": _BEEP_STEPS, "rep_count": _REFUSAL_BEEPS}


def short_light() -> OsdpCommand:
    """Return half a second of green."""
    timed = _light(_GREEN, _BLACK, _TEMPORARY, is_temporary=True)
    return timed | {"timer_count": _LIGHT_STEPS}


def refusal_light() -> OsdpCommand:
    """Return two seconds of red."""
    timed = _light(_RED, _BLACK, _TEMPORARY, is_temporary=True)
    return timed | {"timer_count": _REFUSAL_LIGHT_STEPS}


def steady_light(*, is_on: bool) -> OsdpCommand:
    """Return green until told otherwise, or the end of it."""
    colour = _GREEN if is_on else _BLACK
    return _light(colour, colour, _SET, is_temporary=False)


def _light(on: int, off: int, control: int, *, is_temporary: bool) -> OsdpCommand:
    return {
        "command": _LED,
        "reader": 0,
        "led_number": 0,
        "control_code": control,
        "on_count": _LIGHT_STEPS,
        "off_count": 0,
        "on_color": on,
        "off_color": off,
        "temporary": is_temporary,
    }


def text(words: str) -> OsdpCommand:
    """Return a line of text that stays."""
    return {
        "command": _TEXT,
        "reader": 0,
        "control_code": _TEXT_PERMANENT,
        "temp_time": 0,
        "offset_row": 1,
        "offset_col": 1,
        "data": words[:_TEXT_MAX],
    }


def local_status() -> OsdpCommand:
    """Return the question for tamper and power."""
    return {"command": _STATUS, "type": _LOCAL_REPORT}


def input_status() -> OsdpCommand:
    """Return the question for the inputs."""
    return {"command": _STATUS, "type": _INPUT_REPORT}
