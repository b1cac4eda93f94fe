"""Opens the gate's own page: its PINs, its certificate, its address. Called by `drivers`."""

import asyncio
import logging
import socket
import ssl
from contextlib import AsyncExitStack

from appliance.config import Config
from appliance.local_page.display_page import PictureSource
from appliance.local_page.framework import Access
from appliance.local_page.pages import gate_pages
from appliance.local_page.serving import serve_page
from appliance.page_config import PageConfig
from appliance.page_ports import GateDesk, PageRole
from appliance.ports import Clock
from appliance.storage.page_certificate import ensure_certificate, load_certificate
from appliance.storage.pin_file import PinFile
from appliance.storage.settings_file import SettingsFile

log = logging.getLogger(__name__)


async def open_page(
    config: Config, clock: Clock, desk: GateDesk, picture: PictureSource, stack: AsyncExitStack
) -> None:
    """Serve the page for as long as the stack is open.

    Args:
        config: the checked configuration.
        clock: the machine's.
        desk: what the page looks at and may ask for.
        picture: the display that everybody may see.
        stack: closes the page.

    Raises:
        ConfigError: if its port or its certificate cannot be had.
    """
    page = config.page
    tls = await asyncio.to_thread(_certificate, config, clock) if page.is_tls else None
    desk.settings = SettingsFile(config.path)
    access = Access(
        pins=PinFile(config.data),
        clock=clock,
        language=config.language,
        gate=lambda: desk.gate_name,
        is_kiosk=page.kiosk,
        is_tls=page.is_tls,
        idle_s={
            PageRole.STEWARD: page.steward_idle_min * 60.0,
            PageRole.SUPERVISOR: page.idle_min * 60.0,
        },
    )
    serving = serve_page(
        picture,
        page.address,
        page.port,
        pages=gate_pages(desk, access, picture),
        names=names_of(page),
        tls=tls,
    )
    address = await stack.enter_async_context(serving)
    log.info("page ready", extra={"address": address})


def names_of(page: PageConfig) -> tuple[str, ...]:
    """Give the host names under which the page may be asked for."""
    own = socket.gethostname().lower()
    return (*page.names, own, f"{own.split('.')[0]}.local")


def _certificate(config: Config, clock: Clock) -> ssl.SSLContext:
    page = config.page
    names = (*names_of(page), page.address) if page.address else names_of(page)
    path = page.certificate or ensure_certificate(config.data, names, clock.now())
    certificate = load_certificate(path, page.key)
    log.info("page's certificate", extra={"sha256": certificate.fingerprint})
    return certificate.context
