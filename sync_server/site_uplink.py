"""The site server's life with its upstream: contact, stock, feeds, carrying, again after a loss.

One task of the site. Nothing here can hold a gate up: with upstream away they are served from what
is here.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection
from typing import Final

from admission.errors import AdmissionError, ProtocolError
from admission.sync.messages import Beat, Feed, Hint, Subscribe
from admission.sync.site_messages import GateOrder, GateTold, RosterNews, SiteLive, SiteTold
from admission.trust.command import Action, Command
from admission.trust.envelope import COMMAND_TYPE, unverified_body
from admission.trust.reading import read_document
from sync_server.command_ports import Courier
from sync_server.errors import UpstreamError
from sync_server.ledger import Ledger
from sync_server.ports import News
from sync_server.relaying import Relay
from sync_server.site_book import SiteBook
from sync_server.site_desk import Present
from sync_server.site_facts import UpstreamFeed
from sync_server.stocking import Stock
from sync_server.upstream_ports import Upstream, UpstreamConnection

log = logging.getLogger(__name__)

RETRY_S_MIN: Final = 0.5
RETRY_S_MAX: Final = 30.0
TELL_S: Final = 5.0  # upstream gives a site up that says nothing for 20 s
STOCK_S: Final = 300.0  # so old is a status to be carried at most when a link goes; it lasts a day
_TELLINGS_MAX: Final = 1000  # what waits to be said; older ones are void anyway
_STANDING: Final = (Action.LOCK, Action.UNLOCK)


class SiteUplink:
    """Keeps the site and its upstream at one.

    Args:
        upstream: the link.
        book: renewed from it.
        stock: filled from it.
        feed: follows its feeds.
        relay: carries batches up.
        present: which gates are connected.
        courier: brings operators' commands to them.
        hear: given the hints of gates elsewhere.
        news: told when lists may be new.
        ledger: the time.
        told: gives what is said of the site itself.
        jitter: gives a random number from 0 to 1.
        pins_told: given the certificates of upstream, where it says them.

    Attributes:
        since_ms: since when upstream is there, or away; 0 before the first try.
        reason: why it is away, for people.
    """

    def __init__(
        self,
        *,
        upstream: Upstream,
        book: SiteBook,
        stock: Stock,
        feed: UpstreamFeed,
        relay: Relay,
        present: Present,
        courier: Courier,
        hear: Callable[[Hint], None],
        news: News,
        ledger: Ledger,
        told: Callable[[int, Collection[str]], SiteTold],
        jitter: Callable[[], float],
        pins_told: Callable[[tuple[bytes, ...]], None],
    ) -> None:
        self._upstream = upstream
        self._book = book
        self._stock = stock
        self._feed = feed
        self._relay = relay
        self._present = present
        self._courier = courier
        self._hear = hear
        self._news = news
        self._ledger = ledger
        self._told = told
        self._jitter = jitter
        self._pins_told = pins_told
        self._tellings: deque[SiteLive] = deque(maxlen=_TELLINGS_MAX)
        self._due = asyncio.Event()
        self._roster_due = asyncio.Event()
        self.since_ms = 0
        self.reason = ""

    async def run(self) -> None:
        """Go on until cancelled."""
        failures = 0
        while True:
            failures += 1
            try:
                await self._round()
            except* (UpstreamError, AdmissionError) as group:
                self.reason = _words(group)
            if self._stock.is_up:
                failures = 1
                log.warning("upstream lost", extra={"reason": self.reason})
            self._set_up(False)
            await asyncio.sleep(retry_s(failures, self._jitter()))

    async def _round(self) -> None:
        """One contact, from the first request to the end of the connection."""
        if await self._book.renew(await self._upstream.roster()):
            self._news.lists_changed()
        await self._feed.start_anew()
        async with self._upstream.live() as connection:
            self._tellings.clear()
            await connection.send(await self._own_state())
            await connection.send(Subscribe(self._feed.cursors, self._feed.numbering))
            for gate, status in self._present.gates.items():
                await connection.send(GateTold(gate, status))
            self._present.tell = self._tell
            self._set_up(True)
            self._roster_due.set()
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._receive(connection))
                    tasks.create_task(self._say(connection))
                    tasks.create_task(self._keep_stock(connection))
                    tasks.create_task(self._relay.run())
            finally:
                self._present.tell = lambda _: None

    async def _receive(self, connection: UpstreamConnection) -> None:
        while True:
            match await connection.receive():
                case Feed() as feed:
                    await self._feed.take(feed)
                case RosterNews():
                    self._roster_due.set()
                case GateOrder(gate, raw):
                    await self._order(gate, raw)
                case Hint() as hint:
                    self._hear(hint)
                case Beat():
                    pass
                case other:
                    raise UpstreamError(f"upstream does not send {type(other).__name__}")

    async def _order(self, gate: str, raw: bytes) -> None:
        """Bring a command to its gate; a lock or unlock is told again to a gate that comes back."""
        self._courier.order([gate], raw)
        if _is_standing(raw):
            await self._stock.keep_order(gate, raw)

    async def _say(self, connection: UpstreamConnection) -> None:
        """Say what is due: how gates are, and every few seconds how the site is."""
        while True:
            while self._tellings:
                await connection.send(self._tellings.popleft())
            self._due.clear()
            try:
                async with asyncio.timeout(TELL_S):
                    await self._due.wait()
            except TimeoutError:
                await connection.send(await self._own_state())

    async def _keep_stock(self, connection: UpstreamConnection) -> None:
        """Have in stock what gates may ask for: at once where something is new, and in turn."""
        while True:
            self._roster_due.clear()
            roster = await self._upstream.roster()
            has_changed = await self._book.renew(roster)
            self._pins_told(tuple(roster.pins))
            await self._stock.fill()
            if has_changed:
                self._news.lists_changed()
            if self._feed.follow():
                await connection.send(Subscribe(self._feed.cursors, self._feed.numbering))
            try:
                async with asyncio.timeout(STOCK_S):
                    await self._roster_due.wait()
            except TimeoutError:
                continue

    async def _own_state(self) -> SiteTold:
        return self._told(await self._relay.backlog(), self._relay.refused)

    def _tell(self, message: SiteLive) -> None:
        self._tellings.append(message)
        self._due.set()

    def _set_up(self, is_up: bool) -> None:
        if is_up is not self._stock.is_up or self.since_ms == 0:
            self._stock.is_up = is_up
            self.since_ms = self._ledger.now_ms()
            log.info("upstream there" if is_up else "upstream away")
            self._news.report_changed()


def retry_s(failures: int, jitter: float) -> float:
    """Give the wait before the next round: full jitter under a doubling cap."""
    cap: float = min(RETRY_S_MAX, RETRY_S_MIN * 2.0 ** min(failures, 10))
    return RETRY_S_MIN + jitter * (cap - RETRY_S_MIN)


def _is_standing(raw: bytes) -> bool:
    """Tell whether a command is one that stands; the gate itself checks who signed it."""
    try:
        return read_document("command", unverified_body(raw, COMMAND_TYPE), Command).action in (
            _STANDING
        )
    except (AdmissionError, ProtocolError):
        return False


def _words(group: BaseExceptionGroup) -> str:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return str(first) or type(first).__name__
