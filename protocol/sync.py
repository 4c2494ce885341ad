"""The HTTP contract between a gateway and the cloud: paths, headers, limits.

Two lanes, one contract: the `event` and the `history` stream are posted by two clients over
two connections. A gateway names itself only by its credential; nothing in a body says who it is.
"""

from enum import Enum


class Stream(Enum):
    """A sequence of rows with its own numbering, connection and acknowledgement."""

    EVENT = "event"
    HISTORY = "history"


BATCH_PATH = "/gateway/v1/streams/{stream}"  # POST a Batch, answered by an Ack
COMMANDS_PATH = "/gateway/v1/commands"  # WebSocket: nonces and results up, signed commands down
HELLO_PATH = "/gateway/v1/hello"  # POST a Hello, answered by a Welcome

BATCH_CONTENT_TYPE = "application/vnd.gatehouse.batch+msgpack"

# Hostile or broken peers must not cost memory: limits are on the inflated body.
BATCH_BYTES_MAX = 4 * 1024 * 1024
BLOCKS_PER_BATCH_MAX = 2_000
ROWS_PER_BATCH_MAX = 20_000

# An attempt that has not ended by then is given up and sent again (S4: half-open peers).
ATTEMPT_TIMEOUT_S = 20.0
CONNECT_TIMEOUT_S = 5.0
