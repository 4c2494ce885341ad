"""What doors share: whose address counts, where a redirect may go, which door a path belongs to."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from cloud.config import Config, Http
from cloud.keys import CONFIG
from cloud.web.door import Door, door_of
from cloud.web.identity import address_of
from cloud.web.origin import is_own_path


def _request(peer: str, forwarded: str = "", proxies: tuple[str, ...] = ()) -> web.Request:
    app = web.Application()
    app[CONFIG] = Config(http=Http(trusted_proxies=proxies))
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = make_mocked_request("GET", "/", headers=headers, app=app)
    return request.clone(remote=peer)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "address"),
    [
        pytest.param("203.0.113.7", "", (), "203.0.113.7", id="direct"),
        pytest.param("203.0.113.7", "198.51.100.1", (), "203.0.113.7", id="a stranger's claim"),
        pytest.param("127.0.0.1", "198.51.100.1", ("127.0.0.1",), "198.51.100.1", id="our proxy"),
        pytest.param(
            "127.0.0.1",
            "6.6.6.6, 198.51.100.1",
            ("127.0.0.1",),
            "198.51.100.1",
            id="claimed through our proxy",
        ),
        pytest.param("2001:db8:1:2:3:4:5:6", "", (), "2001:db8:1:2::/64", id="one caller's whole network"),
    ],
)
def test_the_address_that_counts_is_the_one_nobody_can_choose(
    peer: str, forwarded: str, proxies: tuple[str, ...], address: str
) -> None:
    assert address_of(_request(peer, forwarded, proxies)) == address


@pytest.mark.parametrize(
    ("target", "is_own"),
    [
        pytest.param("/invoices?x=1", True, id="a page of ours"),
        pytest.param("https://evil.example/", False, id="another site"),
        pytest.param("//evil.example/", False, id="another site without scheme"),
        pytest.param("/\\evil.example/", False, id="what old browsers take for that"),
        pytest.param("javascript:alert(1)", False, id="a script"),
        pytest.param("/x\r\nSet-Cookie: a=b", False, id="a header in it"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_a_redirect_goes_to_a_page_of_ours_or_nowhere(target: str, *, is_own: bool) -> None:
    assert is_own_path(target) is is_own


def test_the_longest_prefix_decides_the_door() -> None:
    async def render(request: web.Request, error: Exception) -> web.Response:
        raise NotImplementedError

    def mount(app: web.Application) -> None:
        raise NotImplementedError

    console, api = Door("console", ("/",), mount, render), Door("api", ("/api/", "/docs"), mount, render)

    found: list[Any] = [door_of([console, api], path) for path in ("/api/v1/me", "/docs", "/login")]

    assert found == [api, api, console]
    assert door_of([api], "/login") is None
