"""What can go wrong in a demonstration, in words for whoever started it."""


class DemoError(Exception):
    """The demonstration cannot go on; the message says what failed and where to look."""


class ProofFailed(DemoError):
    """Something ran to its end and the figures do not agree."""
