"""Codecs of field protocols: bytes to values and back, without any I/O.

A codec either returns what the bytes say, exactly, or raises a ProtocolError; it never guesses.
`CODECS` is the one list of them: what `Evidence.protocol`, the trace and `gatehouse decode` name.
Each is loaded when first used, so that a cloud does not pay for a door controller's protocol.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import cast

from protocol.errors import ProtocolError
from protocol.fieldbus.annotation import Codec, Facts, Field, Message

__all__ = ["CODECS", "Codec", "Facts", "Field", "LazyCodec", "Message", "codec_named", "explain"]


@dataclass(frozen=True, slots=True)
class LazyCodec:
    """A codec by the name it has in its module."""

    module: str
    name: str

    def facts(self, message: Message) -> Facts:
        """Return everything the message says; FrameError or Refused where it is not to be believed."""
        return self.load().facts(message)

    def explain(self, message: Message) -> list[Field]:
        """Return the fields of the message, each byte once; FrameError where it is no frame."""
        return self.load().explain(message)

    def load(self) -> Codec:
        """Import the codec's module and return the codec itself."""
        # A registry entry names an object that is a Codec; test_registry loads every one.
        return cast(Codec, getattr(import_module(f"protocol.fieldbus.{self.module}"), self.name))


CODECS: Mapping[str, LazyCodec] = MappingProxyType(
    {
        "cjt188": LazyCodec("cjt188_annotation", "CJT188"),
        "contact-id": LazyCodec("contact_id", "CONTACT_ID"),
        "dlt645-1997": LazyCodec("dlt645_1997", "DLT645_1997"),
        "dlt645-2007": LazyCodec("dlt645_annotation", "DLT645_2007"),
        "gb26875.3": LazyCodec("gb26875_annotation", "GB26875"),
        "mbus": LazyCodec("mbus_annotation", "MBUS"),
        "modbus-rtu": LazyCodec("modbus_annotation", "MODBUS_RTU"),
        "modbus-tcp": LazyCodec("modbus_annotation", "MODBUS_TCP"),
        "mqtt-ha-discovery": LazyCodec("ha_discovery", "HA_DISCOVERY"),
        "mqtt-shelly": LazyCodec("shelly", "SHELLY"),
        "mqtt-tasmota": LazyCodec("tasmota", "TASMOTA"),
        "mqtt-zigbee2mqtt": LazyCodec("zigbee2mqtt", "ZIGBEE2MQTT"),
        "osdp": LazyCodec("osdp_annotation", "OSDP"),
        "sia-dc09": LazyCodec("sia_dc09_annotation", "SIA_DC09"),
        "sparkplug-b": LazyCodec("sparkplug_b", "SPARKPLUG_B"),
    }
)


def codec_named(protocol: str) -> Codec:
    """Return the codec of that name; ProtocolError lists the known ones."""
    try:
        return CODECS[protocol].load()
    except KeyError:
        raise ProtocolError(f"no codec is called {protocol!r}; known are {', '.join(CODECS)}") from None


def explain(protocol: str, request: bytes, reply: bytes, topic: str = "") -> tuple[list[Field], list[Field]]:
    """Return the fields of an exchange's request and reply, as kept in `Evidence`.

    An empty request (a device that spoke unasked) gives an empty list.
    """
    codec = codec_named(protocol)
    asked = codec.explain(Message(request, is_reply=False, topic=topic)) if request else []
    return asked, codec.explain(Message(reply, is_reply=True, request=request, topic=topic))
