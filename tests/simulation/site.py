"""The buildings of a simulated world: three gateways, ten devices each, speaking their real protocols.

Each gateway has a building of its own: five electricity and three water meters on one RS-485 bus behind a
serial server, a master meter and the fire panel on Modbus TCP. The building's ledger says what was issued.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from protocol.fieldbus.modbus import Framing
from simulator.answer import Slaves
from simulator.building import DEVICE_BY_ID, Device
from simulator.bus import Bus
from simulator.cjt188_slaves import Cjt188Slaves
from simulator.clock import Clock
from simulator.dlt645_slaves import Dlt645Slaves
from simulator.endpoints import ModbusTcpStream, Speaker, TcpEndpoint
from simulator.faults import Fault, FaultBook
from simulator.ledger import Ledger
from simulator.modbus_slaves import ModbusSlaves
from simulator.models import Building
from tests.simulation.network import on_machine

ELECTRICITY = ("em-401", "em-402", "em-403", "em-404", "em-501")
WATER = ("wm-401", "wm-402", "wm-403")
MASTER, FIRE = "em-main", "fire-1"
DEVICE_IDS = (*ELECTRICITY, *WATER, MASTER, FIRE)
BUS_PORT, MASTER_PORT, FIRE_PORT = 4001, 5020, 5021
FIRE_INTERVAL_S = 2


def devices(names: tuple[str, ...]) -> list[Device]:
    """Return the simulator's devices of these names."""
    return [DEVICE_BY_ID[name] for name in names]


class Site:
    """One building."""

    def __init__(self, number: int, seed: int, wall_ms: Callable[[], int]) -> None:
        self.name = f"building-{number}"
        self.gateway = f"gw-{number}"
        self.host = f"10.1.0.{number}"
        self.clock = Clock(wall_ms)
        self.faults = FaultBook()
        self.building = Building(seed, self.faults)
        self.ledger = Ledger()
        self._speaker = Speaker(self.clock, self.ledger, turnaround_ms=20)

    async def open(self) -> None:
        """Let the devices answer."""
        await asyncio.create_task(self._listen(), context=on_machine(self.name))

    async def _listen(self) -> None:
        slaves: list[Slaves] = [
            Dlt645Slaves(devices(ELECTRICITY), self.building),
            Cjt188Slaves(devices(WATER), self.building),
        ]
        await TcpEndpoint(self._speaker, lambda: Bus(slaves, self.faults)).open(self.host, BUS_PORT)
        for names, port in (((MASTER,), MASTER_PORT), ((FIRE,), FIRE_PORT)):
            answering = ModbusSlaves(devices(names), self.building, Framing.TCP)
            endpoint = TcpEndpoint(self._speaker, lambda of=answering: ModbusTcpStream(of, self.faults))  # type: ignore[misc]
            await endpoint.open(self.host, port)

    def go_wrong(self, device_id: str, fault: Fault) -> Fault:
        """Let something be wrong with a device from now on."""
        added = self.faults.add(DEVICE_BY_ID[device_id], replace(fault, since_ms=self.clock.now_ms()))
        self.building.forget_shown()
        return added

    def put_right(self, fault: Fault) -> None:
        """End it."""
        self.faults.end(fault.fault_id, self.clock.now_ms())
        self.building.forget_shown()

    def edge_config(self, credential_file: str, buffer_file: str) -> str:
        """Return the configuration of the gateway that reads this building."""
        lines = "".join(
            f'[[lines]]\nid = "{line}"\ntransport = "{transport}"\n'
            f'host = "{self.host}"\nport = {port}\n{more}'
            for line, transport, port, more in (
                ("bus", "tcp", BUS_PORT, "baud = 9600\ngap_ms = 0\n"),
                ("master", "modbus-tcp", MASTER_PORT, ""),
                ("fire", "modbus-tcp", FIRE_PORT, ""),
            )
        )
        line_of = {MASTER: "master", FIRE: "fire"}
        parts = [
            f'[[devices]]\nid = "{device.device_id}"\nline = "{line_of.get(device.device_id, "bus")}"\n'
            f'profile = "{device.profile}"\naddress = "{device.address}"\n'
            f"interval_s = {FIRE_INTERVAL_S if device.device_id == FIRE else 60}\n"
            for device in devices(DEVICE_IDS)
        ]
        return (
            f'[gateway]\ncode = "{self.gateway}"\ntime_zone = "Asia/Shanghai"\n'
            f'[cloud]\ncredential_file = "{credential_file}"\n'
            f'[buffer]\npath = "{buffer_file}"\ncommit_interval_ms = 5000\n[page]\nport = 0\n'
            f"{lines}{''.join(parts)}"
        )
