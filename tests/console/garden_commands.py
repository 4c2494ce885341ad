"""Commands asked in the demonstration building: a door opened, a valve closed, one of unknown end."""

from cloud.domain.command import IssuedCommand, Purpose
from cloud.domain.gateway import GatewayIdentity
from cloud.services import commands
from cloud.store import users
from cloud.store.db import Database, Tx
from protocol.command import Action, CommandState


def ask(database: Database, gateway: GatewayIdentity) -> None:
    """Let the manager ask three times, and the box answer as far as it can."""

    def work(tx: Tx) -> None:
        record = users.find_by_login(tx, "manager")
        assert record is not None

        def request(device: str, action: Action, purpose: Purpose, reason: str) -> IssuedCommand:
            return commands.request(tx, record.user, gateway.gateway_id, device, action, purpose, reason)

        def answer(asked: IssuedCommand, state: CommandState, detail: str) -> None:
            commands.report(tx, gateway, asked.command_id, state, detail, tx.now_ms)

        door = request("lock-1", Action.DOOR_UNLOCK, Purpose.ACCESS, "快递员送冰箱，业主电话确认")
        valve = request("wm-302", Action.VALVE_CLOSE, Purpose.EMERGENCY, "302 水管爆裂，住户在外地")
        doubt = request("lock-1", Action.DOOR_UNLOCK, Purpose.TEST, "每月试锁")
        commands.take_to_send(tx, gateway, "n1")
        for asked in (door, valve):
            answer(asked, CommandState.ACCEPTED, "")
        answer(door, CommandState.DONE, "lock_state reads unlocked")
        answer(valve, CommandState.DONE, "valve_state reads closed")
        answer(doubt, CommandState.UNKNOWN, "lock_state still reads nothing")

    database.write_now(gateway.tenant_id, work)
