"""Uploading a file, setting a venue up, handing out a code: as a person does it."""

import asyncio

import playwright.async_api
import pytest
from playwright.async_api import expect

from sync_server.errors import TicketFileError
from sync_server.web.back_office import imports

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CSV = {"name": "tickets.csv", "mimeType": "text/csv", "buffer": b"number\n0001\n0002\n"}


@pytest.fixture
def desk(visitor):
    return visitor.site.reports


async def test_a_file_is_sent_with_its_progress_and_its_result_comes_up(visitor, desk):
    await visitor.sign_in()
    await visitor.go("/performances/p1")
    page = visitor.page
    held = asyncio.Event()
    take = desk.import_file

    async def slowly(*args):
        await held.wait()
        return await take(*args)

    desk.import_file = slowly
    await page.set_input_files("#import-file", CSV)
    await page.get_by_role("button", name="Importer le fichier").click()
    await expect(page.locator("[data-progress-words]")).to_have_text("Lecture du fichier…")
    await expect(page.get_by_role("button", name="Importer le fichier")).to_be_disabled()
    held.set()
    await page.wait_for_url("**/imports/i1*")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Import de tickets.csv")
    await expect(page.locator("tbody tr")).to_have_count(2)
    assert visitor.complaints == []


async def test_a_refused_file_is_told_without_leaving_the_page(visitor, desk):
    await visitor.sign_in()
    await visitor.go("/performances/p1")
    page = visitor.page
    desk.refusal = TicketFileError("no_number_column", "no column is headed", 1)
    await page.set_input_files("#import-file", CSV)
    await page.get_by_role("button", name="Importer le fichier").click()
    await expect(page.locator("[data-upload-errors]")).to_contain_text("Aucune colonne ne porte")
    await expect(page.get_by_role("button", name="Importer le fichier")).to_be_enabled()


async def test_a_file_over_the_bound_is_told_as_such(visitor, monkeypatch):
    monkeypatch.setattr(imports, "FILE_BYTES_MAX", 10)
    await visitor.sign_in()
    await visitor.go("/performances/p1")
    page = visitor.page
    await page.set_input_files("#import-file", CSV)
    await page.get_by_role("button", name="Importer le fichier").click()
    await expect(page.locator("[data-upload-errors]")).to_contain_text("64 Mio")


async def test_an_upload_after_a_later_login_leads_to_the_login(visitor):
    await visitor.sign_in()
    await visitor.go("/performances/p1")
    page = visitor.page
    await visitor.site.accounts.sign_in(
        "lea@theatre.example", "correct horse battery", "198.51.100.9", ""
    )
    await page.set_input_files("#import-file", CSV)
    await page.get_by_role("button", name="Importer le fichier").click()
    await page.wait_for_url("**/login*")
    await expect(page.get_by_role("alert")).to_contain_text("utilisé ailleurs")


async def test_a_venue_is_set_up_by_keyboard(visitor, desk):
    await visitor.sign_in()
    await visitor.go("/set-up")
    page = visitor.page
    await page.locator("#venue-name").focus()
    await page.keyboard.type("Zénith")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Zénith")
    await expect(page.get_by_role("status")).to_contain_text("Le lieu est créé")
    assert desk.asked == [("venue", "Zénith", "Europe/Paris")]


async def test_a_wrong_field_takes_the_reader_to_itself(visitor):
    await visitor.sign_in()
    await visitor.go("/set-up")
    page = visitor.page
    await page.fill("#venue-name", "Zénith")
    await page.fill("#venue-timezone", "Europe/Nowhere")
    await page.click("main button.primary")
    await expect(page.locator("[data-summary]")).to_be_focused()
    await page.locator("[data-summary] a").click()
    await expect(page.locator("#venue-timezone")).to_be_focused()
    await expect(page.locator("#venue-name")).to_have_value("Zénith")


async def test_an_enrolment_code_is_shown_once_and_can_be_copied(visitor, context):
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    await visitor.sign_in()
    await visitor.go("/set-up/venues/v1")
    page = visitor.page
    await page.get_by_role("button", name="Code d’enrôlement").click()
    await expect(page.locator("#code")).to_have_text("K7QM-2XVD-94BT-HW3F")
    await page.get_by_role("button", name="Copier", exact=True).click()
    await expect(page.get_by_text("Copié.")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == "K7QM-2XVD-94BT-HW3F"
    await page.get_by_role("button", name="Copier la commande").click()
    await expect(page.get_by_text("Copié.")).to_have_count(2)
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("portillon gate enrol --link 'portillon:enrol?v=1&server=http://")
    await page.go_back()
    with pytest.raises(playwright.async_api.Error, match="ERR_CACHE_MISS"):
        await page.go_forward()


async def test_a_form_is_sent_once_however_often_it_is_pressed(visitor, desk):
    await visitor.sign_in()
    await visitor.go("/performances/p1")
    await visitor.page.get_by_role("button", name="Publier la liste").dblclick()
    await visitor.page.wait_for_url("**done=published*")
    assert desk.asked == [("publish", "p1")]
