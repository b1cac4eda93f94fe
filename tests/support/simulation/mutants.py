"""Deliberate faults in the real code: what the simulation must find, or it finds nothing.

Each mutant replaces one function of the gate, the heart or the server while it is applied. The
suite fails if one is not caught; `caught_by` says by which invariants, so that a catch by accident
shows. Mutants that cannot be told from the real thing are named in EQUIVALENT, with the reason.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final
from unittest.mock import patch

import msgspec

from admission import journal, reconcile, rules
from admission.journal import Kind
from admission.passage import History
from admission.scan import Direction
from admission.sync import gate_side, server_side
from admission.ticketlist import acceptance
from admission.trust import trusted_time
from admission.verdict import Grant
from appliance import gate as gate_flow
from appliance import lane_keeper
from appliance.simulator.box_office import SINGLE
from appliance.storage import journal_store
from simulation import gate as simulated_gate
from simulation import machine, office
from simulation.plan import COMMON, SHOWS, Fault, Plan, Planned, Trouble, Visit, draw
from sync_server import reconciling
from sync_server.storage import facts as stored_facts
from sync_server.storage import journals as stored_journals

Patches = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault.

    Attributes:
        name: what is wrong.
        caught_by: numbers of invariants, one of which must break.
        patches: makes the fault.
        certain: what has to go wrong for it to show; each world has it.
        seeds_max: so many worlds may pass before it is caught.
        first: the world that is known to show it.
        world: the only world in which it shows, where none is drawn.
        desk: how often somebody at the venue changes something.
    """

    name: str
    caught_by: frozenset[str]
    patches: Callable[[], Patches] = field(repr=False)
    certain: tuple[Trouble, ...] = ()
    seeds_max: int = 10
    desk: int = 4
    first: int = 1
    world: Plan | None = field(default=None, repr=False)

    def plans(self) -> Iterator[Plan]:
        """Give the worlds in which it has to show, the one that is known to show it first."""
        if self.world is not None:
            yield self.world
            return
        others = [seed for seed in range(1, self.seeds_max + 1) if seed != self.first]
        for seed in (self.first, *others):
            yield self._plan(seed)

    def _plan(self, seed: int) -> Plan:
        troubles = self.certain or COMMON
        return draw(f"mutant {seed}", certain=self.certain, troubles=troubles, desk=self.desk)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Have the fault in the code."""
        patches = self.patches()
        for one in patches:
            one.start()
        try:
            yield
        finally:
            for one in reversed(patches):
                one.stop()


MUTANTS: Final[list[Mutant]] = []


def _mutant(
    name: str,
    caught_by: str,
    *certain: Trouble,
    **more: Any,
) -> Callable[[Callable[[], Patches]], Callable[[], Patches]]:
    def add(patches: Callable[[], Patches]) -> Callable[[], Patches]:
        MUTANTS.append(Mutant(name, frozenset(caught_by.split()), patches, certain, **more))
        return patches

    return add


# --- the gate's own journal ------------------------------------------------------------------


@_mutant("the arm opens before the grant is written", "I1")
def _open_before_durable() -> Patches:
    release = lane_keeper.LaneKeeper.release

    async def opens_first(self: Any, draft: Any) -> bool:
        await self._turnstile.release(journal.direction_of(draft.direction))
        return await release(self, draft)

    return [patch.object(lane_keeper.LaneKeeper, "release", opens_first)]


@_mutant("the card syncs now and then only", "I1 I4 audit", Trouble.POWER)
def _lazy_card() -> Patches:
    begin = machine.Card.__init__

    def lazy(self: Any, *arguments: Any, **named: Any) -> None:
        begin(self, *arguments, **named)
        self.is_lazy = True

    return [patch.object(machine.Card, "__init__", lazy)]


@_mutant("a grant without an end is forgotten at the start", "audit", Trouble.POWER, Trouble.KILL)
def _unresolved_forgotten() -> Patches:
    async def nothing(recorder: Any, grants: Any) -> None:
        return

    return [patch.object(simulated_gate, "close_open_grants", nothing)]


@_mutant(
    "a grant without an end counts as not passed", "audit", Trouble.KILL, Trouble.POWER, first=3
)
def _unresolved_not_passed() -> Patches:
    async def not_passed(recorder: Any, grants: Any) -> None:
        for grant in grants:
            await recorder.write(journal.ending(grant, Kind.NOT_PASSED, grant.sequence))

    return [patch.object(simulated_gate, "close_open_grants", not_passed)]


@_mutant("a passage that the full disk does not take is dropped", "audit", Trouble.FULL, first=4)
def _owed_dropped() -> Patches:
    pay = lane_keeper.LaneKeeper._pay

    async def once(self: Any) -> None:
        await pay(self)
        for owed in self._owed:
            if owed.pending is not None:
                self._history.remove(owed.pending)
        self._owed.clear()

    return [patch.object(lane_keeper.LaneKeeper, "_pay", once)]


@_mutant("nobody went through, and it is written down as a passage", "audit")
def _not_passed_is_passed() -> Patches:
    ending = journal.ending

    def passed(grant: Any, kind: Kind, *arguments: Any) -> Any:
        return ending(grant, Kind.PASSED, *arguments)

    return [patch.object(lane_keeper.journal, "ending", passed)]


@_mutant("the hybrid clock follows the wall clock back", "I3", Trouble.JUMP)
def _hlc_goes_back() -> Patches:
    return [patch.object(journal, "next_hlc", lambda _previous, wall_ms: wall_ms << 16)]


@_mutant("the hybrid clock stands still within a millisecond", "I3")
def _hlc_stands() -> Patches:
    def stands(previous: int, wall_ms: int) -> int:
        return max(previous, wall_ms << 16)

    return [patch.object(journal, "next_hlc", stands)]


@_mutant("the chain leaves the record before out", "I2")
def _chain_of_one() -> Patches:
    chain = journal.chain
    return [
        patch.object(journal_store.journal, "chain", lambda _previous, blob: chain(bytes(32), blob))
    ]


# The disk is full while somebody goes through, and has room again when the ticket comes back.
_END_THAT_WAITS: Final = Plan(
    seed="an end that waits",
    gates=1,
    minutes=2,
    tickets=(Planned("T0000", SHOWS[0], SINGLE),),
    visits=(
        Visit(30_000, 0, 0, Direction.ENTRY, 3_000),
        Visit(34_700, 0, 0, Direction.ENTRY, 3_000),
    ),
    faults=(Fault(31_000, Trouble.FULL, 0, 3_500, 1),),
    desk=(),
)


# --- what it judges by -----------------------------------------------------------------------


@_mutant("a pending grant does not count", "I15", world=_END_THAT_WAITS)
def _pending_not_counted() -> Patches:
    pending_of = journal.pending_of

    def of_nobody(name: str, record: Any) -> Any:
        return replace(pending_of(name, record), identifier=bytes(16))

    return [patch.object(journal, "pending_of", of_nobody)]


@_mutant("what others did is not judged by", "I15 I7 I10")
def _others_ignored() -> Patches:
    return [patch.object(simulated_gate.KnownHistory, "correct", lambda *_: False)]


@_mutant("a passage is counted again each time it is told", "I7 I15", desk=12)
def _no_deduplication() -> Patches:
    def again(self: Any, fact: Any, variant: int = 0) -> bool:
        self._known[fact.gate, fact.sequence, variant] = fact
        self._count(fact)
        return True

    return [patch.object(History, "correct", again)]


@_mutant("whoever is inside may enter again", "I15")
def _inside_may_enter() -> Patches:
    judge = rules.judge

    def lenient(*arguments: Any, **named: Any) -> Any:
        verdict = judge(*arguments, **named)
        if verdict.answer == "already_inside":
            return Grant(verdict.performance, verdict.ticket)
        return verdict

    return [patch.object(gate_flow, "judge", lenient)]


@_mutant("whoever is inside is held in by a cancellation", "I15", seeds_max=30, desk=30, first=7)
def _held_in() -> Patches:
    return [patch.object(gate_flow, "judge", _without_line_4)]


def _without_line_4(*arguments: Any, **named: Any) -> Any:
    with patch.object(rules, "_leave_of_inside", lambda *_: None):
        return rules.judge(*arguments, **named)


@_mutant("a verdict depends on how often was asked", "I15")
def _moody() -> Patches:
    judge = rules.judge
    asked = iter(range(1_000_000_000))

    def moody(*arguments: Any, **named: Any) -> Any:
        verdict = judge(*arguments, **named)
        if next(asked) % 7 == 6 and isinstance(verdict, Grant):
            return rules.Deny(rules.Answer.BLOCKED, verdict.performance, verdict.ticket)
        return verdict

    return [patch.object(gate_flow, "judge", moody)]


# --- lists and time --------------------------------------------------------------------------


@_mutant("an older list is taken", "I11", Trouble.OLD_LIST, desk=12)
def _old_list_taken() -> Patches:
    return [patch.object(acceptance, "_refuse_rollback", lambda *_: None)]


@_mutant("a list is taken whatever its digest", "I12 I0", Trouble.BAD_LIST, seeds_max=30)
def _digest_not_checked() -> Patches:
    return [patch.object(acceptance, "check_piece", lambda *_: None)]


@_mutant("a clock that is set back takes trusted time with it", "I11", Trouble.JUMP)
def _time_goes_back() -> Patches:
    read = trusted_time.read

    def follows(state: Any, reading: Any) -> Any:
        after, instant = read(state, reading)
        origin_ms = reading.wall_ms - reading.boot_ms
        now_ms = origin_ms + reading.boot_ms
        return after, trusted_time.replace(instant, now_ms=now_ms)

    return [patch.object(trusted_time, "read", follows)]


@_mutant("a start forgets what time it was", "I11", Trouble.POWER, Trouble.JUMP, Trouble.KILL)
def _floor_forgotten() -> Patches:
    def begin(stored: Any, records: Any, **named: Any) -> Any:
        return trusted_time.TrustedTime(
            named["earliest_ms"], named["earliest_ms"] - named["boot_ms"]
        )

    return [patch.object(trusted_time, "begin", begin)]


# --- the link --------------------------------------------------------------------------------


@_mutant("a batch counts as acknowledged when it is sent", "I4", Trouble.CUT, Trouble.MUTE, first=6)
def _acknowledged_on_send() -> Patches:
    next_batch = gate_side.Uploader.next_batch

    def trusting(self: Any, rows: Any, sent: Any) -> Any:
        batch = next_batch(self, rows, sent)
        if batch is not None:
            self._sent_up_to = rows[-1]
        return batch

    def lost(self: Any) -> None:
        self._in_flight = {}
        row = getattr(self, "_sent_up_to", None)
        if row is not None and row.sequence > self.acked:
            self.acked, self._acked_chain = row.sequence, row.chain

    return [
        patch.object(gate_side.Uploader, "next_batch", trusting),
        patch.object(gate_side.Uploader, "lost", lost),
    ]


@_mutant("the cursor skips to the newest item", "I10 I7", seeds_max=20)
def _cursor_skips() -> Patches:
    receive = gate_side.FeedReader.receive

    def skips(self: Any, feed: Any) -> Any:
        done = receive(self, feed)
        return [
            replace(one, items=one.items[-1:]) if isinstance(one, gate_side.ApplyFeed) else one
            for one in done
        ]

    return [patch.object(gate_side.FeedReader, "receive", skips)]


@_mutant("a live connection is not woken", "I13")
def _not_woken() -> Patches:
    return [patch.object(server_side.LiveSide, "wake", lambda self, streams: [])]


@_mutant("a wake-up while a page is read is forgotten", "I13", seeds_max=40, first=9)
def _wake_forgotten() -> Patches:
    page = server_side.LiveSide.page

    def forgets(self: Any, feed: Any) -> Any:
        self._woken.clear()
        return page(self, msgspec.structs.replace(feed, head=feed.after + len(feed.items)))

    return [patch.object(server_side.LiveSide, "page", forgets)]


# --- the server ------------------------------------------------------------------------------


@_mutant(
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


@_mutant("a batch that comes again is taken again", "I0 I5 I4 I6")
def _batch_taken_again() -> Patches:
    take_in = server_side.take_in

    def again(batch: Any, head: Any, stored: Any, *aside: Any) -> Any:
        place = server_side.Head(batch.first - 1, batch.previous_chain)
        return take_in(batch, place, {place.sequence: place.chain}, *aside)

    return [patch.object(reconciling, "take_in", again)]


@_mutant(
    "a restored server keeps the names of its numbers", "I7 I10", Trouble.BACKUP, Trouble.RESTORE
)
def _not_renumbered() -> Patches:
    async def keeps(self: Any, name: str) -> None:
        return

    return [patch.object(stored_facts.SqlFacts, "renumber", keeps)]


@_mutant(
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


@_mutant("a fact's folds are not made anew when it is not the last", "I8", seeds_max=20, first=2)
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


@_mutant("a ticket that was canceled later makes an anomaly of what was good", "I8", first=2)
def _canceled_since_ever() -> Patches:
    fold = reconcile.fold_ticket

    def strict(facts: Any, performance: Any, ticket: Any) -> Any:
        if ticket is not None and ticket.states:
            last = ticket.states[-1]
            ticket = reconcile.replace(ticket, states=(reconcile.replace(last, since=None),))
        return fold(facts, performance, ticket)

    return [patch.object(reconciling, "fold_ticket", strict)]


@_mutant("an unreadable table of forks swallows records", "I4")
def _records_dropped() -> Patches:
    add = stored_journals.SqlJournals.add_records

    async def drops(self: Any, journal_id: str, rows: Any, head: Any) -> None:
        await add(self, journal_id, rows[:-1] if len(rows) > 1 else rows, head)

    return [patch.object(stored_journals.SqlJournals, "add_records", drops)]


EQUIVALENT: Final = {
    "a batch after a gap is taken": "a gate sends its batches one at a time, each from what was "
    "acknowledged on: no batch with a gap before it is ever sent, so taking one changes nothing",
    "a hint's far-off time is adopted": "no clock takes anything from a hint or a feed: there is "
    "nothing to leave out (I3 looks at every record's clock instead)",
}
