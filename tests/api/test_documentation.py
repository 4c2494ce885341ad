"""The documentation page in a real browser: it draws every route, asks no other host, breaks no policy."""

from pathlib import Path

from playwright.async_api import async_playwright

from cloud.api.openapi import operation_id_of
from cloud.api.routes import ROUTES
from tests.api.conftest import Cloud


async def test_the_page_draws_the_document_within_its_policy(cloud: Cloud, chromium_path: Path) -> None:
    complaints: list[str] = []
    hosts: set[str] = set()
    async with async_playwright() as browsers:
        browser = await browsers.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        page = await browser.new_page()
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
        await page.goto(cloud.url + "/docs")
        await page.locator(".opblock-tag").first.wait_for(timeout=60_000)
        drawn = 0
        for chapter in await page.locator(".opblock-tag").all():
            await chapter.click()
            await page.locator(".opblock").first.wait_for(timeout=60_000)
            drawn += await page.locator(".opblock").count()
            await chapter.click()
            await page.locator(".opblock").first.wait_for(state="detached", timeout=60_000)
        await browser.close()

    assert drawn == len({operation_id_of(route) for route in ROUTES})
    assert complaints == []
    assert hosts == {cloud.url.removeprefix("http://")}
