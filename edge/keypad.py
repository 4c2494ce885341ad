"""Digits typed at a reader, put together to a code; a code is handed out once and kept nowhere."""

from dataclasses import dataclass, field

# As many as every code has: then nobody needs to know of the key that ends it.
CODE_DIGITS = 8
# Somebody who went away leaves no digits for the next.
_IDLE_MS = 10_000
# OSDP's keypad sends ASCII digits, carriage return for # and delete for * (IEC 60839-11-5, osdp_KEYPAD).
_ENDS, _CLEARS = frozenset(b"\r#"), frozenset(b"\x7f*")


@dataclass(slots=True)
class Keypad:
    """One reader's keypad."""

    _digits: str = field(default="", repr=False)
    _last_ms: int = 0

    def press(self, keys: bytes, now_ms: int) -> str | None:
        """Take keys as they were pressed; return a code that is whole now."""
        if now_ms - self._last_ms > _IDLE_MS:
            self._digits = ""
        self._last_ms = now_ms
        for key in keys:
            if key in _CLEARS:
                self._digits = ""
            elif key in _ENDS:
                return self._taken() or None
            elif chr(key).isdecimal():
                self._digits += chr(key)
                if len(self._digits) == CODE_DIGITS:
                    return self._taken()
        return None

    def _taken(self) -> str:
        code, self._digits = self._digits, ""
        return code
