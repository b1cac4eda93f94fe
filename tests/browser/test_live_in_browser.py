"""The login and the live page, as a person meets them in a browser."""

import asyncio
from dataclasses import replace

import pytest
from aiohttp import web
from playwright.async_api import expect

from sync_server.web.back_office import live

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LOGIN = "lea@theatre.example"
PASSWORD = "correct horse battery"


async def test_signing_in_by_keyboard_leads_to_the_live_page(visitor):
    await visitor.go("/login")
    page = visitor.page
    await expect(page.locator("#login")).to_be_focused()
    await page.keyboard.type(LOGIN)
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("En direct")
    assert visitor.complaints == []


async def test_a_refused_login_puts_the_focus_on_the_summary(visitor):
    await visitor.go("/login")
    page = visitor.page
    await page.fill("#login", LOGIN)
    await page.fill("#password", "wrong")
    await page.click("button.primary")
    await expect(page.locator("[data-summary]")).to_be_focused()
    await page.locator("[data-summary] a").click()
    await expect(page.locator("#login")).to_be_focused()
    await expect(page.locator("#login")).to_have_value(LOGIN)


async def test_the_first_press_of_tab_offers_to_skip_the_navigation(visitor):
    await visitor.sign_in()
    page = visitor.page
    await page.keyboard.press("Tab")
    skip = page.locator(".skip")
    await expect(skip).to_be_focused()
    box = await skip.bounding_box()
    assert box is not None
    assert box["y"] >= 0
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()


async def test_figures_follow_without_a_reload(visitor):
    await visitor.sign_in()
    page = visitor.page
    await expect(page.locator('[data-when="good"]')).to_be_visible()
    await page.evaluate("window.isStillTheSamePage = true")
    report = visitor.site.reports.report
    visitor.site.show(replace(report, checkpoints=(replace(report.checkpoints[0], occupancy=540),)))
    await expect(page.locator('[data-part="checkpoints"]')).to_contain_text("complet")
    await expect(page.locator(".tile-figure").first).to_have_text("540")
    assert await page.evaluate("window.isStillTheSamePage")
    assert visitor.complaints == []


async def test_the_newest_passage_comes_on_top_and_the_focus_stays(visitor):
    await visitor.sign_in()
    page = visitor.page
    link = page.get_by_role("link", name="Samedi 20:30")
    await link.focus()
    report = visitor.site.reports.report
    newest = replace(report.last_passages[0], at_us=report.at_us, ticket="beef")
    visitor.site.show(replace(report, last_passages=(newest, *report.last_passages)))
    await expect(page.locator(".stream tr").first).to_contain_text("beef")
    await expect(page.locator(".stream tr")).to_have_count(2)
    await expect(link).to_be_focused()


async def test_opened_figures_stay_open(visitor):
    await visitor.sign_in()
    page = visitor.page
    await page.locator(".figures summary").click()
    report = visitor.site.reports.report
    minutes = (*report.entries_per_minute[:-1], (report.entries_per_minute[-1][0], 77))
    visitor.site.show(replace(report, entries_per_minute=minutes))
    await expect(page.locator(".figures tbody tr").first).to_contain_text("77")
    await expect(page.locator(".figures")).to_have_attribute("open", "")


async def test_an_anomaly_that_appears_shows_both_passages(visitor):
    report = visitor.site.reports.report
    visitor.site.reports.report = replace(report, anomalies=())
    await visitor.sign_in()
    anomalies = visitor.page.locator("#anomalies")
    await expect(anomalies).to_contain_text("Aucune.")
    visitor.site.show(report)
    await expect(anomalies.locator(".step")).to_have_count(2)
    await expect(anomalies.locator(".step").nth(0)).to_contain_text("Porte A")
    await expect(anomalies.locator(".step").nth(1)).to_contain_text("Porte B")
    await expect(anomalies.locator(".step-bad")).to_contain_text("celui-ci")


async def test_a_lost_connection_is_said_plainly_and_mends_itself(visitor):
    await visitor.sign_in()
    page, site = visitor.page, visitor.site
    await expect(page.locator('[data-when="good"]')).to_be_visible()
    port = site.server.port
    site.app[live.BOARD].close()
    await site.server.runner.sites.copy().pop().stop()
    await expect(page.get_by_role("alert")).to_contain_text("Connexion au serveur perdue.")
    last = (await page.locator('[data-part="at"]').text_content() or "").strip()
    await expect(page.get_by_role("alert")).to_contain_text(last)
    site.app[live.BOARD]._is_closing = False
    await web.TCPSite(site.server.runner, "127.0.0.1", port).start()
    await expect(page.locator('[data-when="good"]')).to_be_visible(timeout=20_000)
    await expect(page.get_by_role("alert")).to_be_empty()


async def test_a_server_that_falls_silent_counts_as_lost(visitor, monkeypatch):
    await visitor.page.clock.install()
    await visitor.sign_in()
    page = visitor.page
    await expect(page.locator('[data-when="good"]')).to_be_visible()
    held = asyncio.Event()

    async def silent(organization_id):
        await held.wait()

    monkeypatch.setattr(visitor.site.reports, "live", silent)
    visitor.site.app[live.BOARD]._latest.clear()
    await page.clock.run_for(27_000)
    await expect(page.get_by_role("alert")).to_contain_text("Connexion au serveur perdue.")
    monkeypatch.undo()
    held.set()


async def _streams_come_to(board, count):
    # A page that opens its connection anew drops the former one: the server sees that when it next
    # writes to it, and may accept a dropped one only after the page has gone on.
    async with asyncio.timeout(10):
        while len(board._streams) != count:
            board.changed()
            await asyncio.sleep(0.01)


async def test_a_page_that_nobody_sees_gives_its_connection_up_until_it_is_seen(visitor):
    await visitor.page.clock.install()
    await visitor.sign_in()
    page, board = visitor.page, visitor.site.app[live.BOARD]
    await expect(page.locator('[data-when="good"]')).to_be_visible()
    set_hidden = """hidden => {
        Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    await page.evaluate(set_hidden, True)
    await page.clock.run_for(61_000)
    await _streams_come_to(board, 0)
    await page.evaluate(set_hidden, False)
    await expect(page.locator('[data-when="good"]')).to_be_visible()
    await _streams_come_to(board, 1)
    await expect(page.get_by_role("alert")).to_be_empty()


async def test_a_later_login_elsewhere_closes_the_page_with_a_notice(visitor):
    await visitor.sign_in()
    page = visitor.page
    await expect(page.locator('[data-when="good"]')).to_be_visible()
    await visitor.site.accounts.sign_in(LOGIN, PASSWORD, "198.51.100.9", "elsewhere")
    await page.wait_for_url("**/login")
    await expect(page.get_by_role("alert")).to_contain_text("utilisé ailleurs")
    await expect(page.get_by_role("alert")).to_contain_text("198.51.100.9")


async def test_it_works_without_scripts(chromium, site):
    context = await chromium.new_context(java_script_enabled=False, locale="fr-FR")
    page = await context.new_page()
    await page.goto(site.address + "/login")
    await page.fill("#login", LOGIN)
    await page.fill("#password", PASSWORD)
    await page.click("button.primary")
    await expect(page.locator("#anomalies .step")).to_have_count(2)
    await expect(page.get_by_role("link", name="Actualiser")).to_be_visible()
    await context.close()


async def test_the_language_changes_in_place(visitor):
    await visitor.sign_in()
    await visitor.page.get_by_role("button", name="EN").click()
    await expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Live")
    assert await visitor.page.locator("html").get_attribute("lang") == "en"


async def test_signing_out_leads_to_the_login_and_back_shows_nothing(visitor):
    await visitor.sign_in()
    page = visitor.page
    await page.get_by_role("button", name="Se déconnecter").click()
    await page.wait_for_url("**/login")
    await page.go_back()
    await page.wait_for_url("**/login*")


async def test_markup_in_names_never_runs(visitor):
    hostile = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
    report = visitor.site.reports.report
    visitor.site.reports.report = replace(
        report, gates=(replace(report.gates[0], name=hostile),), anomalies=()
    )
    await visitor.sign_in()
    page = visitor.page
    await expect(page.locator('[data-when="good"]')).to_be_visible()
    changed = replace(report.checkpoints[0], name=hostile)
    visitor.site.show(replace(visitor.site.reports.report, checkpoints=(changed,)))
    await expect(page.locator('[data-part="checkpoints"] .gauge-name')).to_have_text(hostile)
    await expect(page.locator(".gate h3")).to_have_text(hostile)
    assert "run" not in await page.title()


async def test_a_screen_reader_is_told_the_figures_at_most_every_half_minute(visitor):
    await visitor.page.clock.install()
    await visitor.sign_in()
    page = visitor.page
    spoken = page.locator("[data-spoken]")
    report = visitor.site.reports.report
    visitor.site.show(replace(report, refusals=(("already_used", 50),)))
    await expect(page.locator('[data-part="refusals"]')).to_contain_text("50")
    await expect(spoken).to_contain_text("50 refusés")
    visitor.site.show(replace(report, refusals=(("already_used", 51),)))
    await expect(page.locator('[data-part="refusals"]')).to_contain_text("51")
    await expect(spoken).to_contain_text("50 refusés")
    await page.clock.run_for(31_000)
    await expect(spoken).to_contain_text("51 refusés")
