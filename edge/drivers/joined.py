"""Several exchanges that together are one answer."""

from collections.abc import Sequence

from edge.driver import Heard


def joined(exchanges: Sequence[Heard]) -> Heard:
    """Return one exchange for all frames of an answer, stamped with the first, which holds its time."""
    if len(exchanges) == 1:
        return exchanges[0]
    return Heard(
        b"".join(heard.request for heard in exchanges),
        b"".join(heard.reply for heard in exchanges),
        exchanges[0].measured_at_ms,
        sum(heard.round_trip_us for heard in exchanges),
    )
