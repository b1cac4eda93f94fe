"""Somebody with a browser's habits before the gate's own page: cookies, forms and their tokens."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession, ClientTimeout, CookieJar

from appliance.local_page.framework import Access, GatePages
from appliance.local_page.pages import gate_pages
from appliance.local_page.serving import serve_page
from appliance.page_ports import GateDesk, PageRole
from appliance.ports import Clock
from appliance.simulator.picture_display import PictureDisplay

STEWARD_PIN, SUPERVISOR_PIN = "4711", "804627"


class QuickPins:
    """The PINs, unhashed: the slow hash has tests of its own."""

    def __init__(self, **pins: str) -> None:
        self.pins = {PageRole(role): pin for role, pin in pins.items()}

    async def stamps(self) -> dict[PageRole, str]:
        return {role: f"stamp of {pin}" for role, pin in self.pins.items()}

    async def is_right(self, role: PageRole, pin: str) -> bool:
        return bool(pin) and self.pins.get(role) == pin

    async def choose(self, role: PageRole, pin: str) -> None:
        self.pins[role] = pin


def both_pins() -> QuickPins:
    return QuickPins(steward=STEWARD_PIN, supervisor=SUPERVISOR_PIN)


class GateVisitor:
    """One browser."""

    def __init__(self, client: ClientSession, address: str) -> None:
        self.client = client
        self.address = address.rstrip("/")
        self.status = 0
        self.body = ""
        self.path = ""

    async def get(self, path: str, **headers: str) -> str:
        """Open a page; redirects are followed."""
        async with self.client.get(self.address + path, headers=headers) as response:
            return await self._take(response)

    async def post(self, path: str, token: str | None = None, /, **fields: str) -> str:
        """Send a form with the token of the page that is open."""
        form = {"csrf": self.token if token is None else token, **fields}
        async with self.client.post(self.address + path, data=form) as response:
            return await self._take(response)

    @property
    def token(self) -> str:
        found = re.search(r'name="csrf" value="([^"]*)"', self.body)
        return "" if found is None else found[1]

    async def log_in(self, role: PageRole = PageRole.SUPERVISOR, pin: str = "") -> None:
        """Log in as people do."""
        right = {PageRole.STEWARD: STEWARD_PIN, PageRole.SUPERVISOR: SUPERVISOR_PIN}
        await self.get("/gate/login")
        await self.post("/gate/login", role=role.value, pin=pin or right[role])

    async def _take(self, response) -> str:
        self.body = await response.text()
        self.status, self.path = response.status, response.url.path
        return self.body


@asynccontextmanager
async def visiting(
    pages: GatePages, picture: PictureDisplay | None = None, language: str = "en"
) -> AsyncIterator[GateVisitor]:
    """Serve some pages on this machine; give a browser."""
    source = picture or PictureDisplay("en")
    timeout = ClientTimeout(total=10)
    headers = {"Accept-Language": language}
    async with (
        serve_page(source, "127.0.0.1", 0, pages=pages) as address,
        ClientSession(
            timeout=timeout, headers=headers, cookie_jar=CookieJar(unsafe=True)
        ) as client,
    ):
        yield GateVisitor(client, address)


def pages_of(
    clock: Clock,
    desk: GateDesk | None = None,
    pins: QuickPins | None = None,
    picture: PictureDisplay | None = None,
    **access: object,
) -> GatePages:
    """Give the gate's pages as `main` makes them."""
    known = both_pins() if pins is None else pins
    return gate_pages(
        desk or GateDesk(), Access(known, clock, "en", **access), picture or PictureDisplay("en")
    )
