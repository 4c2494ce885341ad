"""Whether the kernel's clock is being kept right by some source (NTP, PTP): adjtimex(2), read only.

Linux only; anywhere else, and where the call is forbidden, nothing is claimed.
"""

import ctypes

# linux/timex.h: the return value, and the bit in `status`, that say nobody keeps the clock right.
_TIME_ERROR = 5
_STA_UNSYNC = 0x0040


class _Timex(ctypes.Structure):
    """struct timex, as far as `status`; the kernel writes the rest into `padding`."""

    _fields_ = (
        ("modes", ctypes.c_uint),  # 0: change nothing
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("padding", ctypes.c_byte * 512),
    )


def is_kernel_clock_synced() -> bool:
    """Tell whether the kernel says so; False where it cannot be asked."""
    try:
        libc = ctypes.CDLL(None)
        state = _Timex()
        answer: int = libc.adjtimex(ctypes.byref(state))
    except (AttributeError, OSError):
        return False
    return 0 <= answer < _TIME_ERROR and not state.status & _STA_UNSYNC
