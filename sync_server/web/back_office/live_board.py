"""One report for all the live pages that show it, and the news that wake them. Called by `live`."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from sync_server.reporting import LiveReport
from sync_server.web.back_office.live_parts import rendered_parts
from sync_server.web.rendering import Pages

STREAMS_MAX: Final = 200  # open live pages; each costs a socket and some rendering
REPORT_AGE_S_MAX: Final = 0.4


class LiveReports(Protocol):
    """Where the live page's figures come from."""

    async def live(self, organization_id: str) -> LiveReport:
        """Give what is going on in an organization and all below it."""
        ...

    async def organization_name(self, organization_id: str) -> str:
        """Give an organization's name."""
        ...

    async def zones(self, organization_id: str) -> Sequence[str]:
        """Give the time zones of its venues, each once."""
        ...


class TooManyStreamsError(Exception):
    """As many live pages are open as the server will feed."""


class LiveBoard:
    """Shares reports and rendered parts among pages that are open side by side.

    Args:
        reports: where the figures come from.
        pages: renders them.
    """

    def __init__(self, reports: LiveReports, pages: Pages) -> None:
        self.reports = reports
        self._pages = pages
        self._streams: set[asyncio.Event] = set()
        self._is_closing = False
        self._looking = asyncio.Lock()
        self._latest: dict[str, tuple[float, LiveReport]] = {}
        self._rendered: dict[tuple[str, str, str], tuple[LiveReport, dict[str, str]]] = {}

    @property
    def is_closing(self) -> bool:
        """Whether the server stops: a stream must not hold it up."""
        return self._is_closing

    def changed(self) -> None:
        """Wake every open page: something has happened."""
        for wake in self._streams:
            wake.set()

    def close(self) -> None:
        """Have every stream end."""
        self._is_closing = True
        self.changed()

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[asyncio.Event]:
        """Give a new stream the event that wakes it.

        Raises:
            TooManyStreamsError: if STREAMS_MAX are open.
        """
        if len(self._streams) >= STREAMS_MAX:
            raise TooManyStreamsError
        wake = asyncio.Event()
        self._streams.add(wake)
        try:
            yield wake
        finally:
            self._streams.discard(wake)

    async def report(self, organization_id: str) -> LiveReport:
        """Give a report at most REPORT_AGE_S_MAX old."""
        async with self._looking:
            now_s = asyncio.get_running_loop().time()
            made = self._latest.get(organization_id)
            if made is not None and now_s - made[0] <= REPORT_AGE_S_MAX:
                return made[1]
            report = await self.reports.live(organization_id)
            self._latest[organization_id] = (now_s, report)
            return report

    async def parts(self, organization_id: str, language: str, zone: ZoneInfo) -> dict[str, str]:
        """Give the parts of the live page, rendered once for all who read the same."""
        report = await self.report(organization_id)
        key = (organization_id, language, zone.key)
        made = self._rendered.get(key)
        if made is not None and made[0] is report:
            return made[1]
        parts = rendered_parts(self._pages, language, report, zone)
        self._rendered[key] = (report, parts)
        return parts
