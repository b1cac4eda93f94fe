"""A real browser, and the back office with made-up figures in front of it.

Server and tests share one event loop, so that a test can change a figure and see the page follow.
"""

import importlib.util
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from sync_server.accounts import Accounts
from sync_server.web.back_office.live import BOARD
from sync_server.web.back_office.routes import add_back_office

CHROMIUM_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NO_CHROMIUM = (
    "These tests drive a real browser, and there is no `chromium` on this machine. Install it"
    " (`make test-browser` does; on Debian: apt-get install chromium), or leave these tests out"
    " with: pytest -m 'not browser'"
)
PATIENCE_MS = 20_000  # a busy machine is slow; a page that is wrong stays wrong
AXE = Path(__file__).parent / "vendor" / "axe.min.js"


def load_stand_ins() -> ModuleType:
    """Load the stand-ins that the pages' other tests use."""
    path = Path(__file__).parents[1] / "sync_server" / "web" / "conftest.py"
    spec = importlib.util.spec_from_file_location("back_office_stand_ins", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


stand_ins = load_stand_ins()
expect.set_options(timeout=PATIENCE_MS)
report = stand_ins.report


@pytest.fixture(name="stand_ins")
def stand_ins_fixture() -> ModuleType:
    """What the pages stand on here: a desk, and makers of its records."""
    return stand_ins


class Site:
    """The back office on a port of this machine, and handles on what stands behind it."""

    def __init__(self, server: TestServer, app: web.Application, accounts: Accounts) -> None:
        self.address = f"http://127.0.0.1:{server.port}"
        self.server = server
        self.app = app
        self.accounts = accounts
        self.reports: stand_ins.FakeDesk

    def show(self, report: object) -> None:
        """Have the live page show another report."""
        self.reports.report = report
        self.app[BOARD]._latest.clear()
        self.app[BOARD].changed()


class Visitor:
    """Somebody with a browser of their own."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self.site = site
        self.complaints: list[str] = []
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    async def go(self, path: str) -> None:
        """Open a page."""
        await self.page.goto(self.site.address + path)

    async def sign_in(self, login: str = "lea@theatre.example") -> None:
        """Sign in as a person does."""
        await self.go("/login")
        await self.page.fill("#login", login)
        await self.page.fill("#password", stand_ins.PASSWORD)
        await self.page.click("button.primary")
        await self.page.wait_for_url(self.site.address + "/")

    async def violations(self) -> list[str]:
        """Name what axe-core finds wrong with the page as it is now."""
        await self.page.evaluate(AXE.read_text())
        found = await self.page.evaluate(
            "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',"
            " 'best-practice']})"
        )
        return [
            f"{rule['id']}: {rule['help']}: {[node['html'][:160] for node in rule['nodes']]}"
            for rule in found["violations"]
        ]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.fail(NO_CHROMIUM)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=CHROMIUM_ARGUMENTS, chromium_sandbox=False
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def site(report: object) -> AsyncIterator[Site]:
    """The back office, with two users: Léa reads French, Sam English."""
    store = stand_ins.MemoryAccounts()
    clock = stand_ins.Milliseconds()
    accounts = Accounts(store, stand_ins.QuickHash(), clock, stand_ins.CountedEntropy())
    for login, role, name, language in (
        ("lea@theatre.example", "admin", "Léa Martin", "fr"),
        ("sam@theatre.example", "operator", "Sam Smith", "en"),
    ):
        await accounts.add_user("organization-1", login, stand_ins.PASSWORD, role, name, language)
    reports = stand_ins.FakeDesk(report)
    app = web.Application()
    add_back_office(app, accounts=accounts, desk=reports, tls=False)
    async with TestServer(app) as server:
        found = Site(server, app, accounts)
        found.reports = reports
        yield found
        app[BOARD].close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(chromium: Browser) -> AsyncIterator[BrowserContext]:
    context = await chromium.new_context(locale="fr-FR", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(context: BrowserContext, site: Site) -> Visitor:
    return Visitor(await context.new_page(), site)
