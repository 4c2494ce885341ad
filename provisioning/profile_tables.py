"""The tables a profile file may have, protocol by protocol, before anything is looked up in them.

The invariant: what does not fit these shapes is refused by key; what fits may still be wrong, which
`profiles.py` finds out.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

from provisioning.profile import BITS_PER_READ_MAX, REGISTERS_PER_READ_MAX, ModbusTable

_POINT_NAME = r"^[a-z][a-z0-9_]{0,63}$"
_DATA_IDENTIFIER = r"^[0-9A-F]{8}$"
_DATA_IDENTIFIER_1997 = r"^[0-9A-F]{4}$"

_Byte = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-F]{2}$")]
_Name = Annotated[str, msgspec.Meta(pattern=_POINT_NAME)]
_Address = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]


class AlarmTable(msgspec.Struct, forbid_unknown_fields=True):
    when: list[str]
    kind: _Name
    message: str
    severity: str = "major"


class FractionTable(msgspec.Struct, forbid_unknown_fields=True):
    address: _Address
    scale: str


class ExponentTable(msgspec.Struct, forbid_unknown_fields=True):
    address: _Address
    byte: Literal["both", "high", "low"] = "both"
    offset: Annotated[int, msgspec.Meta(ge=-9, le=9)] = 0
    is_places: bool = False


class WriteTable(msgspec.Struct, forbid_unknown_fields=True):
    min: str = ""
    max: str = ""


class PointTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: _Name
    quantity: str = ""
    billing: bool = False
    group: _Name = "all"
    codes: dict[str, str] = {}
    modulus: str = "0"
    max_per_h: str = "0"
    alarm: AlarmTable | None = None


class Dlt645Point(PointTable, forbid_unknown_fields=True, kw_only=True):
    data_identifier: Annotated[str, msgspec.Meta(pattern=_DATA_IDENTIFIER)]
    block: Annotated[str, msgspec.Meta(pattern=_DATA_IDENTIFIER)] = ""
    block_item: Annotated[int, msgspec.Meta(ge=0, le=99)] = 0
    bit: Annotated[int, msgspec.Meta(ge=0, le=15)] | None = None


class Dlt645Point1997(PointTable, forbid_unknown_fields=True, kw_only=True):
    data_identifier: Annotated[str, msgspec.Meta(pattern=_DATA_IDENTIFIER_1997)]
    block: Annotated[str, msgspec.Meta(pattern=_DATA_IDENTIFIER_1997)] = ""
    block_item: Annotated[int, msgspec.Meta(ge=0, le=14)] = 0
    bit: Annotated[int, msgspec.Meta(ge=0, le=7)] | None = None


class Dlt645PointEither(Dlt645Point, forbid_unknown_fields=True, kw_only=True):
    data_identifier_1997: Annotated[str, msgspec.Meta(pattern=_DATA_IDENTIFIER_1997)]


class Cjt188Point(PointTable, forbid_unknown_fields=True, kw_only=True):
    field: str
    data_identifier: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-F]{4}$")] = "901F"


class MbusPoint(PointTable, forbid_unknown_fields=True, kw_only=True):
    measures: str = ""
    function: Literal["Instantaneous value", "Maximum value", "Minimum value", "Value during error state"] = (
        "Instantaneous value"
    )
    storage: Annotated[int, msgspec.Meta(ge=0)] = 0
    tariff: Annotated[int, msgspec.Meta(ge=0)] = 0
    subunit: Annotated[int, msgspec.Meta(ge=0)] = 0
    status_bit: Annotated[int, msgspec.Meta(ge=0, le=7)] | None = None
    counter: Literal[0, 1, 2] = 0


class ModbusPoint(PointTable, forbid_unknown_fields=True, kw_only=True):
    table: ModbusTable
    address: _Address
    encoding: str = ""
    word_order: str = ""
    bit: Annotated[int, msgspec.Meta(ge=0, le=15)] | None = None
    scale: str = "1"
    absent: list[int] = []
    fraction: FractionTable | None = None
    exponent: ExponentTable | None = None
    write: WriteTable | None = None


class PanelPoint(PointTable, forbid_unknown_fields=True, kw_only=True):
    condition: _Name


class PathPoint(PointTable, forbid_unknown_fields=True, kw_only=True):
    path: Annotated[list[str], msgspec.Meta(max_length=16)]
    scale: str = "1"


class MetricPoint(PointTable, forbid_unknown_fields=True, kw_only=True):
    metric: str
    scale: str = "1"


class Zigbee2mqttPoint(PointTable, forbid_unknown_fields=True, kw_only=True):
    key: str
    scale: str = "1"


class EventTable(msgspec.Struct, forbid_unknown_fields=True):
    key: str
    point: str
    values: dict[str, _Name]
    severity: str = "info"


class GoldenFrames(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    request: str = ""
    reply: str
    values: dict[str, str]


class GoldenMessage(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    topic: str
    payload: str = ""
    payload_hex: str = ""
    values: dict[str, str]


class ModbusSettings(msgspec.Struct, forbid_unknown_fields=True):
    word_order: str = "ABCD"
    registers_per_read_max: Annotated[int, msgspec.Meta(ge=1, le=REGISTERS_PER_READ_MAX)] = (
        REGISTERS_PER_READ_MAX
    )
    bits_per_read_max: Annotated[int, msgspec.Meta(ge=1, le=BITS_PER_READ_MAX)] = BITS_PER_READ_MAX
    writes_multiple: bool = False


class Cjt188Settings(msgspec.Struct, forbid_unknown_fields=True):
    meter_type: _Byte
    valve_open: _Byte = "55"
    valve_close: _Byte = "99"
    valve_control: Literal["04", "2A"] = "04"
    preamble: Annotated[int, msgspec.Meta(ge=0, le=64)] = 4


class ProfileTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="protocol"):
    title: str
    source: str
    partial: str = ""


class Cjt188Profile(ProfileTable, forbid_unknown_fields=True, kw_only=True, tag="cjt188"):
    cjt188: Cjt188Settings
    points: list[Cjt188Point]
    golden: list[GoldenFrames] = []


class Dlt645Profile(ProfileTable, forbid_unknown_fields=True, kw_only=True, tag="dlt645-2007"):
    points: list[Dlt645Point]
    golden: list[GoldenFrames] = []


class Dlt645Profile1997(ProfileTable, forbid_unknown_fields=True, kw_only=True, tag="dlt645-1997"):
    points: list[Dlt645Point1997]
    golden: list[GoldenFrames] = []


class Dlt645ProfileEither(ProfileTable, forbid_unknown_fields=True, kw_only=True, tag="dlt645"):
    points: list[Dlt645PointEither]
    golden: list[GoldenFrames] = []


class MbusProfile(ProfileTable, forbid_unknown_fields=True, kw_only=True, tag="mbus"):
    points: list[MbusPoint]
    golden: list[GoldenFrames] = []


class ModbusProfile(ProfileTable, forbid_unknown_fields=True, kw_only=True, tag="modbus"):
    points: list[ModbusPoint]
    modbus: ModbusSettings = msgspec.field(default_factory=ModbusSettings)
    golden: list[GoldenFrames] = []


class Gb26875Profile(ProfileTable, forbid_unknown_fields=True, kw_only=True, tag="gb26875.3"):
    points: list[PanelPoint]
    golden: list[GoldenFrames] = []


class OnvifProfile(ProfileTable, forbid_unknown_fields=True, kw_only=True, tag="onvif"):
    points: list[PanelPoint]
    golden: list[GoldenFrames] = []


class OsdpProfile(ProfileTable, forbid_unknown_fields=True, kw_only=True, tag="osdp"):
    points: list[PanelPoint]
    golden: list[GoldenFrames] = []


class SiaDc09Profile(ProfileTable, forbid_unknown_fields=True, kw_only=True, tag="sia-dc09"):
    points: list[PanelPoint]
    golden: list[GoldenFrames] = []


class JsonProfile(ProfileTable, forbid_unknown_fields=True, kw_only=True, tag="mqtt-json"):
    points: list[PathPoint]
    golden: list[GoldenMessage] = []


class ShellyProfile(ProfileTable, forbid_unknown_fields=True, kw_only=True, tag="mqtt-shelly"):
    points: list[PathPoint]
    golden: list[GoldenMessage] = []


class TasmotaProfile(ProfileTable, forbid_unknown_fields=True, kw_only=True, tag="mqtt-tasmota"):
    points: list[PathPoint]
    golden: list[GoldenMessage] = []


class SparkplugProfile(ProfileTable, forbid_unknown_fields=True, kw_only=True, tag="sparkplug-b"):
    points: list[MetricPoint]
    golden: list[GoldenMessage] = []


class Zigbee2mqttProfile(ProfileTable, forbid_unknown_fields=True, kw_only=True, tag="mqtt-zigbee2mqtt"):
    points: list[Zigbee2mqttPoint]
    events: list[EventTable] = []
    golden: list[GoldenMessage] = []


AnyProfile: TypeAlias = (
    Cjt188Profile
    | Dlt645Profile
    | Dlt645Profile1997
    | Dlt645ProfileEither
    | Gb26875Profile
    | JsonProfile
    | MbusProfile
    | ModbusProfile
    | OnvifProfile
    | OsdpProfile
    | ShellyProfile
    | SiaDc09Profile
    | SparkplugProfile
    | TasmotaProfile
    | Zigbee2mqttProfile
)
