"""From an empty server to a published list, by the pages alone, nothing made up behind them."""

import socket

import pytest
import pytest_asyncio
from playwright.async_api import expect

from sync_server.config import ServerConfig
from sync_server.main import init_server, serving

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LOGIN = "lea"
FILE = "number;category;status\n0001;standard;valid\n0002;vip;canceled\n1,23457E+17;standard;\n"


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    password = await init_server(tmp_path / "server", LOGIN)
    config = ServerConfig(data=tmp_path / "server", host="127.0.0.1", port=port)
    async with serving(config) as address:
        yield address, password


async def create(page, title, **fields):
    """Fill one of the venue page's forms in and send it."""
    details = page.locator("details.more").filter(has=page.get_by_text(title, exact=True)).last
    if not await details.evaluate("element => element.open"):
        await details.locator("summary").click()
    for name, value in fields.items():
        field = details.locator(f'[name="{name}"]')
        if await field.evaluate("element => element.nodeName") == "SELECT":
            await field.select_option(label=value)
        else:
            await field.fill(value)
    await details.get_by_role("button").click()
    await expect(page.get_by_role("status")).to_be_visible()


async def test_an_evening_is_prepared_from_nothing(context, server):
    address, password = server
    page = await context.new_page()
    await page.goto(address)
    await page.fill("#login", LOGIN)
    await page.fill("#password", password)
    await page.click("button.primary")
    await expect(page.get_by_role("heading", level=1)).to_have_text("En direct")

    await page.get_by_role("link", name="Configuration").click()
    await page.fill("#venue-name", "Théâtre du Quai")
    await page.get_by_role("button", name="Créer le lieu").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Théâtre du Quai")
    await create(page, "Créer un événement", name="La Nuit des Rois")
    await create(page, "Créer une représentation", name="Samedi 20:30", starts="2030-01-05T20:30")
    await page.locator("#checkpoint-name").fill("Grande salle")
    await page.locator("#checkpoint-capacity").fill("540")
    await page.get_by_label("Samedi 20:30").check()
    await page.get_by_role("button", name="Créer le point de contrôle").click()
    await create(page, "Créer une porte", name="Porte A", direction="entrée")
    await page.get_by_role("button", name="Code d’enrôlement").click()
    code = await page.locator("#code").text_content()
    assert code is not None
    assert len(code.replace("-", "")) == 16
    await page.get_by_role("link", name="Terminé").click()

    await page.get_by_role("link", name="Samedi 20:30").click()
    await page.set_input_files(
        "#import-file",
        {"name": "billets.csv", "mimeType": "text/csv", "buffer": FILE.encode()},
    )
    await page.get_by_role("button", name="Importer le fichier").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Import de billets.csv")
    await expect(page.get_by_text("1 ligne n’a pas été appliquée")).to_be_visible()
    await expect(page.locator("tbody tr")).to_contain_text("nombre décimal")
    await page.get_by_role("link", name="Vers la représentation").click()
    await page.get_by_role("button", name="Publier la liste").click()
    await expect(page.get_by_role("status")).to_contain_text("La liste 1 est publiée")
    await page.fill("#state-number", "0001")
    await page.get_by_role("button", name="Changer son état").click()
    await expect(page.get_by_role("status")).to_contain_text("L’état du billet est modifié")

    await page.get_by_role("link", name="En direct").click()
    await expect(page.locator('[data-part="performances"]')).to_contain_text("liste 1")
    await expect(page.locator('[data-part="performances"]')).to_contain_text("0 / 2")
    await expect(page.locator('[data-part="gates"]')).to_contain_text("jamais connectée")
    await expect(page.locator('[data-part="checkpoints"]')).to_contain_text("540")
