"""The local network of the venue: hints by datagram, and others' journals, without the server.

What a gate asks of whom, and the proofs, have tests of their own; here a gate reads its neighbours'
journals as if all were proven, chains included; what they mean to it, `appliance.peer_facts` says.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from admission.sync.messages import Hint
from simulation.scheduler import Scheduler

if TYPE_CHECKING:
    from simulation.gate import SimulatedGate

ROUND_MS: Final = 3_000
LOST: Final = 0.05
PIECE_RECORDS: Final = 50
_ROWS: Final = (
    "SELECT chain, blob FROM journal WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?"
)


class LanLane:
    """Takes one gate's hints to the others: `link_ports.HintLane`."""

    def __init__(self, lan: "LocalNetwork", gate: "SimulatedGate") -> None:
        self._lan = lan
        self._gate = gate

    def offer(self, message: Hint) -> None:
        """Send it to everybody; it arrives, or it does not."""
        self._lan.shout(self._gate, message)


class LocalNetwork:
    """Who is in reach of whom without the server.

    Attributes:
        away: places of gates that are cut off from it.
    """

    def __init__(self, scheduler: Scheduler, gates: Sequence["SimulatedGate"]) -> None:
        self.away: set[int] = set()
        self._scheduler = scheduler
        self._gates = gates
        self._chance = scheduler.chance("lan")
        scheduler.at(ROUND_MS, self._round)

    def _near(self, gate: "SimulatedGate") -> list["SimulatedGate"]:
        if gate.place in self.away or not gate.is_up:
            return []
        return [
            other
            for other in self._gates
            if other is not gate and other.is_up and other.place not in self.away
        ]

    def shout(self, gate: "SimulatedGate", hint: Hint) -> None:
        """Carry a hint to everybody near."""
        for other in self._near(gate):
            if self._chance.random() >= LOST:
                self._scheduler.at(self._chance.randint(1, 20), self._hear, other, hint)

    def _hear(self, other: "SimulatedGate", hint: Hint) -> None:
        if other.is_up:
            other.hinting.hear(hint)

    def _round(self) -> None:
        for gate in self._gates:
            near = self._near(gate)
            if near and gate.card.fault is None and not gate.database.fault:
                self._exchange(gate, self._chance.choice(near))
        self._scheduler.at(ROUND_MS, self._round)

    def _exchange(self, gate: "SimulatedGate", other: "SimulatedGate") -> None:
        """Have a gate take what another has written, and what that one carries."""
        if not other.card.is_in_doubt:
            base, head = other.journal.current.base, other.journal.head
            for one in (*other.journal.former, other.journal.current):
                first = one.base
                last = base + head if one.head is None else one.base + one.head
                held = len(gate.card.carried.get(one.id, (other.name, []))[1])
                found = other.card.rows(_ROWS, first + held, last, PIECE_RECORDS)
                self._take(gate, one.id, other.name, self._before(other, first, held), found)
        for name, (writer, pieces) in list(other.card.carried.items()):
            held = len(gate.card.carried.get(name, (writer, []))[1])
            before = pieces[held - 1][0] if 0 < held <= len(pieces) else None
            self._take(gate, name, writer, before, pieces[held : held + PIECE_RECORDS])

    def _before(self, other: "SimulatedGate", first: int, held: int) -> bytes | None:
        rows = other.card.rows("SELECT chain FROM journal WHERE sequence = ?", first + held)
        return rows[0][0] if held and rows else None

    def _take(
        self,
        gate: "SimulatedGate",
        name: str,
        writer: str,
        before: bytes | None,
        pieces: Sequence[Any],
    ) -> None:
        """Keep what continues what is held, and learn from it; another line is not taken."""
        if not pieces or gate.journal.is_own(name):
            return
        held = gate.card.carried.setdefault(name, (writer, []))[1]
        if held and held[-1][0] != before:
            return
        held += [(chain, blob) for chain, blob in pieces]
        gate.peer_facts.learn(name, writer, [blob for _, blob in pieces])
        self._scheduler.note("carries", gate.place, name, len(held))
