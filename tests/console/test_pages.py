"""Every page opens for whom the table lets in, in both languages, and holds nothing half-made."""

import html
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import aiohttp
import pytest

from cloud.console.navigation import MENU
from cloud.console.routes import PAGES
from cloud.domain.access import Action, may
from cloud.domain.ids import TenantId, UserId
from cloud.domain.user import Role, User
from cloud.keys import PASSWORDS
from cloud.services import alarms, users
from cloud.store.db import Tx
from protocol.event import Event, EventState, Severity
from tests.console import garden
from tests.console.conftest import Served

# What stands for each part of an address; every GET page of the table is asked for with these.
_PARTS = {
    "account": "A-00101",
    "complaint": "DG-F-2026-0001",
    "device": "lock-1",
    "code": "2026-10",
    "line_no": "1",
    "meter": "202607000104",
    "number": "DG-2026-10-0001",
    "part": "queue",
    "repair": "DG-R-2026-0001",
    "space": "1-101",
    "version": "3",
}
# By the noun.
_CODES = {
    "/devices": "gw-1",
    "/checklists": "elevator-traction",
    "/equipment": "lift-1",
    "/gateways": "gw-1",
    "/tariffs": "cn-beijing-elec-res",
}
_QUERY = {"/equipment/lift": "?code=lift-1", "/find/results": "?q=1-101", "/find": "?q=1-101"}
# Not pages but files; what is in them is looked at where they are made.
_FILES = (
    "/copy", "/export", "/file", "/notice", "/pdf", "/rejected", "/reports/journal", "/template",
    "/visits", "{attachment}", "{photo}", "{picture}",
)  # fmt: skip
# Parts of addresses that nobody knows before something was done.
_UNNAMED = (
    "alarm_id", "{camera}", "{equipment_id}", "{announcement}", "{ballot}", "command_id", "{import_id}",
    "{person}", "{plan_id}", "{route}", "{run}", "{sheet}", "{tag}", "{user_id}",
)  # fmt: skip
# What needs no right.
_OF_EVERYBODY = (
    "/static/", "/preferences", "/logout", "/docs", "/openapi", "/api/", "/manifest.webmanifest",
)  # fmt: skip
_UNFINISHED = re.compile(r"\bNone\b|\bundefined\b|%\(|\{\{|\{%|Traceback|0x[0-9a-f]{8}|<class ")


class _Text(HTMLParser):
    """Collects what a reader sees."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def text_of(html: str) -> str:
    parser = _Text()
    parser.feed(html)
    return " ".join(parser.parts)


def addresses() -> list[str]:
    """Return an address for every GET page that can be named beforehand."""
    found = []
    for page in PAGES:
        if page.method != "GET" or page.path.endswith(_FILES) or any(p in page.path for p in _UNNAMED):
            continue
        path = re.sub(r"\{(\w+)(:[^{}]*(?:\{[^{}]*\})?[^{}]*)?\}", r"{\1}", page.path)
        code = _CODES.get(path.partition("/{")[0], _PARTS["code"])
        found.append(path.format(**{**_PARTS, "code": code}) + _QUERY.get(path, ""))
    return found


def page_may(actor: User, path: str) -> bool:
    """Tell whether the table lets the actor open what an address stands for (by any method)."""
    path = unquote(path)
    if path == "/sites/new":  # served before there is a site, so not one of the table
        return may(actor, Action.MANAGE_SITES)
    for page in PAGES:
        pattern = re.sub(r"\{\w+:((?:[^{}]|\{[^{}]*\})*)\}", r"(?:\1)", page.path)
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path):
            return may(actor, page.action)
    raise AssertionError(f"no page for {path}")


async def add_user(served: Served, role: Role) -> None:
    """Add somebody of a role, whose login is the role's name."""
    boss = User(UserId("00000000-0000-7000-8000-000000000000"), TenantId(1), Role.SYSTEM, "system")
    hashed = await served.app[PASSWORDS].hash(garden.PASSWORD)
    await served.database.write(TenantId(1), users.create_user, boss, role.value, role.value, role, hashed)


async def signed_in(served: Served, login: str, language: str = "zh-CN") -> aiohttp.ClientSession:
    jar = aiohttp.CookieJar(unsafe=True)
    session = aiohttp.ClientSession(
        base_url=served.url, cookie_jar=jar, headers={"Sec-Fetch-Site": "same-origin"}
    )
    jar.update_cookies({"gatehouse_language": language})
    data = {"login": login, "password": garden.PASSWORD}
    async with session.post("/login", data=data, allow_redirects=False) as response:
        assert response.status == 303
    return session


@pytest.mark.parametrize("language", ["zh-CN", "en"])
async def test_every_page_opens_and_holds_nothing_unfinished(served: Served, language: str) -> None:
    resident_pages = [path for path in addresses() if path.startswith("/home")]
    for login, paths in (
        ("manager", [path for path in addresses() if path not in resident_pages]),
        ("101", resident_pages),
    ):
        async with await signed_in(served, login, language) as session:
            for path in paths:
                async with session.get(path) as response:
                    html = await response.text()
                    assert response.status == 200, (path, text_of(html)[:200])
                assert not _UNFINISHED.search(text_of(html)), (path, _UNFINISHED.search(text_of(html)))


async def test_a_resident_is_refused_every_staff_page(served: Served) -> None:
    resident = User(UserId("x"), TenantId(1), Role.RESIDENT, "x")
    refused = [page for page in PAGES if not may(resident, page.action) and page.path != "/"]
    async with await signed_in(served, "101") as session:
        for page in refused:
            path = re.sub(r"\{[^{}]*(?:\{[^{}]*\})?[^{}]*\}", "1", page.path)
            async with session.request(page.method, path, allow_redirects=False) as response:
                assert response.status == 403, page.path

    assert len(refused) > 20


@pytest.mark.parametrize(
    "role", [Role.AUDITOR, Role.COMPANY_ADMIN, Role.FINANCE, Role.GUARD, Role.MAINTENANCE]
)
async def test_each_role_opens_all_its_pages_and_no_link_leads_it_astray(served: Served, role: Role) -> None:
    await add_user(served, role)
    seen = set()
    async with await signed_in(served, role.value) as session:
        waiting = [
            "/",
            "/find?q=101",
            "/equipment/lift-1",
            *(path for path in addresses() if path[1:5] != "home"),
        ]
        own = User(UserId("x"), TenantId(1), role, "x")
        for path in waiting:
            async with session.get(path) as response:
                html = await response.text()
                page = response.url.path
                is_allowed = page_may(own, page)
                assert response.status == (200 if is_allowed else 403), path
            if is_allowed:
                seen.add(page)
                for link in re.findall(r'(?:href|action)="(/[^"#?]*)', html):
                    if not link.startswith(_OF_EVERYBODY):
                        assert page_may(own, link), (path, link)

    assert len(seen) >= 6


def test_no_letter_leads_to_two_pages() -> None:
    keys = [entry.key for group in MENU for entry in group.entries if entry.key]

    assert len(keys) == len(set(keys)) > 20


async def test_a_role_without_a_page_is_told_so(served: Served) -> None:
    await add_user(served, Role.CONTRACTOR)
    async with await signed_in(served, "contractor") as session, session.get("/") as response:
        assert response.status == 403


async def test_nobody_gets_a_page_without_signing_in(served: Served) -> None:
    async with aiohttp.ClientSession(base_url=served.url) as session:
        for page in PAGES:
            path = re.sub(r"\{[^{}]*(?:\{[^{}]*\})?[^{}]*\}", "1", page.path)
            async with session.request(page.method, path, allow_redirects=False) as response:
                assert response.status == 303, page.path
                assert response.headers["Location"].startswith("/login")


async def test_a_resident_does_not_learn_of_another_s_bill(served: Served) -> None:
    async with await signed_in(served, "101") as session:
        async with session.get("/home/bills/DG-2026-10-0001") as own:
            assert own.status == 200
        async with session.get("/home/bills/DG-2026-10-0002") as other:
            assert other.status == 404
        async with session.get("/home/bills/DG-2026-10-9999") as none:
            assert none.status == 404


async def test_another_site_s_page_cannot_make_a_manager_act(served: Served) -> None:
    async with await signed_in(served, "manager") as session:
        headers = {"Sec-Fetch-Site": "cross-site"}
        async with session.post("/billing/2026-11/close", headers=headers) as response:
            assert response.status == 403
        async with session.post("/preferences", headers=headers, data={"theme": "dark"}) as response:
            assert response.status == 403


async def test_a_period_cannot_be_billed_twice_or_too_early(served: Served) -> None:
    async with await signed_in(served, "manager") as session:
        async with session.post("/billing/2026-10/close") as again:
            html = await again.text()
            assert again.status == 409
            assert "2026-10 已结账，共 24 张账单" in text_of(html)
        async with session.post("/billing/2026-11/close") as early:
            assert early.status == 409
        async with session.post("/billing/november/close") as nonsense:
            assert nonsense.status == 422


async def test_every_answer_forbids_inline_scripts_and_styles(served: Served) -> None:
    async with await signed_in(served, "manager") as session:
        for path in ("/", "/login", "/nothing-here", "/invoices/none"):
            async with session.get(path, allow_redirects=False) as response:
                policy = response.headers["Content-Security-Policy"]
                assert "script-src 'self'" in policy
                assert "style-src 'self'" in policy


async def test_a_page_that_fails_says_so_with_a_number(served: Served) -> None:
    async with await signed_in(served, "manager") as session, session.get("/alarms/none") as response:
        html = await response.text()

        assert response.status == 404
        assert response.headers["X-Request-Id"] in html


async def test_a_notice_can_only_say_what_is_on_the_list(served: Served) -> None:
    async with await signed_in(served, "manager") as session:
        session.cookie_jar.update_cookies({"gatehouse_notice": "say=<b>hello</b>"})
        async with session.get("/alarms") as response:
            assert "hello" not in await response.text()
        session.cookie_jar.update_cookies({"gatehouse_notice": "say=alarm-acknowledged&number=<i>7</i>"})
        async with session.get("/alarms") as response:
            html = await response.text()
            assert "&lt;i&gt;7&lt;/i&gt;" in html
            assert "<i>7</i>" not in html


async def test_signing_in_goes_only_to_our_own_pages(served: Served) -> None:
    async with aiohttp.ClientSession(base_url=served.url) as session:
        form = {"login": "manager", "password": garden.PASSWORD, "next": "//elsewhere.example/"}
        headers = {"Sec-Fetch-Site": "same-origin"}
        async with session.post("/login", data=form, headers=headers, allow_redirects=False) as response:
            assert response.status == 303
            assert response.headers["Location"] == "/"


async def test_a_flood_of_alarms_is_one_line_that_unfolds_and_is_acknowledged_at_once(served: Served) -> None:
    def flood(tx: Tx) -> None:
        for number in range(40):
            key, at_ms = f"em-1{number:02d}/availability", garden.NOW_MS - 60_000 + number
            silent = (EventState.RAISED, Severity.MINOR, key, at_ms, "no answer to 2 questions in a row")
            alarms.take_event(tx, served.gateway, 1, 9_000 + number, Event("device_offline", *silent))

    await served.database.write(served.gateway.tenant_id, flood)
    async with await signed_in(served, "manager", "en") as office:
        async with office.get("/alarms") as listed:
            folded = await listed.text()
        [onward] = re.findall(r'href="(/alarms[^"]*expand=[^"]*)"', folded)
        async with office.get(html.unescape(onward)) as unfolded:
            shown = await unfolded.text()
        [form] = re.findall(r'action="/alarms/acknowledge".*?</form>', shown, re.DOTALL)
        named = re.findall(r'name="alarm" value="([^"]+)"', form)
        data = [("alarm", one) for one in named]
        async with office.post("/alarms/acknowledge", data=data) as done:
            after = text_of(await done.text())
        async with office.post("/alarms/acknowledge", data={"alarm": "no-id"}) as refused:
            assert refused.status == 404

    assert "40 alarms" in text_of(folded) and folded.count("<tr>") == 1 + 2  # the head, the leak, the flood
    assert shown.count("<tr>") == 1 + 2 + 40
    assert len(named) == 40
    assert "40 alarms acknowledged" in after and "1 alarm nobody has acknowledged" in after
