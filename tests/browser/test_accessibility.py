"""Every page, light and dark, narrow and wide: axe-core finds nothing wrong, nothing overflows."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

import fake_fleet
from sync_server.fleet_entities import RolloutState
from sync_server.journal_ports import QuarantineLine
from sync_server.reporting import GateState, LiveReport

VENDOR = Path(__file__).parent / "vendor"


def test_the_checker_is_the_one_that_was_taken_in():
    digest = hashlib.sha256((VENDOR / "axe.min.js").read_bytes()).hexdigest()
    assert f"`{digest}`" in (VENDOR / "README.md").read_text()


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
class TestPages:
    async def test_the_login(self, visitor, scheme):
        await visitor.page.emulate_media(color_scheme=scheme)
        await visitor.go("/login")
        assert await visitor.violations() == []

    async def test_a_refused_login(self, visitor, scheme):
        await visitor.page.emulate_media(color_scheme=scheme)
        await visitor.go("/login")
        await visitor.page.click("button.primary")
        assert await visitor.violations() == []

    async def test_the_notice_of_a_session_that_ended(self, visitor, scheme):
        await visitor.page.emulate_media(color_scheme=scheme)
        await visitor.sign_in()
        await visitor.site.accounts.sign_in(
            "lea@theatre.example", "correct horse battery", "198.51.100.9", ""
        )
        await visitor.page.wait_for_url("**/login")
        assert await visitor.violations() == []

    async def test_the_live_page(self, visitor, scheme):
        await visitor.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        report = visitor.site.reports.report
        gates = tuple(
            replace(report.gates[0], id=state.value, state=state, queue=3) for state in GateState
        )
        visitor.site.reports.report = replace(report, gates=(*report.gates, *gates))
        await visitor.sign_in()
        await visitor.page.locator(".figures summary").click()
        assert await visitor.violations() == []

    async def test_the_live_page_before_anything_happens(self, visitor, scheme):
        await visitor.page.emulate_media(color_scheme=scheme)
        now_us = visitor.site.reports.report.at_us
        visitor.site.reports.report = LiveReport(now_us, (), (), (), (), (), (), ())
        await visitor.sign_in()
        assert await visitor.violations() == []

    @pytest.mark.parametrize(
        "path",
        [
            "/performances",
            "/performances/p1",
            "/performances/p1/proving",
            "/performances/p1/imports/i1?notes=zeros_lost",
            "/set-up",
            "/set-up/venues/v1",
            "/fleet",
        ],
    )
    async def test_a_page_behind_the_login(self, visitor, scheme, path, stand_ins):
        await visitor.page.emulate_media(color_scheme=scheme)
        desk = visitor.site.reports
        desk.runs = [stand_ins.ImportRun(stand_ins.import_run(), "shop")]
        await visitor.sign_in()
        await visitor.go(path)
        await visitor.page.evaluate(
            "for (const d of document.querySelectorAll('details')) d.open = 1"
        )
        assert await visitor.violations() == []

    async def test_pages_with_nothing_on_them_yet(self, visitor):
        desk = visitor.site.reports
        desk.performances, desk.checkpoints, desk.gates, desk.events = [], [], [], []
        await visitor.sign_in()
        desk.rollouts, desk.fleet_gates, desk.releases_kept = (), [], ()
        for path in ("/performances", "/set-up", "/set-up/venues/v1", "/fleet"):
            await visitor.go(path)
            assert await visitor.violations() == [], path

    @pytest.mark.parametrize("state", list(RolloutState))
    async def test_the_fleet_with_a_rollout_in_every_state(self, visitor, scheme, state):
        await visitor.page.emulate_media(color_scheme=scheme)
        desk = visitor.site.reports
        machines = dict(fake_fleet.MACHINES) | {"Porte F": fake_fleet.BACK}
        desk.fleet_gates = fake_fleet.fleet_gates(machines)
        desk.rollouts = (fake_fleet.rollout(state=state),)
        desk.busy = {"v1": fake_fleet.NOW_MS}
        await visitor.page.set_viewport_size({"width": 320, "height": 800})
        await visitor.sign_in()
        await visitor.go("/fleet")
        await visitor.page.evaluate(
            "for (const d of document.querySelectorAll('details')) d.open = 1"
        )
        assert await visitor.violations() == []
        assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= 320

    async def test_a_form_with_something_wrong(self, visitor, scheme):
        await visitor.page.emulate_media(color_scheme=scheme)
        await visitor.sign_in()
        await visitor.go("/set-up")
        await visitor.page.fill("#venue-timezone", "nowhere")
        await visitor.page.fill("#venue-name", "x" * 200)
        await visitor.page.click("main button.primary")
        await visitor.page.wait_for_selector(".field-error")
        assert await visitor.violations() == []

    async def test_an_enrolment_code(self, visitor, scheme):
        await visitor.page.emulate_media(color_scheme=scheme)
        await visitor.sign_in()
        await visitor.go("/set-up/venues/v1")
        await visitor.page.click(".leaf-gate button")
        await visitor.page.wait_for_selector(".code")
        assert await visitor.violations() == []

    async def test_a_command_and_its_code(self, visitor, scheme):
        await visitor.page.emulate_media(color_scheme=scheme)
        desk = visitor.site.reports
        desk.gates = [replace(desk.gates[0], enrolled_ms=1)]
        await visitor.page.set_viewport_size({"width": 320, "height": 800})
        await visitor.sign_in()
        await visitor.go("/set-up/venues/v1")
        await visitor.page.click(".leaf-gate details:has(form.stack) > summary")
        assert await visitor.violations() == []
        await visitor.page.fill("[name=reason]", "un fauteuil")
        await visitor.page.click(".leaf-gate form.stack button")
        await visitor.page.wait_for_selector(".code-card")
        await visitor.page.click(".code-card details > summary")
        assert await visitor.violations() == []
        assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= 320

    async def test_gates_that_wait_and_gates_that_were_revoked(self, visitor, scheme):
        await visitor.page.emulate_media(color_scheme=scheme)
        desk = visitor.site.reports
        enrolled = replace(desk.gates[0], enrolled_ms=1)
        desk.gates = [
            replace(enrolled, id="g1"),
            replace(enrolled, id="g2", pending_ms=1),
            replace(enrolled, id="g3", revoked_ms=1),
        ]
        desk.held = [QuarantineLine("g3", 2, 1, 2)]
        await visitor.page.set_viewport_size({"width": 320, "height": 800})
        await visitor.sign_in()
        await visitor.go("/set-up/venues/v1")
        for summary in await visitor.page.locator("details > summary").all():
            if await summary.is_visible():
                await summary.click()
        assert await visitor.violations() == []
        assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= 320

    async def test_a_page_that_does_not_exist(self, visitor, scheme):
        await visitor.page.emulate_media(color_scheme=scheme)
        await visitor.go("/nowhere")
        assert await visitor.violations() == []

    @pytest.mark.parametrize("width", [320, 390, 640, 1024, 1280])
    async def test_no_page_is_wider_than_its_window(self, visitor, width):
        """320 pixels are also what a window of 640 has left when it is zoomed to 200 %."""
        await visitor.page.set_viewport_size({"width": width, "height": 800})
        for path in (
            "/login",
            "/",
            "/performances/p1",
            "/performances/p1/proving",
            "/set-up",
            "/set-up/venues/v1",
            "/fleet",
        ):
            if path == "/":
                await visitor.sign_in()
            else:
                await visitor.go(path)
            wide = await visitor.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, path

    async def test_whatever_takes_a_finger_is_large_enough(self, visitor):
        await visitor.page.set_viewport_size({"width": 390, "height": 800})
        await visitor.sign_in()
        await visitor.go("/set-up/venues/v1")
        small = await visitor.page.evaluate(
            """[...document.querySelectorAll("button, select, nav a")]
            .map((e) => [e.textContent.trim(), e.getBoundingClientRect()])
            .filter(([, box]) => box.width && (box.height < 24 || box.width < 24))
            .map(([text]) => text)"""
        )
        assert small == []
