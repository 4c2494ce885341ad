"""The configurations of the demonstration building's gateway: one that runs, one that went back, a draft."""

from dataclasses import fields
from pathlib import Path

from cloud.domain.gateway import GatewayIdentity
from cloud.services import configurations, gateways
from cloud.store import users
from cloud.store.db import Database, Tx
from protocol.configuration import ConfigurationState, Report, Running
from protocol.greeting import Hello
from provisioning.document import Document
from simulator.edge_config import edge_config
from simulator.simulation import Places

_PORTS = {field.name: 4001 + i for i, field in enumerate(fields(Places)) if field.name.endswith("_port")}
_PLACES = Places(
    **{"host": "127.0.0.1", "mqtt_host": "127.0.0.1", "bus_1_path": Path("/dev/serial/by-id/bus-1"), **_PORTS}  # type: ignore[arg-type]
)
_S = ConfigurationState


def configure(database: Database, gateway: GatewayIdentity, epoch: int) -> None:
    """Let the gateway tell of its own file, and a person change it twice and begin a third time."""
    own = edge_config(_PLACES)
    slower = own.replace("interval_s = 300", "interval_s = 900")
    moved = slower.replace(f"port = {_PLACES.bus_2_port}", "port = 4999")
    wrong = slower.replace("202607000102", "2026")

    def greet(tx: Tx, text: str, number: int) -> None:
        digest = Document(text).digest()
        backlog = {"event": 0, "history": 0}
        said = Hello("0.1.0", "b00t", epoch, digest, 0, backlog, None, 51, 1, number, number)
        gateways.hello(tx, gateway, said)

    def work(tx: Tx) -> None:
        record = users.find_by_login(tx, "manager")
        assert record is not None
        manager = record.user
        greet(tx, own, 0)
        configurations.take_running(tx, gateway, Running(0, own, {}))

        def send(text: str, note: str, *ends: tuple[ConfigurationState, tuple[str, ...]]) -> None:
            made = configurations.write_draft(tx, manager, gateway.gateway_id, Document(text), note)
            configurations.send(tx, manager, made.configuration_id, note, 300)
            for state, reasons in ends:
                told = Report(made.number, state, list(reasons), tx.now_ms)
                configurations.take_report(tx, gateway, told)

        arrived = ((_S.STAGED, ()), (_S.APPLIED, ()))
        send(slower, "水表夜间用量够用，改为每 15 分钟", *arrived, (_S.HEALTHY, ()))
        greet(tx, slower, 2)
        silent = tuple(f"em-{flat} answered before and does not answer now" for flat in (301, 302))
        send(moved, "换了二号串口服务器", *arrived, (_S.ROLLED_BACK, silent))
        configurations.write_draft(tx, manager, gateway.gateway_id, Document(wrong), "换 102 电表")

    database.write_now(gateway.tenant_id, work)
