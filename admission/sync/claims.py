"""Tickets that gates hold while their journals are on the way: the server's table. No clock.

A claim is held from before the facts are looked up until facts tell what became of it. So at every
instant a ticket that some gate was granted is in the table, or in the facts, or in both; of two
gates that claim one ticket the second finds the first here, whatever the order of everything else.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from admission import journal
from admission.errors import JournalError, RemoteProtocolError
from admission.journal import Kind, Record
from admission.passage import Passage, TicketKey
from admission.sync.hints import HINT_S_MAX
from admission.sync.messages import Claim, Hint

CLAIM_S_HELD: Final = HINT_S_MAX  # as long as the gates themselves remember a grant
HELD_OF_A_GATE_MAX: Final = 256
HELD_MAX: Final = 16_384
_MS: Final = 1000
_ENDS: Final = (Kind.PASSED, Kind.NOT_PASSED)


class _Name(NamedTuple):
    gate: str
    key: TicketKey
    at_ms: int  # moment of the scan: the claim, the hint and the journal all say it


class _Held(NamedTuple):
    passage: Passage
    since_ms: int


class ClaimTable:
    """What gates hold. A gate that holds too much loses its oldest; then everybody does.

    Attributes:
        dropped: what had to make room.
    """

    def __init__(self) -> None:
        """Begin with nothing held."""
        self.dropped = 0
        self._held: dict[_Name, _Held] = {}  # the oldest first
        self._of_gate: dict[str, dict[_Name, None]] = {}
        self._of_ticket: dict[TicketKey, dict[_Name, None]] = {}

    def __len__(self) -> int:
        """Give how much is held."""
        return len(self._held)

    def claim(self, gate: str, claim: Claim, now_ms: int) -> tuple[Passage, ...]:
        """Hold a ticket for a gate; give what other gates hold of it.

        What the gate itself holds of it counts for nothing here: of its own grants it knows best.

        Args:
            gate: id of the gate.
            claim: what it asks.
            now_ms: on a clock that never steps.

        Raises:
            RemoteProtocolError: if the claim cannot be read.
        """
        self._expire(now_ms)
        name = _Name(gate, key_of_claim(claim), claim.at_ms)
        passage = _passage(gate, claim.number, claim)
        others = tuple(
            self._held[other].passage
            for other in self._of_ticket.get(name.key, ())
            if other.gate != gate
        )
        self._put(name, _Held(passage, now_ms))
        return others

    def release(self, gate: str, claim: Claim) -> None:
        """Hold a ticket no longer: the gate was refused."""
        self._drop(_Name(gate, key_of_claim(claim), claim.at_ms))

    def hear(self, hint: Hint, now_ms: int) -> None:
        """Hold what a gate has granted, whether it claimed it or not; or release what it took back.

        Raises:
            RemoteProtocolError: if the hint cannot be read.
        """
        self._expire(now_ms)
        key = TicketKey(hint.checkpoint, hint.performance, hint.identifier)
        name = _Name(hint.gate, key, hint.at_ms)
        if hint.withdrawn:
            self._drop(name)
        elif name not in self._held:
            self._put(name, _Held(_passage(hint.gate, hint.sequence, hint), now_ms))

    def holds(self, gate: str) -> bool:
        """Tell whether anything is held for a gate."""
        return gate in self._of_gate

    def settle(self, gate: str, records: Iterable[Record]) -> None:
        """Release what a gate's journal has told the end of; after its facts are stored."""
        for record in records:
            if record.kind in _ENDS:
                key = TicketKey(record.checkpoint, record.performance, record.identifier)
                self._drop(_Name(gate, key, record.trusted_ms or record.wall_ms))

    def _put(self, name: _Name, held: _Held) -> None:
        self._drop(name)
        self._held[name] = held
        self._of_gate.setdefault(name.gate, {})[name] = None
        self._of_ticket.setdefault(name.key, {})[name] = None
        while len(self._of_gate[name.gate]) > HELD_OF_A_GATE_MAX:
            self._drop(next(iter(self._of_gate[name.gate])))
            self.dropped += 1
        while len(self._held) > HELD_MAX:
            self._drop(next(iter(self._held)))
            self.dropped += 1

    def _drop(self, name: _Name) -> None:
        if self._held.pop(name, None) is None:
            return
        del self._of_gate[name.gate][name]
        if not self._of_gate[name.gate]:
            del self._of_gate[name.gate]
        del self._of_ticket[name.key][name]
        if not self._of_ticket[name.key]:
            del self._of_ticket[name.key]

    def _expire(self, now_ms: int) -> None:
        since_ms = now_ms - round(CLAIM_S_HELD * _MS)
        while self._held:
            name, oldest = next(iter(self._held.items()))
            if oldest.since_ms > since_ms:
                return
            self._drop(name)


def key_of_claim(claim: Claim) -> TicketKey:
    """Give the key that a claimed ticket counts under."""
    return TicketKey(claim.checkpoint, claim.performance, claim.identifier)


def _passage(gate: str, sequence: int, said: Claim | Hint) -> Passage:
    try:
        return Passage(
            gate=gate,
            sequence=sequence,
            at=journal.instant(said.at_ms),
            checkpoint=said.checkpoint,
            performance=said.performance or None,
            identifier=said.identifier,
            direction=journal.direction_of(said.direction),
        )
    except JournalError as exc:
        raise RemoteProtocolError(f"claim or hint {sequence} of {gate}: {exc}") from exc
