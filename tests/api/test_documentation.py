"""The documentation page in a real browser: it draws every route, asks no other host, breaks no policy."""

from collections import Counter
from pathlib import Path

from playwright.async_api import async_playwright

from cloud.api.openapi import openapi_document, operation_id_of, tag_of
from cloud.api.route import JSON_BODY_BYTES_MAX
from cloud.api.routes import ROUTES
from tests.api.conftest import Cloud


async def test_the_page_draws_the_document_within_its_policy(cloud: Cloud, chromium_path: Path) -> None:
    complaints: list[str] = []
    hosts: set[str] = set()
    operations = Counter(tag for tag, _ in {(tag_of(route), operation_id_of(route)) for route in ROUTES})
    # The page draws a chapter when it is opened, and a very large one not at all.
    largest = operations.most_common(4)
    async with async_playwright() as browsers:
        browser = await browsers.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        page = await browser.new_page()
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
        await page.goto(cloud.url + "/docs")
        await page.locator(".opblock-tag").first.wait_for(timeout=60_000)
        chapters = [await one.get_attribute("data-tag") for one in await page.locator(".opblock-tag").all()]
        drawn = {}
        for name, _ in largest:
            chapter = page.locator(f'.opblock-tag[data-tag="{name}"]')
            await chapter.click()
            await page.locator(".opblock").first.wait_for(timeout=60_000)
            drawn[name] = await page.locator(".opblock").count()
            await chapter.click()
            await page.locator(".opblock").first.wait_for(state="detached", timeout=60_000)
        await browser.close()

    assert sorted(filter(None, chapters)) == sorted(operations)
    assert drawn == dict(largest)
    assert complaints == []
    assert hosts == {cloud.url.removeprefix("http://")}


def test_what_takes_a_file_says_which_kinds_of_file() -> None:
    large = {one.path for one in ROUTES if one.body is None and one.body_bytes_max > JSON_BODY_BYTES_MAX}
    told = {route.path for route in ROUTES if route.uploads}
    paths = openapi_document(ROUTES, version="1")["paths"]

    bodies = [paths[path]["post"]["requestBody"] for path in told]

    assert large == told
    assert all(body["required"] and "application/octet-stream" in body["content"] for body in bodies)
