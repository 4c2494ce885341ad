"""The policy table: what each role may, and that nobody can rise above their own."""

import pytest

from cloud.domain.access import OF_THE_COMPANY, POLICY, Action, may, require, require_may_grant
from cloud.domain.errors import Forbidden
from cloud.domain.ids import SiteId, TenantId, UserId
from cloud.domain.user import Role, Scope, User

# One's own password, second factor and sessions.
_OF_EVERYBODY = {Action.USE_OWN_ACCOUNT}


def _actor(role: Role) -> User:
    return User(UserId("u"), TenantId(1), role, "")


def test_whoever_is_bound_to_a_site_has_no_say_in_the_company() -> None:
    bound = User(UserId("u"), TenantId(1), Role.COMPANY_ADMIN, "", scope=Scope(frozenset({SiteId("s")})))

    refused = {action for action in Action if may(_actor(Role.COMPANY_ADMIN), action) - may(bound, action)}

    assert refused == OF_THE_COMPANY
    with pytest.raises(Forbidden, match="it concerns the whole company"):
        require(bound, Action.READ_AUDIT)


def test_every_action_has_a_row() -> None:
    assert set(POLICY) == set(Action)


def test_an_auditor_reads_everything_and_changes_nothing() -> None:
    allowed = {action for action in Action if may(_actor(Role.AUDITOR), action)}

    assert allowed == {action for action in Action if action.name.startswith("READ_")} | _OF_EVERYBODY


def test_a_contractor_may_nothing_until_work_is_given_to_it() -> None:
    assert [action for action in Action if may(_actor(Role.CONTRACTOR), action)] == [*_OF_EVERYBODY]


def test_who_runs_the_installation_sees_nobody_s_bills() -> None:
    platform = _actor(Role.PLATFORM)

    assert not may(platform, Action.READ_INVOICES)
    assert not may(platform, Action.READ_LEDGER)
    assert may(platform, Action.MANAGE_GATEWAYS)


def test_a_guard_acts_on_alarms_and_sees_no_money() -> None:
    guard = _actor(Role.GUARD)

    assert may(guard, Action.ACKNOWLEDGE_ALARM)
    assert not may(guard, Action.READ_INVOICES)
    assert not may(guard, Action.MANAGE_USERS)


@pytest.mark.parametrize(
    ("actor", "role", "is_allowed"),
    [
        pytest.param(Role.MANAGER, Role.FINANCE, True, id="manager invites finance"),
        pytest.param(Role.MANAGER, Role.RESIDENT, True, id="manager invites a resident"),
        pytest.param(Role.MANAGER, Role.MANAGER, True, id="manager invites a manager"),
        pytest.param(Role.PLATFORM, Role.MANAGER, False, id="platform makes itself a manager"),
        pytest.param(Role.PLATFORM, Role.FINANCE, False, id="platform makes itself finance"),
        pytest.param(Role.PLATFORM, Role.RESIDENT, False, id="platform makes itself a resident"),
        pytest.param(Role.PLATFORM, Role.CONTRACTOR, True, id="platform invites a contractor"),
        pytest.param(Role.SYSTEM, Role.COMPANY_ADMIN, True, id="the command line"),
    ],
)
def test_nobody_grants_more_than_they_have(actor: Role, role: Role, *, is_allowed: bool) -> None:
    if is_allowed:
        require_may_grant(_actor(actor), role)
        return
    with pytest.raises(Forbidden, match=f"may not make somebody {role.value}"):
        require_may_grant(_actor(actor), role)


def test_whoever_runs_the_property_lets_residents_in() -> None:
    for role in (Role.COMPANY_ADMIN, Role.MANAGER, Role.SYSTEM):
        require_may_grant(_actor(role), Role.RESIDENT)
