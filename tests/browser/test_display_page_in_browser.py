"""The gate's live page in a real browser: it follows the display, and axe-core has no complaint."""

import re
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import expect

from admission.verdict import Answer
from appliance.local_page.display_page import routes
from appliance.ports import Look, Screen
from appliance.simulator.picture_display import PictureDisplay

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
USED = Screen(Look.DENIED, answer=Answer.ALREADY_USED, detail="19:02 · Porte B")


class Watched:
    """A gate's display, and a browser that watches it."""

    def __init__(self, page, display: PictureDisplay, server: TestServer) -> None:
        self.page = page
        self.display = display
        self.server = server
        self.complaints: list[str] = []
        page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def show(self, screen: Screen) -> None:
        """Show a screen and wait until the browser shows its picture and its words."""
        await self.display.show(screen)
        # locators ask from outside: a function polled in the page needs eval, which it forbids
        await expect(self.page.locator("#answer")).to_have_text(self.display.text)
        picture = self.page.locator("#picture")
        revision = re.compile(rf"revision={self.display.revision}&")
        await expect(picture).to_have_attribute("src", revision)
        width = await picture.evaluate(
            "picture => picture.decode().then(() => picture.naturalWidth)"
        )
        assert width == 800

    async def violations(self) -> list[str]:
        await self.page.evaluate(AXE.read_text())
        found = await self.page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
        return [f"{rule['id']}: {rule['help']}" for rule in found["violations"]]


@pytest_asyncio.fixture(loop_scope="session")
async def watched(context):
    display = PictureDisplay("fr")
    application = web.Application()
    application.add_routes(routes(display))
    server = TestServer(application)
    await server.start_server(shutdown_timeout=0.1)
    page = await context.new_page()
    await page.goto(f"http://127.0.0.1:{server.port}/")
    yield Watched(page, display, server)
    await page.close()
    await server.close()


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
class TestLivePage:
    async def test_it_follows_the_display_without_a_reload(self, watched):
        for screen in (Screen(Look.IDLE, title="Carmen"), USED, Screen(Look.GRANTED)):
            await watched.show(screen)
        assert watched.complaints == []

    async def test_it_is_accessible_blank_and_with_an_answer(self, watched):
        assert await watched.violations() == []
        await watched.show(USED)
        assert await watched.violations() == []

    async def test_it_says_when_the_gate_is_gone(self, watched):
        await watched.show(USED)
        await watched.server.close()
        await expect(watched.page.locator("#lost")).not_to_be_empty()
        assert "perdue" in await watched.page.inner_text("#lost")

    async def test_it_fits_a_telephone(self, watched):
        await watched.page.set_viewport_size({"width": 320, "height": 640})
        await watched.show(USED)
        wide = await watched.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 320
