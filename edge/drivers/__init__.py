"""The drivers of polled devices, by the protocol their profiles name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from edge.driver import Bus, Driver, EvidenceKeeper
from edge.drivers.cjt188 import Cjt188Driver
from edge.drivers.dlt645 import Dlt645Driver
from edge.drivers.dlt645_either import EitherEditionDriver
from edge.drivers.mbus import MbusDriver
from edge.drivers.modbus import ModbusDriver
from provisioning.config import DeviceConfig

DRIVERS: Mapping[str, Callable[[DeviceConfig, Bus, EvidenceKeeper], Driver]] = MappingProxyType(
    {
        "cjt188": Cjt188Driver,
        "dlt645": EitherEditionDriver,
        "dlt645-1997": Dlt645Driver,
        "dlt645-2007": Dlt645Driver,
        "mbus": MbusDriver,
        "modbus": ModbusDriver,
    }
)
