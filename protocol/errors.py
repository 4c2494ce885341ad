"""What can go wrong in bytes we were handed; nothing here is about networks or files."""


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
