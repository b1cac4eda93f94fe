"""The gate's own pages in a real browser: by keyboard, narrow and wide, light and dark, live."""

from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from appliance.clock import SystemClock
from appliance.local_page import overview
from appliance.local_page.serving import serve_page
from appliance.page_ports import GateDesk, Heard, ReadBack, SeenCode
from appliance.ports import Look, Screen
from appliance.simulator.picture_display import PictureDisplay
from appliance.storage.settings_file import SettingsFile
from gate_states import BAD_NIGHT, GOOD_NIGHT, TAIL, StillCamera, glimpse
from gate_visitor import SUPERVISOR_PIN, pages_of

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PATHS = ("/gate/", "/gate/journal", "/gate/picture", "/gate/wiring", "/gate/set-up")


class RunningTest:
    """A wiring test that runs, and heard and read one thing."""

    left_s = 400.0
    ways = frozenset()
    heard = (Heard("passed", 3.0),)
    reads = (ReadBack("outside", "QRCode", 12, 4.0),)


class Watched:
    """A gate's pages, and a browser before them."""

    def __init__(self, page, desk: GateDesk, address: str) -> None:
        self.page = page
        self.desk = desk
        self.status = GOOD_NIGHT
        self.address = address.rstrip("/")
        self.complaints: list[str] = []
        page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def log_in(self) -> None:
        """Log in by keyboard alone."""
        await self.page.goto(self.address + "/gate/login")
        await self.page.locator("input[value=steward]").focus()
        await self.page.keyboard.press("ArrowDown")
        await self.page.keyboard.press("Tab")
        await self.page.keyboard.type(SUPERVISOR_PIN)
        await self.page.keyboard.press("Enter")
        await self.page.wait_for_url(self.address + "/gate/")

    async def violations(self) -> list[str]:
        await self.page.evaluate(AXE.read_text())
        found = await self.page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
        return [
            f"{rule['id']}: {[node['html'][:160] for node in rule['nodes']]}"
            for rule in found["violations"]
        ]

    async def overflows(self) -> bool:
        return await self.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )


@pytest_asyncio.fixture(loop_scope="session")
async def watched(context, tmp_path):
    display = PictureDisplay("fr")
    await display.show(Screen(Look.IDLE, title="Le Barbier de Séville", occupancy=412))

    async def tail(count):
        return TAIL[:count]

    desk = GateDesk("Porte A", None, tail)
    outline = ((60, 60), (180, 70), (170, 190), (50, 180))
    seen = glimpse(SeenCode("QRCode", outline, 12), picture=display.png)
    (tmp_path / "gate.toml").write_text("# nothing yet\n")
    desk.settings = SettingsFile(tmp_path / "gate.toml")
    desk.cameras = {"outside": StillCamera(seen)}
    pages = pages_of(SystemClock(), desk, picture=display, gate=lambda: desk.gate_name)
    async with serve_page(display, "127.0.0.1", 0, pages=pages) as address:
        found = Watched(await context.new_page(), desk, address)
        desk.status = lambda: found.status
        yield found
        await found.page.close()
        assert found.complaints == []


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
class TestGatePages:
    @pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
    async def test_every_page_is_accessible_and_fits(self, watched, width, scheme):
        page = watched.page
        await page.set_viewport_size({"width": width, "height": 800})
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await page.goto(watched.address + "/gate/login")
        assert await watched.violations() == []
        await watched.log_in()
        for status in (GOOD_NIGHT, BAD_NIGHT):
            watched.status = status
            for path in PATHS:
                await page.goto(watched.address + path)
                assert await watched.violations() == [], path
                assert not await watched.overflows(), path
        watched.desk.wiring = RunningTest()
        await page.goto(watched.address + "/gate/wiring")
        assert await watched.violations() == []
        assert not await watched.overflows()

    async def test_a_fault_comes_and_goes_without_a_reload(self, watched, monkeypatch):
        monkeypatch.setattr(overview, "EVERY_S", 0.05)
        await watched.log_in()
        faults = watched.page.locator("#faults")
        await expect(faults).to_contain_text("Aucune panne")
        watched.status = BAD_NIGHT
        await expect(faults).to_contain_text("Le relais ne répond pas")
        watched.status = GOOD_NIGHT
        await expect(faults).to_contain_text("Aucune panne")

    async def test_a_session_that_ends_elsewhere_leads_to_the_log_in(self, watched, monkeypatch):
        monkeypatch.setattr(overview, "EVERY_S", 0.05)
        await watched.log_in()
        second = await watched.page.context.new_page()
        await second.goto(watched.address + "/gate/")
        await second.get_by_role("button", name="Se déconnecter").click()
        await watched.page.wait_for_url("**/gate/login?ended=1**")
        await expect(watched.page.locator("main")).to_contain_text("session est terminée")
        await second.close()
