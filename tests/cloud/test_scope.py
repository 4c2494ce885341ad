"""A transaction held to an actor's scope: every table, every kind of statement, on both databases."""

import pytest
import sqlalchemy as sa

from cloud.domain.ids import BuildingId, SiteId, UserId
from cloud.domain.premises import SpaceKind
from cloud.domain.user import Locale, Role, User
from cloud.store import premises, schema, users
from cloud.store.db import Database, Tx
from cloud.store.scope import is_held
from tests.databases import OTHER_TENANT, TENANT

# Of the whole company, or of nobody's place: who may read these is the policy's to say.
OF_THE_COMPANY = {
    "app_user",
    "attachment",  # reached by what it is of
    "audit_entry",
    "audit_link",
    "checklist",
    "document_number",
    "idempotency_key",
    "invitation",
    "job_run",
    "ledger_account",
    "photo",  # reached by what it is of
    "rate_limit",
    "recovery_code",
    "second_factor",
    "second_factor_role",
    "session",
    "subject_mapping",
    "tariff",
    "technician",
    "tenant",
    "tenant_key",
}


class Estate:
    """Two sites, the first with two buildings of a home each, and somebody bound to part of it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        database.write_now(TENANT, self._build)

    def _build(self, tx: Tx) -> None:
        self.sites = [premises.insert_site(tx, code, code, "Asia/Shanghai", "") for code in ("A", "B")]
        self.buildings: list[BuildingId] = []
        for site_id, code in ((self.sites[0], "1"), (self.sites[0], "2"), (self.sites[1], "3")):
            building_id = premises.insert_building(tx, site_id, code, code, 6)
            premises.insert_space(tx, building_id, f"{code}-101", "1", 1, SpaceKind.FLAT, 8950)
            self.buildings.append(building_id)

    def guard(self, sites: tuple[SiteId, ...] = (), buildings: tuple[BuildingId, ...] = ()) -> User:
        """Return a guard bound to these."""

        def add(tx: Tx) -> User:
            login = f"guard {tx.new_id()}"
            user_id = users.insert_user(tx, login, "Guard", Role.GUARD, Locale.CHINESE, "!")
            assert user_id is not None
            users.replace_scope(tx, user_id, sites, buildings)
            record = users.find_user(tx, user_id)
            assert record is not None
            return record.user

        return self.database.write_now(TENANT, add)

    def codes(self, actor: User, table: sa.Table) -> list[str]:
        """Return the codes of what of a table the actor sees."""

        def read(tx: Tx, _actor: User) -> list[str]:
            own = table.c.tenant_id == tx.tenant_id
            return list(tx.conn.scalars(sa.select(table.c.code).where(own).order_by(table.c.code)))

        return self.database.read_now(TENANT, read, actor)


@pytest.fixture
def estate(database: Database) -> Estate:
    return Estate(database)


def test_whoever_is_bound_to_a_site_sees_all_of_it_and_nothing_else(estate: Estate) -> None:
    actor = estate.guard(sites=(estate.sites[0],))

    assert estate.codes(actor, schema.site) == ["A"]
    assert estate.codes(actor, schema.building) == ["1", "2"]
    assert estate.codes(actor, schema.space) == ["1-101", "2-101"]


def test_whoever_is_bound_to_a_building_sees_its_homes_and_the_site_around_it(estate: Estate) -> None:
    actor = estate.guard(buildings=(estate.buildings[1],))

    assert estate.codes(actor, schema.site) == ["A"]
    assert estate.codes(actor, schema.building) == ["2"]
    assert estate.codes(actor, schema.space) == ["2-101"]


def test_several_bonds_add_up(estate: Estate) -> None:
    actor = estate.guard(sites=(estate.sites[1],), buildings=(estate.buildings[0],))

    assert estate.codes(actor, schema.site) == ["A", "B"]
    assert estate.codes(actor, schema.space) == ["1-101", "3-101"]


def test_whoever_is_bound_to_nothing_works_everywhere(estate: Estate) -> None:
    assert estate.codes(estate.guard(), schema.building) == ["1", "2", "3"]


def test_changes_and_deletions_reach_only_what_is_within(estate: Estate) -> None:
    estate.guard(sites=(estate.sites[0],))
    actor = estate.guard(sites=(estate.sites[1],))

    def change(tx: Tx, _actor: User) -> tuple[int, int]:
        everything = schema.space.c.tenant_id == tx.tenant_id
        changed = tx.conn.execute(sa.update(schema.space).where(everything).values(floor=9)).rowcount
        ties = schema.user_site.c.tenant_id == tx.tenant_id
        return changed, tx.conn.execute(sa.delete(schema.user_site).where(ties)).rowcount

    assert estate.database.write_now(TENANT, change, actor) == (1, 1)


def test_the_next_transaction_on_the_connection_is_free_again(estate: Estate) -> None:
    actor = estate.guard(sites=(estate.sites[1],))
    other = estate.guard(buildings=(estate.buildings[0],))

    for _ in range(3):
        assert estate.codes(actor, schema.building) == ["3"]
        assert estate.codes(other, schema.building) == ["1"]
        assert estate.codes(estate.guard(), schema.building) == ["1", "2", "3"]


def test_a_scope_reaches_into_no_other_company(estate: Estate) -> None:
    actor = estate.guard(sites=(estate.sites[0],))
    stranger = User(UserId(actor.user_id), OTHER_TENANT, Role.GUARD, "", scope=actor.scope)

    def count(tx: Tx, _actor: User) -> int | None:
        return tx.conn.scalar(sa.select(sa.func.count()).select_from(schema.site))

    assert estate.database.read_now(OTHER_TENANT, count, stranger) == 0


def test_every_table_is_held_or_named_as_the_company_s() -> None:
    free = {table.name for table in schema.metadata.sorted_tables if not is_held(table)}

    # A new table that refers to nothing with a place: let it, or add it here and say who may read it.
    assert free == OF_THE_COMPANY


def test_every_table_can_be_read_by_any_name_joined_changed_and_emptied(estate: Estate) -> None:
    actor = estate.guard(sites=(estate.sites[1],))
    held = [table for table in schema.metadata.sorted_tables if is_held(table)]

    def ask(tx: Tx, _actor: User) -> None:
        for table in held:
            other = table.alias("other")
            same = sa.and_(*(column == other.c[column.name] for column in table.primary_key))
            joined = sa.select(sa.func.count()).select_from(table.outerjoin(other, same))
            tx.conn.execute(joined.where(sa.exists().where(table.c.tenant_id == tx.tenant_id)))
            key = sa.select(*table.primary_key)
            tx.conn.execute(sa.select(sa.union_all(key, key).subquery()))
            nothing = sa.and_(table.c.tenant_id == tx.tenant_id, sa.false())
            tx.conn.execute(sa.update(table).where(nothing).values(tenant_id=tx.tenant_id))
            tx.conn.execute(sa.delete(table).where(nothing))

    estate.database.write_now(TENANT, ask, actor)
