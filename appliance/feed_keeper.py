"""What other gates did, as the server's feed tells it: applied in order, each fact once.

Called by the uplink. A page counts as applied when it is on the disk; what was not applied before
a link was lost comes again.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from admission.passage import History, at_instant
from admission.sync.feed_items import fact_of_item
from admission.sync.gate_side import (
    ApplyFeed,
    ChangeNumbering,
    FeedReader,
    FetchFeed,
    RestartFeed,
)
from admission.sync.hints import HintBoard
from admission.sync.messages import Feed, FeedItem
from appliance.errors import LinkError
from appliance.link_ports import ServerLink
from appliance.ports import FeedCursors, Memory

log = logging.getLogger(__name__)

_OF_ANOTHER_CARD: Final = -1  # and below: variants that no server numbers


class FeedKeeper:
    """Follows the feeds of the gate's performances."""

    def __init__(
        self,
        memory: Memory,
        history: History,
        hints: HintBoard,
        is_own: Callable[[str], bool],
    ) -> None:
        """Take where facts go.

        Args:
            memory: the disk.
            history: what the gate judges by.
            hints: those of what the feed brings are over.
            is_own: tells whether a journal is the gate's, now or before: it has its facts already.
        """
        self._memory = memory
        self._history = history
        self._hints = hints
        self._is_own = is_own
        self._applied: FeedCursors | None = None  # of what is on the disk
        self._reader = FeedReader({})

    @property
    def cursors(self) -> dict[str, int]:
        """Where each stream stands that is followed."""
        return self._reader.cursors

    @property
    def numbering(self) -> str:
        """Whose numbers the cursors are."""
        return self._reader.numbering

    async def start_anew(self) -> None:
        """Go back to what is on the disk, before each contact with the server.

        Raises:
            StorageError: if the disk cannot be read.
        """
        if self._applied is None:
            self._applied = await self._memory.feed_cursors()
        of = self._applied
        self._reader = FeedReader(of.by_numbering.get(of.last, {}), of.last, of.by_numbering)

    def follow(self, streams: Sequence[str]) -> bool:
        """Follow these streams and no others; tell whether they are others than before."""
        before = self._reader.cursors.keys()
        self._reader.follow(streams)
        return self._reader.cursors.keys() != before

    async def take(self, feed: Feed, link: ServerLink) -> None:
        """Apply a page; what is missing is asked for until nothing is.

        Raises:
            LinkError: if the server cannot be asked, or promises more than it gives.
            RemoteProtocolError: if the page is none.
            StorageError: if the disk cannot be written.
        """
        asked: FetchFeed | None = None
        while (missing := await self._carry_out(feed)) is not None:
            if missing == asked:
                raise LinkError(f"feed {missing.stream}: nothing follows {missing.after}")
            asked = missing
            feed = await link.feed(asked.stream, asked.after)
            if (feed.stream, feed.after) != (asked.stream, asked.after):
                raise LinkError(f"feed {asked.stream}: what comes was not asked for")

    async def _carry_out(self, feed: Feed) -> FetchFeed | None:
        """Do what a page means; give what is missing then."""
        for command in self._reader.receive(feed):
            match command:
                case ApplyFeed():
                    await self._apply(command)
                case ChangeNumbering(numbering):
                    log.warning("feeds are numbered by another server now")
                    await self._memory.remember_numbering(numbering)
                    if self._applied is not None:
                        self._applied.last = numbering
                case RestartFeed(stream, numbering):
                    log.warning("the server numbers a feed anew", extra={"stream": stream})
                    self._memory.renumber_feed(stream, numbering)
                    self._note(stream, 0)
                case FetchFeed():
                    return command
        return None

    async def _apply(self, command: ApplyFeed) -> None:
        for item in command.items:
            fact_of_item(item)  # a page is taken whole or not at all
        await self._memory.remember_feed(command.stream, command.items, self._reader.numbering)
        self._note(command.stream, command.cursor)
        log.info("facts applied", extra={"stream": command.stream, "cursor": command.cursor})
        for item in command.items:
            take_told(self._history, self._is_own, item)
            self._hints.confirm(item.gate, item.refers_to)

    def _note(self, stream: str, cursor: int) -> None:
        if self._applied is not None:
            mine = self._applied.by_numbering.setdefault(self._reader.numbering, {})
            mine[stream] = cursor


def take_told(history: History, is_own: Callable[[str], bool], item: FeedItem) -> None:
    """Take a fact as the server tells it: its times are right by the server's clock.

    What this gate did itself it knows better than the server, but for the time. What the server
    has of our journal and we have not, a card did that ours was copied from or restored over: it
    counts besides, so that nobody enters twice. Two cards may have written the same at one place,
    but for the time: the first that is told is taken for ours, any other counts besides.

    Args:
        history: what the gate judges by.
        is_own: tells whether a journal is the gate's, now or before.
        item: as told.

    Raises:
        RemoteProtocolError: if it states no fact.
    """
    fact = fact_of_item(item)
    if not is_own(fact.gate):
        history.correct(fact, item.variant)
        return
    known = history.known(fact.gate, fact.sequence)
    aside = _OF_ANOTHER_CARD - item.variant
    is_alike = known is not None and at_instant(known, fact.at) == fact
    is_others = history.known(fact.gate, fact.sequence, aside) is not None
    if is_alike and not is_others and history.takes_for_own(fact, item.variant):
        history.correct(fact)
    elif history.correct(fact, aside):
        log.error("another card wrote our journal on", extra={"sequence": fact.sequence})
