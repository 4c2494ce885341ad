"""Which protocol is spoken on which kind of line, and how its addresses are written."""

from collections.abc import Mapping

from provisioning.lines import (
    DialInLine,
    ListenLine,
    ModbusTcpLine,
    MqttLine,
    OnvifLine,
    OsdpLine,
    SerialLine,
    TcpLine,
    UdpLine,
)

_SERIAL = frozenset({DialInLine, SerialLine, TcpLine, UdpLine})  # bytes on a wire, whatever carries them

SPOKEN_ON: Mapping[str, frozenset[type]] = {
    "cjt188": _SERIAL,
    "dlt645": _SERIAL,
    "dlt645-1997": _SERIAL,
    "dlt645-2007": _SERIAL,
    "gb26875.3": frozenset({ListenLine}),
    "mbus": _SERIAL,
    "modbus": _SERIAL | {ModbusTcpLine},
    "mqtt-json": frozenset({MqttLine}),
    "mqtt-shelly": frozenset({MqttLine}),
    "mqtt-tasmota": frozenset({MqttLine}),
    "mqtt-zigbee2mqtt": frozenset({MqttLine}),
    "onvif": frozenset({OnvifLine}),
    "osdp": frozenset({OsdpLine}),
    "sia-dc09": frozenset({ListenLine}),
    "sparkplug-b": frozenset({MqttLine}),
}
ADDRESS_FORMS: Mapping[str, tuple[str, str]] = {
    "cjt188": (r"\d{14}", "14 digits in quotes"),
    "dlt645": (r"\d{12}", "12 digits in quotes"),
    "dlt645-1997": (r"\d{12}", "12 digits in quotes"),
    "dlt645-2007": (r"\d{12}", "12 digits in quotes"),
    "gb26875.3": (r"[0-9a-fA-F]{12}", "the source address as sent, 12 hex digits in quotes"),
    "mbus": (
        r"\d|[1-9]\d|1\d\d|2[0-4]\d|250|\d{8}(-[A-Z]{3}(-[0-9A-F]{2}-[0-9A-F]{2})?)?",
        "0 to 250 or eight digits, with maker, version and medium if need be (12345678-KAM-08-04), in quotes",
    ),
    "modbus": (r"\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5]", "a unit id from 0 to 255"),
    "sparkplug-b": (
        r"[^+#/\x00]{1,128}(/[^+#/\x00]{1,128}){1,2}",
        "group/node or group/node/device",
    ),
    "onvif": (
        r"(?!.*[/@\s])([A-Za-z0-9][A-Za-z0-9.-]{0,252})(:\d{1,5})?",
        "host or host:port, without http://",
    ),
    "osdp": (r"\d|[1-9]\d|1[01]\d|12[0-6]", "a reader's address, 0 to 126, in quotes"),
    "sia-dc09": (r"[0-9A-Fa-f]{1,16}", "the account, 1 to 16 hex digits in quotes"),
    "mqtt-json": (r"[^+#\x00]{1,255}", "the topic, without + or #"),
    "mqtt-shelly": (r"[^+#\x00]{1,128}", "the device's topic prefix, without + or #"),
    "mqtt-tasmota": (r"[^+#/\x00]{1,128}", "the device's topic, without +, # or /"),
    "mqtt-zigbee2mqtt": (r"[^+#/\x00][^+#\x00]{0,127}", "the device's friendly name, without + or #"),
}
