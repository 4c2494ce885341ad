"""What can go wrong in bytes we were handed; nothing here is about networks or files."""

import msgspec

# Everything msgspec raises over hostile bytes: it lets Python's own errors for bad UTF-8 and for
# nesting without end through, which are no DecodeErrors.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class ProtocolError(Exception):
    """Anything in this package that refuses its input."""


class FrameError(ProtocolError):
    """Bytes that are not the frame they claim to be: checksum, length, framing, digits."""


class Refused(ProtocolError):
    """A well-formed answer that says no: an exception code, an abnormal reply."""

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class EnvelopeError(ProtocolError):
    """A batch or acknowledgement that cannot be read, or does not add up."""
