"""The two editions of DL/T 645 side by side: what a driver asks with and what it believes.

The invariant: one meter is asked in one edition, and its answers are read with the table of that
edition; the same bytes mean other values in the other one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from protocol.fieldbus import dlt645, dlt645_1997
from protocol.fieldbus.dlt645_format import DataIdentifier
from protocol.fieldbus.dlt645_frame import Frame


@dataclass(frozen=True, slots=True)
class Edition:
    """How one edition names data, asks for them and answers.

    `follow_up_request` takes meter address, identifier and the number of the frame, from 1;
    `check_reply` returns the data behind the identifier, as the codecs' functions of that name do.
    `reads` are the functions that change nothing, `clock` the identifiers of date and time.
    """

    data_identifier: Callable[[str], DataIdentifier]
    read_request: Callable[[str, str], Frame]
    follow_up_request: Callable[[str, str, int], Frame]
    check_reply: Callable[[Frame, Frame], bytes]
    broadcast_time_request: Callable[[datetime], Frame]
    reads: frozenset[int]
    clock: tuple[str, str]
    has_relay: bool
    freeze_request: Callable[[str], Frame] | None  # to an address; None where the edition knows none
    frozen_at: str = ""  # the identifier of when it last froze by command


def _follow_up_of_1997(meter_address: str, di: str, number: int) -> Frame:
    """Frames of one answer are not numbered in 1997: each request is for the next one."""
    del number
    return dlt645_1997.read_follow_up_request(meter_address, di)


# By the protocol a profile names.
EDITIONS: Mapping[str, Edition] = MappingProxyType(
    {
        "dlt645-1997": Edition(
            dlt645_1997.data_identifier,
            dlt645_1997.read_request,
            _follow_up_of_1997,
            dlt645_1997.check_reply,
            dlt645_1997.broadcast_time_request,
            dlt645_1997.READS,
            ("C010", "C011"),
            has_relay=False,
            freeze_request=None,
        ),
        "dlt645-2007": Edition(
            dlt645.data_identifier,
            dlt645.read_request,
            dlt645.read_follow_up_request,
            dlt645.check_reply,
            dlt645.broadcast_time_request,
            dlt645.READS,
            ("04000101", "04000102"),
            has_relay=True,
            freeze_request=dlt645.freeze_request,
            frozen_at="05010001",
        ),
    }
)
