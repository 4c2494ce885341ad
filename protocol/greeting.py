"""The greeting: what a gateway says of itself every few seconds, and what it is told in return.

Fields may be added at the end with a default, never re-meant; unknown ones are ignored.
"""

import msgspec


class Hello(msgspec.Struct, frozen=True):
    """What a gateway says of itself when it connects: health, not data."""

    agent_version: str
    boot_id: str
    epoch: int
    config_version: str
    clock_quality: int
    backlog_rows: dict[str, int]  # by stream
    oldest_row_at_ms: int | None
    devices_online: int
    devices_offline: int
    configuration: int = 0  # the number of the one that runs; 0 for the gateway's own file
    configuration_highest: int = 0  # the highest number ever taken or turned down
    lease: str | None = None  # what the last Welcome gave; None from an agent that knows of no leases
    # Number and time of issue of its grants, 0 before the first; None from an agent that decides at no door.
    grants: tuple[int, int] | None = None
    sent_at_ms: int | None = None  # by the gateway's clock; None from an agent that did not say
    storage_fault: str = ""  # why the disk takes nothing; rows wait in memory meanwhile


class Welcome(msgspec.Struct, frozen=True):
    """What the cloud answers a Hello: who it takes the gateway for, what it already holds, its time.

    `counters` tells of meters a person has recorded as exchanged lately, by point key: from when the
    present one counts, and at which value it began. The edge stops holding their readings.
    `lease` is to be kept and shown with the next Hello, unless it is empty; `authorities` is the SHA-256
    of the roots the cloud may be certified by, so that the edge fetches them when they change.
    """

    gateway_code: str
    server_time_ms: int
    acked_through: dict[str, int]  # by stream, for the epoch the gateway named
    counters: dict[str, tuple[int, int]] = {}
    configuration: int = 0  # the number of the one that waits for the gateway; 0 for none
    wants_configuration: bool = False  # what runs there is not known here: tell it
    lease: str = ""
    authorities: str = ""
    has_grants: bool = False  # newer grants than the gateway has wait for it
