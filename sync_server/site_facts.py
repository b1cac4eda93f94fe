"""Facts on a site server: its own gates' and those that upstream tells, each once, on one feed.

A site folds nothing and judges nobody. It numbers facts for its gates, whoever told them first; a
fact is known by journal, sequence and content, so nothing goes out twice. Where upstream tells
another time of one that is known, it goes out again with that: upstream knows clocks better.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from admission import journal
from admission.errors import ProtocolError
from admission.journal import Record
from admission.passage import at_instant
from admission.sync.feed_items import fact_of_item
from admission.sync.gate_side import (
    ApplyFeed,
    ChangeNumbering,
    FeedReader,
    FetchFeed,
    RestartFeed,
)
from admission.sync.messages import Feed, FeedItem
from sync_server.errors import UpstreamError
from sync_server.journal_ports import Move, StatedFact
from sync_server.ports import News, Store, Transaction
from sync_server.site_book import SiteBook
from sync_server.upstream_ports import Upstream

log = logging.getLogger(__name__)


class SiteFacts:
    """Keeps facts.

    Args:
        book: says on which feed a fact without a performance goes out.
    """

    def __init__(self, book: SiteBook) -> None:
        self._place: Callable[[str], str] = book.place

    async def absorb(
        self, transaction: Transaction, stated: Sequence[StatedFact]
    ) -> frozenset[str]:
        """Keep what gates have brought here; give the feeds that have grown."""
        return await self._keep(transaction, stated, corrects=False)

    async def absorb_told(
        self, transaction: Transaction, items: Sequence[FeedItem]
    ) -> frozenset[str]:
        """Keep what upstream tells; give the feeds that have grown.

        Raises:
            RemoteProtocolError: if one of them states no fact.
        """
        stated = []
        for item in items:
            fact = fact_of_item(item)
            await transaction.freight.know_journal(item.gate)
            stream = item.performance or item.checkpoint
            stated.append(StatedFact(fact, _record(item), item.variant, None, stream))
        return await self._keep(transaction, stated, corrects=True)

    async def _keep(
        self, transaction: Transaction, stated: Sequence[StatedFact], *, corrects: bool
    ) -> frozenset[str]:
        grown: set[str] = set()
        for one in stated:
            known = await transaction.facts.variants(one.fact.gate, one.fact.sequence)
            same = [kept for kept, fact in known if at_instant(fact, one.fact.at) == one.fact]
            stream = self._place(one.stream)
            if not same:
                variant = 1 + max((kept.variant for kept, _ in known), default=-1)
                await transaction.facts.add_facts([replace(one, variant=variant, stream=stream)])
            elif corrects and same[0].at_us != journal.microseconds(one.fact.at):
                at_us = journal.microseconds(one.fact.at)
                await transaction.facts.move([Move(same[0], at_us, clock_wrong=False)])
            else:
                continue
            grown.add(stream)
        return frozenset(grown)


class UpstreamFeed:
    """Follows upstream's feeds, as a gate does.

    Args:
        store: the database.
        facts: keeps what is told.
        book: says which feeds.
        upstream: asked for what is missing.
        news: told which of the site's own feeds have grown.
    """

    def __init__(
        self, store: Store, facts: SiteFacts, book: SiteBook, upstream: Upstream, news: News
    ) -> None:
        self._store = store
        self._facts = facts
        self._book = book
        self._upstream = upstream
        self._news = news
        self._reader = FeedReader({})

    @property
    def cursors(self) -> dict[str, int]:
        """How far each feed was taken in."""
        return self._reader.cursors

    @property
    def numbering(self) -> str:
        """Whose numbers these are."""
        return self._reader.numbering

    async def start_anew(self) -> None:
        """Go back to what is kept, before each contact with upstream."""
        async with self._store.read() as transaction:
            cursors, numbering = await transaction.freight.cursors()
        self._reader = FeedReader(cursors, numbering)
        self._reader.follow(self._book.streams)

    def follow(self) -> bool:
        """Follow the feeds of the roster; tell whether they are others than before."""
        before = self._reader.cursors.keys()
        self._reader.follow(self._book.streams)
        return self._reader.cursors.keys() != before

    async def take(self, feed: Feed) -> None:
        """Apply a page; what is missing is asked for until nothing is.

        Raises:
            UpstreamError: if upstream cannot be asked, or tells what is no feed.
        """
        asked: FetchFeed | None = None
        try:
            while (missing := await self._carry_out(feed)) is not None:
                if missing == asked:
                    raise UpstreamError(f"feed {missing.stream}: nothing follows {missing.after}")
                asked = missing
                feed = await self._upstream.feed(asked.stream, asked.after)
        except ProtocolError as exc:
            raise UpstreamError(f"feed {feed.stream}: {exc}") from exc

    async def _carry_out(self, feed: Feed) -> FetchFeed | None:
        for command in self._reader.receive(feed):
            match command:
                case ApplyFeed():
                    await self._apply(command)
                case ChangeNumbering():
                    log.warning("upstream numbers its feeds by another name now")
                case RestartFeed(stream):
                    log.warning("upstream numbers a feed anew", extra={"stream": stream})
                case FetchFeed():
                    return command
        return None

    async def _apply(self, command: ApplyFeed) -> None:
        async with self._store.write() as transaction:
            grown = await self._facts.absorb_told(transaction, command.items)
            numbering = self._reader.numbering
            await transaction.freight.keep_cursor(command.stream, command.cursor, numbering)
        if grown:
            self._news.streams_grew(grown)


def _record(item: FeedItem) -> Record:
    """Give what a fact's record must have said, as far as a feed tells."""
    return Record(
        kind=item.kind,
        sequence=item.sequence,
        wall_ms=max(0, item.at_us // 1000),
        boot_ms=0,
        boot_id=b"",
        flags=item.flags,
        checkpoint=item.checkpoint,
        performance=item.performance,
        identifier=item.identifier,
        direction=item.direction,
        ticket_class=item.ticket_class,
        refers_to=item.refers_to,
    )
