"""Deliberate faults of a gate: its journal, what it judges by, hints, lists and time."""

from typing import Any
from unittest.mock import patch

from admission import journal, rules
from admission.journal import Kind
from admission.passage import History, TicketKey
from admission.sync import hints
from admission.ticketlist import acceptance
from admission.trust import trusted_time
from admission.verdict import Grant
from appliance import gate as gate_flow
from appliance import hinting, lane_keeper, lane_records
from appliance.hinting import Hinting
from appliance.storage import journal_store
from simulation import gate as simulated_gate
from simulation import machine
from simulation.mutant import Patches, mutant
from simulation.plan import Trouble

# --- the gate's own journal ------------------------------------------------------------------


@mutant("the arm opens before the grant is written", "I1")
def _open_before_durable() -> Patches:
    release = lane_keeper.LaneKeeper.release

    async def opens_first(self: Any, draft: Any) -> bool:
        await self._turnstile.release(journal.direction_of(draft.direction))
        return await release(self, draft)

    return [patch.object(lane_keeper.LaneKeeper, "release", opens_first)]


@mutant("the card syncs now and then only", "I1 I4 audit", Trouble.POWER)
def _lazy_card() -> Patches:
    begin = machine.Card.__init__

    def lazy(self: Any, *arguments: Any, **named: Any) -> None:
        begin(self, *arguments, **named)
        self.is_lazy = True

    return [patch.object(machine.Card, "__init__", lazy)]


@mutant("a grant without an end is forgotten at the start", "audit", Trouble.POWER, Trouble.KILL)
def _unresolved_forgotten() -> Patches:
    async def nothing(recorder: Any, grants: Any) -> None:
        return

    return [patch.object(simulated_gate, "close_open_grants", nothing)]


@mutant(
    "a grant without an end counts as not passed", "audit", Trouble.KILL, Trouble.POWER, first=3
)
def _unresolved_not_passed() -> Patches:
    async def not_passed(recorder: Any, grants: Any) -> None:
        for grant in grants:
            await recorder.write(journal.ending(grant, Kind.NOT_PASSED, grant.sequence))

    return [patch.object(simulated_gate, "close_open_grants", not_passed)]


@mutant("a passage that the full disk does not take is dropped", "audit", Trouble.FULL, first=4)
def _owed_dropped() -> Patches:
    pay = lane_records.LaneRecords.pay

    async def once(self: Any) -> None:
        await pay(self)
        for owed in self._owed:
            if owed.pending is not None:
                self._history.take_back(owed.pending)
        self._owed.clear()

    return [patch.object(lane_records.LaneRecords, "pay", once)]


@mutant("nobody went through, and it is written down as a passage", "audit")
def _not_passed_is_passed() -> Patches:
    ending = journal.ending

    def passed(grant: Any, kind: Kind, *arguments: Any) -> Any:
        return ending(grant, Kind.PASSED, *arguments)

    return [patch.object(lane_keeper.journal, "ending", passed)]


@mutant("the hybrid clock follows the wall clock back", "I3", Trouble.JUMP)
def _hlc_goes_back() -> Patches:
    return [patch.object(journal, "next_hlc", lambda _previous, wall_ms: wall_ms << 16)]


@mutant("the hybrid clock stands still within a millisecond", "I3")
def _hlc_stands() -> Patches:
    def stands(previous: int, wall_ms: int) -> int:
        return max(previous, wall_ms << 16)

    return [patch.object(journal, "next_hlc", stands)]


@mutant("the chain leaves the record before out", "I2")
def _chain_of_one() -> Patches:
    chain = journal.chain
    return [
        patch.object(journal_store.journal, "chain", lambda _previous, blob: chain(bytes(32), blob))
    ]


# --- what it judges by -----------------------------------------------------------------------


@mutant("what others did is not judged by", "I15 I7 I10")
def _others_ignored() -> Patches:
    return [patch.object(simulated_gate.KnownHistory, "correct", lambda *_: False)]


@mutant("a passage is counted again each time it is told", "I7 I15", desk=12)
def _no_deduplication() -> Patches:
    def again(self: Any, fact: Any, variant: int = 0) -> bool:
        self._known[fact.gate, fact.sequence, variant] = fact
        self._count(fact)
        return True

    return [patch.object(History, "correct", again)]


@mutant("whoever is inside may enter again", "I15")
def _inside_may_enter() -> Patches:
    judge = rules.judge

    def lenient(*arguments: Any, **named: Any) -> Any:
        verdict = judge(*arguments, **named)
        if verdict.answer == "already_inside":
            return Grant(verdict.performance, verdict.ticket)
        return verdict

    return [patch.object(gate_flow, "judge", lenient)]


@mutant("whoever is inside is held in by a cancellation", "I15", seeds_max=30, desk=30, first=19)
def _held_in() -> Patches:
    return [patch.object(gate_flow, "judge", _without_line_4)]


def _without_line_4(*arguments: Any, **named: Any) -> Any:
    with patch.object(rules, "_leave_of_inside", lambda *_: None):
        return rules.judge(*arguments, **named)


@mutant("a verdict depends on how often was asked", "I15")
def _moody() -> Patches:
    judge = rules.judge
    asked = iter(range(1_000_000_000))

    def moody(*arguments: Any, **named: Any) -> Any:
        verdict = judge(*arguments, **named)
        if next(asked) % 7 == 6 and isinstance(verdict, Grant):
            return rules.Deny(rules.Answer.BLOCKED, verdict.performance, verdict.ticket)
        return verdict

    return [patch.object(gate_flow, "judge", moody)]


# --- hints ---------------------------------------------------------------------------------------


@mutant("a hint counts as a fact", "I7 I15 I0", Trouble.FALSE_HINTS)
def _hint_is_a_fact() -> Patches:
    def believe(self: Any, hint: Any) -> None:
        self._history.add(hints.passage_of(hint))

    return [patch.object(Hinting, "hear", believe)]


@mutant("a hinted exit admits", "I14 I15", Trouble.FALSE_HINTS, seeds_max=20)
def _hint_admits() -> Patches:
    judge = rules.judge

    def kind(*arguments: Any, **named: Any) -> Any:
        verdict = judge(*arguments, **named)
        board = _boards[-1] if _boards else None
        if isinstance(verdict, Grant) or board is None or verdict.ticket is None:
            return verdict
        name = (named["checkpoint"].id, verdict.performance, verdict.ticket.identifier)
        if board.concerns(TicketKey(*name)):
            return Grant(verdict.performance, verdict.ticket)
        return verdict

    _boards: list[Any] = []
    hear = Hinting.hear

    def hears(self: Any, hint: Any) -> None:
        hear(self, hint)
        _boards.append(self.board)

    return [patch.object(gate_flow, "judge", kind), patch.object(Hinting, "hear", hears)]


@mutant("a hint holds somebody in", "I14", Trouble.FALSE_HINTS, seeds_max=20)
def _hint_holds_in() -> Patches:
    def strict(verdict: Any, board: Any, now_ms: int, **named: Any) -> Any:
        if not isinstance(verdict, Grant):
            return None
        place = named["checkpoint"].id
        key = TicketKey(place, verdict.performance, verdict.ticket.identifier)
        if not board.concerns(key):
            return None
        denied = rules.Deny(rules.Answer.NOT_INSIDE, verdict.performance, verdict.ticket)
        return hints.Tightened(denied, None)

    return [patch.object(hinting, "tighten", strict)]


# --- lists and time --------------------------------------------------------------------------


@mutant("an older list is taken", "I11", Trouble.OLD_LIST, desk=12)
def _old_list_taken() -> Patches:
    return [patch.object(acceptance, "_refuse_rollback", lambda *_: None)]


@mutant("a list is taken whatever its digest", "I12 I0", Trouble.BAD_LIST, seeds_max=30)
def _digest_not_checked() -> Patches:
    return [patch.object(acceptance, "check_piece", lambda *_: None)]


@mutant("a clock that is set back takes trusted time with it", "I11", Trouble.JUMP)
def _time_goes_back() -> Patches:
    read = trusted_time.read

    def follows(state: Any, reading: Any) -> Any:
        after, instant = read(state, reading)
        origin_ms = reading.wall_ms - reading.boot_ms
        now_ms = origin_ms + reading.boot_ms
        return after, trusted_time.replace(instant, now_ms=now_ms)

    return [patch.object(trusted_time, "read", follows)]


@mutant("a start forgets what time it was", "I11", Trouble.POWER, Trouble.JUMP, Trouble.KILL)
def _floor_forgotten() -> Patches:
    def begin(stored: Any, records: Any, **named: Any) -> Any:
        return trusted_time.TrustedTime(
            named["earliest_ms"], named["earliest_ms"] - named["boot_ms"]
        )

    return [patch.object(trusted_time, "begin", begin)]
