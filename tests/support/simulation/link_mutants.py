"""Deliberate faults of the link and the server: copied cards, upload, feed, what is stored."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

import msgspec

from admission import reconcile
from admission.scan import Direction
from admission.sync import gate_side, server_side
from appliance import lane_keeper, lane_records
from appliance.simulator.box_office import SINGLE
from appliance.storage import journal_store
from simulation import office
from simulation.mutant import Patches, mutant
from simulation.plan import SHOWS, Plan, Planned, Trouble, Visit, Weather
from sync_server import reconciling
from sync_server.storage import facts as stored_facts
from sync_server.storage import journals as stored_journals
from sync_server.storage.side_lines import SqlSideLines

# --- copied cards --------------------------------------------------------------------------------


@mutant("a gate takes any history for its own", "I4 I9 rest", Trouble.CLONE, Trouble.CARD_BACK)
def _any_chain_is_own() -> Patches:
    def trusts(self: Any, asked: Any, own_chain: Any) -> Any:
        self.acked, self._acked_chain = asked.sequence, asked.chain
        return gate_side.AckUpTo(asked.sequence, asked.chain)

    return [patch.object(gate_side.Uploader, "compared", trusts)]


@mutant("the server drops what contradicts its history", "I4", Trouble.CLONE)
def _forks_dropped() -> Patches:
    async def nothing(self: Any, *arguments: Any) -> dict[int, int]:
        return {}

    return [patch.object(SqlSideLines, "add", nothing)]


@mutant("only the last record is compared, not its chain", "I4 I6 I9 I0 rest", Trouble.CLONE)
def _chain_not_compared() -> Patches:
    take_in = server_side.take_in

    def by_place(batch: Any, head: Any, stored: Any, aside: Any = None) -> Any:
        if batch.first - 1 == head.sequence:
            batch = msgspec.structs.replace(batch, previous_chain=head.chain)
        return take_in(batch, head, stored, aside)

    return [patch.object(reconciling, "take_in", by_place)]


@mutant("another journal goes on counting grants as the one before", "I0", Trouble.CLONE)
def _lane_not_renumbered() -> Patches:
    return [patch.object(lane_keeper.LaneKeeper, "_begin_anew", lambda self: None)]


@mutant("what a failed sync left on the card is not accounted for", "audit", Trouble.SYNC)
def _found_ignored() -> Patches:
    async def nothing(self: Any) -> None:
        self._is_in_doubt = False

    return [patch.object(lane_records.LaneRecords, "_take_found", nothing)]


@mutant("what a failed sync left on the card is written again", "audit I5", Trouble.SYNC, first=4)
def _written_twice() -> Patches:
    return [patch.object(journal_store.SqliteJournal, "_claimed", lambda self, drafts: None)]


@mutant(
    "a gate never asks whether the server still has it all", "I4", Trouble.BACKUP, Trouble.RESTORE
)
def _never_asks() -> Patches:
    return [patch.object(gate_side.Uploader, "question", lambda self, moment: None)]


# --- the link --------------------------------------------------------------------------------


@mutant("the cursor skips to the newest item", "I10 I7", seeds_max=20)
def _cursor_skips() -> Patches:
    receive = gate_side.FeedReader.receive

    def skips(self: Any, feed: Any) -> Any:
        done = receive(self, feed)
        return [
            replace(one, items=one.items[-1:]) if isinstance(one, gate_side.ApplyFeed) else one
            for one in done
        ]

    return [patch.object(gate_side.FeedReader, "receive", skips)]


@mutant("a live connection is not woken", "I13")
def _not_woken() -> Patches:
    return [patch.object(server_side.LiveSide, "wake", lambda self, streams: [])]


# Five gates that each let somebody through at the same instants: the server reads all the time.
_ALL_AT_ONCE: Final = Plan(
    seed="all at once",
    gates=5,
    minutes=3,
    tickets=tuple(Planned(f"T{place:04d}", SHOWS[0], SINGLE) for place in range(60)),
    visits=tuple(
        Visit(60_000 + 8_000 * (place // 5), place % 5, place, Direction.ENTRY, 1_000)
        for place in range(60)
    ),
    faults=(),
    desk=(),
    weather=Weather(loss=0, twice=0, slow=0),
)


@mutant("a wake-up while a page is read is forgotten", "I13 rest", world=_ALL_AT_ONCE)
def _wake_forgotten() -> Patches:
    page = server_side.LiveSide.page

    def forgets(self: Any, feed: Any) -> Any:
        self._woken.clear()
        return page(self, msgspec.structs.replace(feed, head=feed.after + len(feed.items)))

    return [patch.object(server_side.LiveSide, "page", forgets)]


# --- the server ------------------------------------------------------------------------------


@mutant(
    "the server acknowledges before it commits", "I4", Trouble.SERVER_BEFORE_COMMIT, seeds_max=10
)
def _acknowledged_before_commit() -> Patches:
    @contextmanager
    def none() -> Iterator[None]:
        yield

    def loses(self: Any, coroutine: Any) -> Any:
        try:
            return _finish_and_forget(self, coroutine)
        finally:
            self.database.cut_before_commit = False

    from simulation.server import Server

    return [patch.object(Server, "_do_or_die", loses)]


def _finish_and_forget(server: Any, coroutine: Any) -> Any:
    """Answer as if it had been committed, and then lose it."""
    from simulation.scheduler import finish

    if not server.database.cut_before_commit:
        return finish(coroutine)
    server.database.cut_before_commit = False
    before = server.database.backup()
    result = finish(coroutine)
    server.database.restore(before)
    return result


@mutant("a batch that comes again is taken again", "I0 I5 I4 I6")
def _batch_taken_again() -> Patches:
    take_in = server_side.take_in

    def again(batch: Any, head: Any, stored: Any, *aside: Any) -> Any:
        place = server_side.Head(batch.first - 1, batch.previous_chain)
        return take_in(batch, place, {place.sequence: place.chain}, *aside)

    return [patch.object(reconciling, "take_in", again)]


@mutant(
    "a restored server keeps the names of its numbers", "I7 I10", Trouble.BACKUP, Trouble.RESTORE
)
def _not_renumbered() -> Patches:
    async def keeps(self: Any, name: str) -> None:
        return

    return [patch.object(stored_facts.SqlFacts, "renumber", keeps)]


@mutant(
    "the number of a feed item is taken before its transaction", "I5", Trouble.SERVER_BEFORE_COMMIT
)
def _number_taken_outside() -> Patches:
    async def guessed(self: Any, stream: str, count: int) -> int:
        last = _taken.get(stream, 0)
        _taken[stream] = last + count
        return last + 1

    _taken: dict[str, int] = {}
    venue = office.Database.__init__

    def anew(self: Any) -> None:
        _taken.clear()
        venue(self)

    take = stored_facts.SqlFacts._take_numbers

    async def both(self: Any, stream: str, count: int) -> int:
        await take(self, stream, count)
        return await guessed(self, stream, count)

    return [
        patch.object(stored_facts.SqlFacts, "_take_numbers", both),
        patch.object(office.Database, "__init__", anew),
    ]


@mutant("a fact's folds are not made anew when it is not the last", "I8", seeds_max=20, first=2)
def _late_fact_not_folded() -> Patches:
    absorb = reconciling.absorb

    async def hasty(transaction: Any, stated: Any) -> Any:
        grown = await absorb(transaction, stated)
        keys = [reconciling.key_of(one.fact) for one in stated if hasattr(one.fact, "identifier")]
        for key in keys:
            facts = await transaction.facts.facts_of([key])
            newest = sorted(facts[key], key=reconcile.fold_key)[-1:]
            if newest and len(facts[key]) > 1 and newest[0] not in [one.fact for one in stated]:
                fold = reconcile.fold_ticket(newest, None, None)
                one = reconciling.KeyFold(key, fold, True, {newest[0]: 0})
                await transaction.facts.replace_folds([one])
        return grown

    return [patch.object(reconciling, "absorb", hasty)]


@mutant("a ticket that was canceled later makes an anomaly of what was good", "I8", first=2)
def _canceled_since_ever() -> Patches:
    fold = reconcile.fold_ticket

    def strict(facts: Any, performance: Any, ticket: Any) -> Any:
        if ticket is not None and ticket.states:
            last = ticket.states[-1]
            ticket = reconcile.replace(ticket, states=(reconcile.replace(last, since=None),))
        return fold(facts, performance, ticket)

    return [patch.object(reconciling, "fold_ticket", strict)]


@mutant("an unreadable table of forks swallows records", "I4")
def _records_dropped() -> Patches:
    add = stored_journals.SqlJournals.add_records

    async def drops(self: Any, journal_id: str, rows: Any, head: Any) -> None:
        await add(self, journal_id, rows[:-1] if len(rows) > 1 else rows, head)

    return [patch.object(stored_journals.SqlJournals, "add_records", drops)]
