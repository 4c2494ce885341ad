"""The resident's pages install as an app; its worker keeps nothing personal."""

import json

import aiohttp

from tests.console.conftest import Served


async def test_a_phone_is_offered_an_app_with_icons_that_are_there(served: Served) -> None:
    async with aiohttp.ClientSession(served.url, headers={"Accept-Language": "zh-CN"}) as phone:
        async with phone.get("/manifest.webmanifest") as answer:
            assert answer.content_type == "application/manifest+json"
            manifest = await answer.json(content_type=None)
        sizes = {}
        for icon in manifest["icons"]:
            async with phone.get(icon["src"]) as answer:
                sizes[icon["sizes"]] = (answer.status, answer.content_type)

    assert (manifest["display"], manifest["start_url"], manifest["short_name"]) == (
        "standalone",
        "/home",
        "我家",
    )
    assert sizes == {
        "192x192": (200, "image/png"),
        "512x512": (200, "image/png"),
        "any": (200, "image/svg+xml"),
    }


async def test_the_worker_keeps_what_is_there_and_nothing_personal(served: Served) -> None:
    async with aiohttp.ClientSession(served.url, headers={"Accept-Language": "zh-CN"}) as phone:
        async with phone.get("/service-worker.js") as answer:
            assert answer.content_type == "text/javascript"
            first, _, _ = (await answer.text()).partition("\n")
        kept = json.loads(first.removeprefix("const KEPT = ").removesuffix(";"))
        answers = {}
        for path in kept:
            async with phone.get(path) as answer:
                answers[path] = answer.status
        async with phone.get("/offline") as answer:
            told = await answer.text()

    assert set(answers.values()) == {200}
    assert [path for path in kept if not path.startswith("/static/")] == ["/offline"]
    assert "没有网络" in told
