"""The planner is told how much there is, so that it finds one account's papers by the account."""

import sqlalchemy as sa

from cloud.store import schema, statistics
from cloud.store.db import Database, Tx
from tests.cloud.house import House
from tests.databases import TENANT


def test_what_is_counted_is_known_to_those_who_read_next(database: Database) -> None:
    House(database)

    database.write_now(TENANT, statistics.refresh)
    database.renew_readers()

    def look(tx: Tx) -> int:
        if not tx.is_postgresql:
            assert tx.conn.exec_driver_sql("SELECT count(*) FROM sqlite_stat1").scalar_one() > 10
        return int(tx.conn.scalar(sa.select(sa.func.count()).select_from(schema.space)) or 0)

    assert database.read_now(TENANT, look) == 2
