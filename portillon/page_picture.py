"""Takes a picture of the live page with a real browser. Called by the command that draws pictures.

Playwright and a Chromium are needed and nothing else of this program: it reads the page as anybody
who signs in does.
"""

import shutil
from pathlib import Path
from typing import Final

WIDTH_PX: Final = 1280
HEIGHT_PX: Final = 1240
WAIT_S: Final = 20.0
ARGUMENTS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class NoBrowserError(Exception):
    """Playwright or Chromium is missing on this machine; the message says how to get it."""


def write_page_picture(
    url: str, login: str, password: str, path: Path, *, dark: bool = False
) -> None:
    """Sign in at a server and write what its live page looks like.

    Args:
        url: the server's address, such as `http://127.0.0.1:8080`.
        login: of a user who may see the back office.
        password: that user's; earlier sessions of the login end.
        path: of the PNG file; its folder must exist.
        dark: whether the browser asks for dark colours.

    Raises:
        NoBrowserError: if Playwright or Chromium is missing.
        playwright.sync_api.Error: if the page does not come up within WAIT_S.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise NoBrowserError("playwright is missing: pip install 'portillon[dev]'") from None
    chromium = shutil.which("chromium")
    if chromium is None:
        raise NoBrowserError("chromium is missing: on Debian, apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=list(ARGUMENTS), chromium_sandbox=False
        )
        try:
            page = browser.new_page(
                viewport={"width": WIDTH_PX, "height": HEIGHT_PX},
                color_scheme="dark" if dark else "light",
                reduced_motion="reduce",
            )
            page.set_default_timeout(WAIT_S * 1000)
            page.goto(f"{url.rstrip('/')}/login")
            page.fill("#login", login)
            page.fill("#password", password)
            page.click("button.primary")
            page.wait_for_selector('[data-when="good"]', state="visible")
            page.screenshot(path=path)
        finally:
            browser.close()
