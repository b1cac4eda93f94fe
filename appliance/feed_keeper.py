"""What other gates did, as the server's feed tells it: applied in order, each fact once.

Called by the uplink. A page counts as applied when it is on the disk; what was not applied before
a link was lost comes again.
"""

import logging
from collections.abc import Sequence

from admission.passage import History
from admission.sync.feed_items import fact_of_item
from admission.sync.gate_side import ApplyFeed, FeedReader, FetchFeed, RestartFeed
from admission.sync.messages import Feed
from appliance.errors import LinkError
from appliance.link_ports import ServerLink
from appliance.ports import Memory

log = logging.getLogger(__name__)


class FeedKeeper:
    """Follows the feeds of the gate's performances."""

    def __init__(self, memory: Memory, history: History, own_journal: str) -> None:
        """Take where facts go.

        Args:
            memory: the disk.
            history: what the gate judges by.
            own_journal: id of the gate's own journal, whose facts it has already.
        """
        self._memory = memory
        self._history = history
        self._own = own_journal
        self._applied: dict[str, int] | None = None  # cursors of what is on the disk
        self._reader = FeedReader({})

    @property
    def cursors(self) -> dict[str, int]:
        """Where each stream stands that is followed."""
        return self._reader.cursors

    async def start_anew(self) -> None:
        """Go back to what is on the disk, before each contact with the server.

        Raises:
            StorageError: if the disk cannot be read.
        """
        if self._applied is None:
            self._applied = await self._memory.feed_cursors()
        self._reader = FeedReader(self._applied)

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
                case RestartFeed(stream):
                    log.warning("the server numbers a feed anew", extra={"stream": stream})
                    self._memory.renumber_feed(stream)
                    self._note(stream, 0)
                case FetchFeed():
                    return command
        return None

    async def _apply(self, command: ApplyFeed) -> None:
        facts = [fact_of_item(item) for item in command.items]
        await self._memory.remember_feed(command.stream, command.items)
        self._note(command.stream, command.cursor)
        log.info("facts applied", extra={"stream": command.stream, "cursor": command.cursor})
        for fact in facts:
            if fact.gate != self._own:  # our own are in our journal, with our own clock
                self._history.add(fact)

    def _note(self, stream: str, cursor: int) -> None:
        if self._applied is not None:
            self._applied[stream] = cursor
