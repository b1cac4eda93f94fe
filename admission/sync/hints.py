"""Hints: what other gates have just granted, before their journals say so. No clock, no socket.

A board remembers them, bounded in number and in time; `tighten` looks at a grant again with them in
view. A hint makes a gate stricter and never milder: it is asked only where the rules grant without
it, and it counts only where one passage more can refuse. It is no fact: nothing here touches the
history, the journal or what is counted.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

from admission import journal
from admission.errors import JournalError, RemoteProtocolError
from admission.journal import Record
from admission.passage import History, Passage, TicketKey, TicketUse, fold_key, use_of
from admission.rules import ORDINARY, GateConditions, judge
from admission.scan import Direction
from admission.sync.messages import Hint
from admission.ticket import (
    Checkpoint,
    EntryExit,
    Holdings,
    Multi,
    PassRule,
    Performance,
    TicketClass,
)
from admission.verdict import Deny, Grant, Verdict

HINT_S_MAX: Final = 60.0  # a passage is over in seconds, and its journal entry there soon after
HINTS_OF_A_GATE_MAX: Final = 256  # four a second for as long as they last: no lane is that fast
HINTS_MAX: Final = 16_384  # a thousand gates with sixteen each
_ENDED_MAX: Final = 16_384  # grants whose end is known, so that a late hint of one says nothing
_MS: Final = 1000

_Shelf = TypeVar("_Shelf")
_Kept = TypeVar("_Kept")
_GrantId = tuple[str, str, int]  # gate that says so, journal, sequence of the grant there


class _Heard(NamedTuple):
    hint: Hint
    passage: Passage
    key: TicketKey
    heard_ms: int


def hint_of(gate: str, journal_id: str, grant: Record, *, withdrawn: bool = False) -> Hint:
    """Make the hint of a grant that is durable, or of its taking back.

    Args:
        gate: id of the gate that granted.
        journal_id: id of the journal that holds the grant.
        grant: the GRANTED record, or the one that ended it.
        withdrawn: whether nobody went through.
    """
    return Hint(
        gate=gate,
        journal=journal_id,
        sequence=grant.refers_to or grant.sequence,
        checkpoint=grant.checkpoint,
        performance=grant.performance,
        identifier=grant.identifier,
        direction=grant.direction,
        at_ms=grant.trusted_ms or grant.wall_ms,
        ticket_class=grant.ticket_class,
        withdrawn=withdrawn,
    )


def passage_of(hint: Hint) -> Passage:
    """Give the passage that the hinted grant is about to become.

    Raises:
        RemoteProtocolError: if there is no such direction, class or date.
    """
    try:
        return Passage(
            gate=hint.journal,
            sequence=hint.sequence,
            at=journal.instant(hint.at_ms),
            checkpoint=hint.checkpoint,
            performance=hint.performance or None,
            identifier=hint.identifier,
            direction=journal.direction_of(hint.direction),
            ticket_class=None if hint.ticket_class is None else journal.class_of(hint.ticket_class),
        )
    except JournalError as exc:
        raise RemoteProtocolError(f"hint {hint.sequence} of {hint.journal}: {exc}") from exc


class HintBoard:
    """The hints that a gate has heard and that nothing has ended yet.

    A flood drops the oldest: of the gate that sends it first, then of all. A hint that comes again
    is the same hint, as old as it was. One that was withdrawn, confirmed or has expired stays so.

    Attributes:
        unconfirmed: hints that expired without a word of the journal they spoke of.
        dropped: hints that had to make room.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.unconfirmed = 0
        self.dropped = 0
        self._heard: dict[_GrantId, _Heard] = {}  # in the order in which they were heard
        self._of_gate: dict[str, dict[_GrantId, None]] = {}
        self._of_ticket: dict[TicketKey, dict[_GrantId, Passage]] = {}
        self._of_grant: dict[tuple[str, int], set[_GrantId]] = {}
        self._entering: dict[str, int] = {}
        self._ended: dict[_GrantId, None] = {}

    def __len__(self) -> int:
        """Give how many are on the board."""
        return len(self._heard)

    def hear(self, hint: Hint, heard_ms: int) -> bool:
        """Take a hint, or a withdrawal, in; tell whether it changed anything.

        Args:
            hint: from a gate that is known to be the one it says it is.
            heard_ms: now, on a clock of the hearing gate that never steps.

        Raises:
            RemoteProtocolError: if it cannot be read.
        """
        passage = passage_of(hint)
        self.expire(heard_ms)
        name = (hint.gate, hint.journal, hint.sequence)
        if hint.withdrawn:
            self._end(name)
            return self._forget(name) is not None
        if name in self._heard or self._has_ended(name):
            return False
        key = TicketKey(hint.checkpoint, hint.performance, hint.identifier)
        self._put(name, _Heard(hint, passage, key, heard_ms))
        self._make_room(hint.gate)
        return True

    def confirm(self, journal_id: str, grant: int) -> bool:
        """Forget the hint of a grant: its journal has told what became of it.

        Args:
            journal_id: the journal that tells.
            grant: sequence of the grant there (`refers_to` of the record that ends it).

        Returns:
            Whether there was one.
        """
        if grant < 1:
            return False
        self._end(("", journal_id, grant))
        names = tuple(self._of_grant.get((journal_id, grant), ()))
        for name in names:
            self._forget(name)
        return bool(names)

    def expire(self, now_ms: int) -> tuple[Hint, ...]:
        """Forget what nothing has confirmed in time; give those hints.

        Args:
            now_ms: now, on the clock of `hear`.
        """
        since_ms = now_ms - round(HINT_S_MAX * _MS)
        expired = []
        while self._heard:
            name, oldest = next(iter(self._heard.items()))
            if oldest.heard_ms > since_ms:
                break
            self._forget(name)
            self._end(name)
            self.unconfirmed += 1
            expired.append(oldest.hint)
        return tuple(expired)

    def passages_of(self, key: TicketKey) -> Iterable[Passage]:
        """Give what is hinted of a ticket at a checkpoint."""
        return self._of_ticket.get(key, {}).values()

    def concerns(self, key: TicketKey) -> bool:
        """Tell whether anything is hinted of a ticket at a checkpoint."""
        return key in self._of_ticket

    def entering(self, checkpoint: str) -> int:
        """Give how many are hinted to be entering a checkpoint."""
        return self._entering.get(checkpoint, 0)

    def _put(self, name: _GrantId, heard: _Heard) -> None:
        self._heard[name] = heard
        self._of_gate.setdefault(heard.hint.gate, {})[name] = None
        self._of_ticket.setdefault(heard.key, {})[name] = heard.passage
        self._of_grant.setdefault((heard.hint.journal, heard.hint.sequence), set()).add(name)
        if heard.passage.direction is Direction.ENTRY:
            here = heard.hint.checkpoint
            self._entering[here] = self._entering.get(here, 0) + 1

    def _make_room(self, gate: str) -> None:
        while len(self._of_gate[gate]) > HINTS_OF_A_GATE_MAX:
            self._drop(next(iter(self._of_gate[gate])))
        while len(self._heard) > HINTS_MAX:
            self._drop(next(iter(self._heard)))

    def _drop(self, name: _GrantId) -> None:
        self._forget(name)
        self.dropped += 1

    def _forget(self, name: _GrantId) -> _Heard | None:
        heard = self._heard.pop(name, None)
        if heard is None:
            return None
        grant = (heard.hint.journal, heard.hint.sequence)
        _discard(self._of_gate, heard.hint.gate, name)
        _discard(self._of_ticket, heard.key, name)
        self._of_grant[grant].discard(name)
        if not self._of_grant[grant]:
            del self._of_grant[grant]
        if heard.passage.direction is Direction.ENTRY:
            here = heard.hint.checkpoint
            self._entering[here] -= 1
            if not self._entering[here]:
                del self._entering[here]
        return heard

    def _end(self, name: _GrantId) -> None:
        self._ended[name] = None
        if len(self._ended) > _ENDED_MAX:
            del self._ended[next(iter(self._ended))]

    def _has_ended(self, name: _GrantId) -> bool:
        return name in self._ended or ("", *name[1:]) in self._ended


def _discard(shelf: dict[_Shelf, dict[_GrantId, _Kept]], key: _Shelf, name: _GrantId) -> None:
    del shelf[key][name]
    if not shelf[key]:
        del shelf[key]


@dataclass(frozen=True, slots=True)
class Tightened:
    """A grant that hints made a refusal of.

    Attributes:
        denied: the answer now.
        last: the ticket's last passage here, hinted ones included: when and where it was used.
    """

    denied: Deny
    last: Passage | None


def tighten(
    verdict: Verdict,
    board: HintBoard,
    now_ms: int,
    *,
    presented: str,
    checkpoint: Checkpoint,
    direction: Direction,
    now: datetime,
    holdings: Holdings,
    history: History,
    conditions: GateConditions = ORDINARY,
) -> Tightened | None:
    """Judge again with hints in view what the rules granted without them.

    Args:
        verdict: what `judge` said of the same.
        board: the hints heard.
        now_ms: now, on the clock of `HintBoard.hear`.
        presented: as for `judge`, like all that follows.
        checkpoint: where it was presented.
        direction: of the reader.
        now: aware instant of the scan.
        holdings: the lists that the gate holds.
        history: every fact that the gate knows.
        conditions: what the gate adds of its own.

    Returns:
        The refusal; None where the verdict stands.
    """
    if not isinstance(verdict, Grant):
        return None  # a refusal stays what it is: no hint admits anybody
    rule = verdict.ticket.ticket_class.rule
    if isinstance(rule, EntryExit) and direction is Direction.EXIT:
        return None  # line 4: nobody is ever held in
    board.expire(now_ms)
    key = TicketKey(checkpoint.id, verdict.performance, verdict.ticket.identifier)
    fills = checkpoint.capacity is not None and board.entering(checkpoint.id) > 0
    if not fills and not board.concerns(key):
        return None
    known = _InView(history, board, rule)
    again = judge(
        presented,
        checkpoint=checkpoint,
        direction=direction,
        now=now,
        holdings=holdings,
        history=known,
        conditions=conditions,
    )
    return Tightened(again, known.use(key, None).last) if isinstance(again, Deny) else None


class _InView:
    """The `Known` of a grant that is looked at again: the facts, and what is hinted beside them.

    Somebody's hinted exit would make room for an entry, of the same ticket or of the next: it
    counts only as one more passage of a ticket whose passages are numbered.
    """

    def __init__(self, history: History, board: HintBoard, rule: PassRule) -> None:
        self._history = history
        self._board = board
        self._counts_exits = isinstance(rule, Multi)

    def use(self, key: TicketKey, performance: Performance | None) -> TicketUse:
        hinted = [
            passage
            for passage in self._board.passages_of(key)
            if self._counts_exits or passage.direction is Direction.ENTRY
        ]
        return use_of(sorted([*self._history.facts_of(key), *hinted], key=fold_key), performance)

    def remembered_class(self, performance: str, identifier: bytes) -> TicketClass | None:
        return self._history.remembered_class(performance, identifier)

    def occupancy(self, checkpoint: str) -> int:
        return self._history.occupancy(checkpoint) + self._board.entering(checkpoint)
