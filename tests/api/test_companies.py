"""Several companies in one installation: begun by a command, signed in to by choice, each by itself."""

from typing import Any

import pytest
from click.testing import CliRunner

from cloud.__main__ import cloud as cloud_command
from cloud.config import DEFAULT_TENANT
from cloud.domain.errors import Conflict, Forbidden, Invalid
from cloud.domain.ids import TenantId
from cloud.domain.user import Role, User, system_user
from cloud.services import companies, invitations, users
from cloud.services.passwords import hash_password
from tests.api.conftest import PASSWORD, PASSWORD_HASH, Cloud, Reply

SECOND = TenantId(2)


async def _second_company(cloud: Cloud, login: str = "boss") -> None:
    begun = await cloud.database.write(
        SECOND, companies.begin, system_user(SECOND), "second", "第二物业", login, "陈总"
    )
    await cloud.database.write(SECOND, invitations.accept, begun.token, PASSWORD_HASH)


async def _sign_in(cloud: Cloud, login: str, **more: str) -> Reply:
    body = {"login": login, "password": PASSWORD} | more
    return await cloud.call("POST", "/api/v1/sessions", json=body)


async def _sites(cloud: Cloud, token: str) -> Any:
    return (await cloud.call("GET", "/api/v1/sites", token=token)).json["items"]


async def test_its_admin_signs_in_and_begins_with_a_site_nobody_else_sees(any_cloud: Cloud) -> None:
    await _second_company(any_cloud)
    first = await any_cloud.token_of(await any_cloud.add_user("manager"))

    boss = (await _sign_in(any_cloud, "boss")).json
    site = {"code": "YH", "name": "云湖花园", "time_zone": "Asia/Shanghai"}
    added = await any_cloud.call("POST", "/api/v1/sites", token=boss["token"], json=site)
    twice = await any_cloud.call("POST", "/api/v1/sites", token=boss["token"], json=site)

    assert boss["role"] == "company_admin"
    assert (added.status, twice.status) == (201, 409)
    assert [one["code"] for one in await _sites(any_cloud, boss["token"])] == ["YH"]
    assert await _sites(any_cloud, first) == []


async def test_who_works_for_two_says_for_which(cloud: Cloud) -> None:
    await _second_company(cloud, "wang")
    await cloud.add_user("wang")

    unsaid = await _sign_in(cloud, "wang")
    second = await _sign_in(cloud, "wang", company="second")
    nowhere = await _sign_in(cloud, "wang", company="third")

    assert (unsaid.status, unsaid.json["type"]) == (409, "/problems/conflict")
    assert (second.status, second.json["role"]) == (201, "company_admin")
    assert second.json["token"].startswith("2.")
    assert nowhere.status == 201, "an unknown company is as if none had been named"


async def test_a_password_right_in_one_of_two_needs_no_choice(cloud: Cloud) -> None:
    await _second_company(cloud, "wang")
    other = hash_password("another sentence 2026")
    await cloud.database.write(
        DEFAULT_TENANT, users.create_user, system_user(DEFAULT_TENANT), "wang", "王", Role.GUARD, other
    )

    assert (await _sign_in(cloud, "wang")).json["token"].startswith("2.")


async def test_the_page_offers_the_companies_and_goes_on_to_the_chosen(cloud: Cloud) -> None:
    await _second_company(cloud, "wang")
    await cloud.add_user("wang")
    headers = {"Origin": cloud.url}
    sent = {"login": "wang", "password": PASSWORD, "next": "/me"}
    async with cloud.http.post(
        f"{cloud.url}/login", data=sent, headers=headers, allow_redirects=False
    ) as response:
        assert response.headers["Location"] == "/login/company?next=%2Fme"
        halves = response.cookies["gatehouse_half"].value
    headers["Cookie"] = f"gatehouse_half={halves}"

    async with cloud.http.get(f"{cloud.url}/login/company", headers=headers) as response:
        assert "第二物业" in await response.text()
    for token in halves.split("~"):
        assert (await cloud.call("GET", "/api/v1/me", token=token)).status == 401
    async with cloud.http.post(
        f"{cloud.url}/login/company",
        data={"company": "second", "next": "/me"},
        headers=headers,
        allow_redirects=False,
    ) as response:
        assert response.headers["Location"] == "/me"
        session = response.cookies["gatehouse"].value

    me = await cloud.call("GET", "/api/v1/me", token=session)
    assert me.json["role"] == "company_admin"
    # A company without a site: the first page is where one is added.
    async with cloud.http.get(
        f"{cloud.url}/", headers={"Cookie": f"gatehouse={session}"}, allow_redirects=True
    ) as response:
        assert response.url.path == "/sites/new"
        assert response.status == 200


async def test_only_the_installation_begins_a_company_and_no_code_twice(cloud: Cloud) -> None:
    await _second_company(cloud)
    third = TenantId(3)
    manager = User(system_user(third).user_id, third, Role.COMPANY_ADMIN, "x")

    with pytest.raises(Forbidden):
        await cloud.database.write(third, companies.begin, manager, "third", "三", "boss", "x")
    with pytest.raises(Conflict, match="there is a company 'second' already"):
        await cloud.database.write(third, companies.begin, system_user(third), "second", "二", "boss", "x")
    with pytest.raises(Invalid, match="small letters"):
        await cloud.database.write(third, companies.begin, system_user(third), "Third!", "三", "boss", "x")


def test_the_command_begins_and_lists_companies(sqlite_url: str) -> None:
    run = CliRunner()
    named = ["--database", sqlite_url]

    added = run.invoke(
        cloud_command, ["company", "add", "second", "--name", "第二物业", "--admin", "boss", *named]
    )
    again = run.invoke(
        cloud_command, ["company", "add", "second", "--name", "第二物业", "--admin", "boss", *named]
    )
    listed = run.invoke(cloud_command, ["company", "list", *named])

    assert added.exit_code == 0, added.output
    assert "/invitation/2." in added.output
    assert again.exit_code == 1
    assert "there is a company 'second' already" in again.output
    assert "第二物业" in listed.output
