"""Two flats and a master meter on one gateway: for tests of what is read, shown and exchanged."""

import json

from cloud.domain.gateway import GatewayIdentity
from cloud.domain.ids import SeriesId, SiteId, UserId
from cloud.domain.meter import MeterRow
from cloud.domain.site_document import site_document_from_json
from cloud.domain.user import Locale, Role, User, system_user
from cloud.services import meters, premises
from cloud.services.setup import load_building
from cloud.store import gateways, users
from cloud.store.db import Database, Tx
from protocol.reading import Reading
from tests.cloud.garden import add_manager, history_block, post
from tests.databases import START_MS, TENANT

_HOUR_MS = 3_600_000

_HOUSE = {
    "format": 1,
    "site": {"code": "DG", "name": "示范小区", "time_zone": "Asia/Shanghai"},
    "buildings": [
        {
            "code": "1",
            "name": "1 号楼",
            "floors": 2,
            "spaces": [
                {"code": "1-101", "kind": "flat", "floor": 1, "built_area_dm2": 8950},
                {"code": "1-201", "kind": "flat", "floor": 2, "built_area_dm2": 8950},
            ],
        }
    ],
    "gateways": [
        {
            "code": "gw-1",
            "name": "1 号楼网关",
            "devices": [
                {
                    "code": f"em-{flat}",
                    "profile": "dlt645_single_phase",
                    "title": f"{flat} 电表",
                    "points": [{"name": "active_energy_import"}, {"name": "active_power"}],
                }
                for flat in ("101", "201", "main")
            ],
        }
    ],
    "service_points": [
        {"code": "E-101", "commodity": "electricity", "kind": "flat", "space": "1-101"},
        {"code": "E-201", "commodity": "electricity", "kind": "flat", "space": "1-201"},
        {"code": "E-MAIN", "commodity": "electricity", "kind": "master"},
    ],
    "meters": [{"serial": f"S-{flat}", "commodity": "electricity"} for flat in ("101", "201", "main")],
    "installations": [
        {
            "service_point": f"E-{flat.upper()}",
            "meter": f"S-{flat}",
            "point": f"gw-1/em-{flat}/active_energy_import",
            "from_at_ms": START_MS - 100 * 24 * _HOUR_MS,
            "opening_value": "0",
            "multiplier": "40" if flat == "main" else "1",
        }
        for flat in ("101", "201", "main")
    ],
    "accounts": [
        {"number": f"A-{flat}", "holder_name": name, "space": f"1-{flat}", "opened_on": "2026-01-01"}
        for flat, name in (("101", "王建国"), ("201", "陈静"))
    ],
    "supplies": [
        {"account": f"A-{flat}", "service_point": f"E-{flat}", "tariff": "t", "from_on": "2026-01-01"}
        for flat in ("101", "201")
    ],
}


class House:
    """Two flats and a master meter, all on one gateway."""

    def __init__(self, database: Database) -> None:
        self.database = database
        document = site_document_from_json(json.dumps(_HOUSE).encode())
        self.site_id: SiteId = database.write_now(TENANT, load_building, system_user(TENANT), document)
        self.manager = add_manager(database)
        [box] = database.read_now(TENANT, gateways.list_gateways)
        self.gateway = GatewayIdentity(TENANT, box.gateway_id, self.site_id, box.code)
        self._next_seq = 1

    def read(self, *rows: Reading) -> None:
        """Let the gateway read."""
        post(self.database, self.gateway, [history_block(self._next_seq, rows)])
        self._next_seq += len(rows)

    def row(self, code: str) -> MeterRow:
        """Return a meter's line."""
        page = self.database.read_now(TENANT, meters.list_meters, self.manager, self.site_id)
        return next(row for row in page.items if row.service_point_code == code)

    def series(self, code: str) -> SeriesId:
        """Return the register's series."""
        series_id = self.row(code).series_id
        assert series_id is not None
        return series_id

    def resident(self, number: str) -> User:
        """Return somebody who lives there."""
        accounts = self.database.read_now(TENANT, premises.list_accounts, self.manager, self.site_id).items
        own = frozenset(account.account_id for account in accounts if account.number == number)
        return User(self.manager.user_id, TENANT, Role.RESIDENT, number, account_ids=own)


def add_login(house: House, login: str, role: Role, number: str = "") -> User:
    """Let somebody sign in: staff, or with an account's number who lives there."""
    accounts = house.resident(number).account_ids if number else frozenset()

    def work(tx: Tx) -> UserId:
        user_id = users.insert_user(tx, login, login, role, Locale.CHINESE, "!")
        assert user_id is not None
        users.add_accounts(tx, user_id, accounts)
        return user_id

    return User(house.database.write_now(TENANT, work), TENANT, role, login, account_ids=accounts)


def add_resident(house: House, login: str, number: str) -> User:
    """Let somebody of an account sign in."""
    return add_login(house, login, Role.RESIDENT, number)
