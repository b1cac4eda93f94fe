"""The staff's pages in a real browser, small and large: they follow, and axe-core is content."""

from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from admission.scan import Direction
from admission.verdict import Answer
from appliance.clock import SystemClock
from appliance.handheld_ports import BatteryReading
from appliance.local_page.serving import serve_page
from appliance.ports import Look, Screen
from appliance.simulator.picture_display import PictureDisplay
from appliance.steward_ports import Done, Keyed, LetThrough
from gate_visitor import STEWARD_PIN, SUPERVISOR_PIN, pages_of
from staff_stand_ins import CHECKED, GRANTED, IDLE, USED, MadeUpHandheld, MadeUpSteward, desk_of

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SMALL = {"width": 360, "height": 640}
WIDE = {"width": 1280, "height": 900}
FAMILY = Screen(
    Look.GRANTED,
    Direction.ENTRY,
    Answer.GRANTED,
    detail="Famille nombreuse",
    attention=("Justificatif de domicile",),
    seat="Balcon gauche · rang ZZ · 128",
)


class Handled:
    """A browser before a gate with made-up answers."""

    def __init__(self, page, address, steward, hand):
        self.page, self.address = page, address.rstrip("/")
        self.steward, self.hand = steward, hand
        self.complaints: list[str] = []
        page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def log_in(self, role, pin, then):
        await self.page.goto(f"{self.address}{then}")
        await self.page.check(f"input[value={role}]")
        await self.page.fill("input[type=password]", pin)
        await self.page.click("button.primary")
        await self.page.wait_for_url(f"**{then}")

    async def violations(self):
        await self.page.evaluate(AXE.read_text())
        found = await self.page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
        return [
            f"{rule['id']}: {rule['help']}: {[node['html'][:200] for node in rule['nodes']]}"
            for rule in found["violations"]
        ]

    async def overflows(self):
        return await self.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )


async def _serve(context, hand):
    steward = MadeUpSteward()
    pages = pages_of(SystemClock(None), desk_of(steward, hand))
    async with serve_page(PictureDisplay("fr"), "127.0.0.1", 0, pages=pages) as address:
        page = await context.new_page()
        yield Handled(page, address, steward, hand)
        await page.close()


@pytest_asyncio.fixture(loop_scope="session")
async def hand(context):
    async for handled in _serve(context, MadeUpHandheld()):
        await handled.page.set_viewport_size(SMALL)
        yield handled


@pytest_asyncio.fixture(loop_scope="session")
async def desk(context):
    async for handled in _serve(context, None):
        yield handled


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
class TestHandheld:
    async def test_it_follows_the_gate_and_the_last_answer_stays(self, hand):
        await hand.log_in("steward", STEWARD_PIN, "/gate/hand")
        await expect(hand.page.locator("#hand-result")).to_contain_text("Prêt")
        hand.hand.last = USED
        await expect(hand.page.locator("#hand-result .told-title")).to_contain_text("Déjà utilisé")
        hand.hand.now = IDLE
        await expect(hand.page.locator("#hand-result")).to_contain_text("Porte B")
        await hand.page.click("text=Scanner")
        await expect(hand.page.locator("#hand-result")).to_contain_text("Prêt")
        assert hand.hand.pulled == 1
        assert hand.page.url.endswith("/gate/hand")
        assert hand.complaints == []

    async def test_every_state_fits_a_small_screen_and_has_no_violation(self, hand, scheme):
        await hand.page.emulate_media(color_scheme=scheme)
        await hand.log_in("steward", STEWARD_PIN, "/gate/hand")
        for last in (None, GRANTED, USED, FAMILY):
            hand.hand.last = last
            await hand.page.reload()
            assert await hand.violations() == []
            assert not await hand.overflows()
        hand.hand.awaits = Direction.ENTRY
        hand.hand.battery = BatteryReading(4, True)
        hand.steward.is_check_only, hand.steward.looked_at = True, CHECKED
        await hand.page.reload()
        assert await hand.violations() == []
        assert not await hand.overflows()
        box = await hand.page.locator("text=Scanner").bounding_box()
        assert box["y"] + box["height"] <= SMALL["height"]  # whatever there is to tell

    async def test_the_thumbs_buttons_are_on_the_first_screen(self, hand):
        await hand.log_in("steward", STEWARD_PIN, "/gate/hand")
        hand.hand.last = FAMILY
        await expect(hand.page.locator("#hand-result")).to_contain_text("Famille")
        box = await hand.page.locator("text=Superviseur").bounding_box()
        assert box["y"] + box["height"] <= SMALL["height"]
        assert box["y"] > SMALL["height"] / 2
        assert min(box["height"], box["width"]) >= 48

    async def test_nothing_leads_away_but_the_supervisors_pin(self, hand):
        await hand.log_in("steward", STEWARD_PIN, "/gate/hand")
        links = await hand.page.locator("a").evaluate_all("all => all.map(a => a.pathname)")
        assert sorted(links) == ["/gate/keyed", "/gate/login"]
        prevented = await hand.page.evaluate(
            "!document.dispatchEvent(new MouseEvent('contextmenu', {cancelable: true}))"
        )
        assert prevented
        await hand.page.click("text=Superviseur")
        await hand.page.check("input[value=supervisor]")
        await hand.page.fill("input[type=password]", SUPERVISOR_PIN)
        await hand.page.click("button.primary")
        await hand.page.wait_for_url("**/gate/steward")
        await hand.page.click("text=Retour au contrôle")
        await hand.page.wait_for_url("**/gate/login?then=*")  # the supervisor's session has ended

    async def test_a_page_left_alone_goes_back(self, hand):
        await hand.page.clock.install()
        await hand.log_in("steward", STEWARD_PIN, "/gate/keyed")
        await hand.page.clock.fast_forward(61_000)
        await hand.page.wait_for_url("**/gate/hand")

    async def test_a_number_is_typed_with_a_thumb(self, hand):
        await hand.log_in("steward", STEWARD_PIN, "/gate/keyed")
        assert await hand.violations() == []
        for key in "41-9":
            await hand.page.click(f"[data-key='{key}']")
        await hand.page.click("[data-key='']")
        await hand.page.click("summary")
        await hand.page.click("[data-key='B']")
        assert not await hand.overflows()
        hand.hand.last = GRANTED
        await hand.page.click("text=Utiliser le billet")
        await hand.page.wait_for_url("**/gate/hand")
        assert hand.steward.asked == [Keyed("41-B", Direction.ENTRY)]


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
class TestStaffPages:
    async def test_what_is_known_of_a_ticket_has_no_violation(self, desk, scheme):
        await desk.page.emulate_media(color_scheme=scheme)
        await desk.log_in("steward", STEWARD_PIN, "/gate/keyed")
        desk.steward.outcome = CHECKED
        await desk.page.fill("#number", "T1")
        await desk.page.click("text=Vérifier seulement")
        await expect(desk.page.locator("dl.facts")).to_contain_text("Porte B")
        assert await desk.violations() == []
        assert desk.complaints == []

    async def test_a_supervisor_lets_somebody_in(self, desk, scheme):
        await desk.page.emulate_media(color_scheme=scheme)
        await desk.log_in("supervisor", SUPERVISOR_PIN, "/gate/steward")
        assert await desk.violations() == []
        desk.steward.outcome = Done()
        await desk.page.fill("#through-who", "Anna")
        await desk.page.fill("#through-reason", "Fauteuil")
        await desk.page.click("text=Faire entrer")
        await expect(desk.page.locator(".notice")).to_contain_text("inscrit au journal")
        assert desk.steward.asked == [LetThrough(Direction.ENTRY, "Anna", "Fauteuil")]
        for size in (SMALL, WIDE):
            await desk.page.set_viewport_size(size)
            assert not await desk.overflows()
