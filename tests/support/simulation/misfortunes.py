"""What goes wrong in a world when its time comes: links, cards, the server, people who lie."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from admission.scan import Direction
from admission.sync.messages import Hint
from simulation.gate import SimulatedGate
from simulation.invariants import Watched
from simulation.lan import LocalNetwork
from simulation.office import identifier_of
from simulation.plan import Fault, Plan, Trouble
from simulation.scheduler import BEGIN_MS, Scheduler
from simulation.server import Server

JUNK: Final = (b"", b"\x00", b"\xff\xfe", b"A" * 4_097, b"T9999", b"'; --", b"\xe2\x80\xae0001T")


class Misfortunes:
    """The half of a world that breaks it; the other half is `world`."""

    # what the other half has
    plan: Plan
    scheduler: Scheduler
    server: Server
    gates: list[SimulatedGate]
    watched: dict[int, Watched]
    crossings: list[Any]
    has_copies: bool
    shadow: dict[tuple[str, int], bytes]
    lan: LocalNetwork | None
    _chance: Any
    _add_gate: Any

    def _fail(self, fault: Fault) -> None:
        gate = self.gates[fault.gate]
        self.scheduler.note("fault", fault.trouble.value, fault.gate, fault.amount)
        later = self.scheduler.at
        match fault.trouble:
            case Trouble.CUT:
                self._cut([gate], fault.lasts_ms)
            case Trouble.SPLIT:
                self._cut(self.gates[::2], fault.lasts_ms)
            case Trouble.DEAF:
                gate.road.down = False
                later(fault.lasts_ms, self._reopen, gate)
            case Trouble.MUTE:
                gate.road.up = False
                later(fault.lasts_ms, self._reopen, gate)
            case Trouble.RESET:
                if gate.connection is not None:
                    gate.connection.close()
            case Trouble.KILL | Trouble.POWER:
                gate.power.steps_left = fault.amount
            case Trouble.FULL:
                self._spoil(gate, sqlite3.SQLITE_FULL, fault.lasts_ms)
            case Trouble.READ_ONLY:
                self._spoil(gate, sqlite3.SQLITE_READONLY, fault.lasts_ms)
            case Trouble.SYNC:
                gate.card.syncs_that_fail = fault.amount % 3 + 1
            case Trouble.JUMP:
                gate.machine.offset_ms += fault.amount
            case Trouble.RELAY:
                gate.arm.is_broken = True
                later(fault.lasts_ms, self._mend, gate)
            case Trouble.OLD_LIST | Trouble.BAD_LIST:
                gate.false_lists = "old" if fault.trouble is Trouble.OLD_LIST else "bad"
                if gate.is_up:
                    gate.uplink._offered.set()
            case Trouble.FLOOD:
                for place in range(40):
                    later(20 * place, self._junk, gate, place)
            case Trouble.LAN if self.lan is not None:
                self.lan.away.add(gate.place)
                later(fault.lasts_ms, self.lan.away.discard, gate.place)
            case Trouble.FALSE_HINTS:
                for place in range(30):
                    later(500 * place, self._lie, gate)
            case Trouble.CLONE | Trouble.CARD_BACK:
                self._copy_card(fault, gate)
            case _:
                self._fail_server(fault)

    def _fail_server(self, fault: Fault) -> None:
        match fault.trouble:
            case Trouble.SERVER_DOWN:
                self.server.crash(fault.lasts_ms)
            case Trouble.SERVER_BEFORE_COMMIT:
                self.server.database.cut_before_commit = True
            case Trouble.SERVER_AFTER_COMMIT:
                self.server.database.cut_after_commit = True
            case Trouble.BACKUP:
                self.server.copy()
            case Trouble.RESTORE:
                if self.server.restore(fault.lasts_ms):
                    self.shadow.clear()  # another line may come first this time

    def _copy_card(self, fault: Fault, gate: SimulatedGate) -> None:
        """Copy a card into another machine, or take an image of it and put it back later."""
        if not gate.is_up or len(self.gates) >= 2 * self.plan.gates:
            return
        self.has_copies = True
        if fault.trouble is Trouble.CLONE:
            clone = self._add_gate(gate.works_as, gate.card.image())
            clone.card.lists = dict(gate.card.lists)
            clone.card.carried = {
                name: (writer, list(pieces)) for name, (writer, pieces) in gate.card.carried.items()
            }
            own = self.watched[clone.place]
            own.rows = list(self.watched[gate.place].rows)
            clone.log = list(gate.log)
            clone.boot()
        else:
            watched = self.watched[gate.place]
            then = (list(watched.rows), list(gate.log), set(watched.pulsed))
            there = [one for one in self.crossings if one.place == gate.place]
            image = gate.card.image()
            self.scheduler.at(fault.lasts_ms, self._put_back, gate, image, then, there)

    def _put_back(self, gate: SimulatedGate, image: bytes, then: Any, there: Any) -> None:
        """Put a card back to its image: what it wrote since is where it was sent to, or nowhere."""
        if not gate.is_up:
            return
        self.scheduler.note("card put back", gate.place)
        gate.cut_off(1_000, power=True)
        gate.card.restore(image)
        watched = self.watched[gate.place]
        watched.rows, gate.log, watched.pulsed = (then[0][:], then[1][:], set(then[2]))
        watched.versions.clear()
        watched.greatest_ms = watched.kept_ms = 0
        self.crossings = [one for one in self.crossings if one.place != gate.place] + there

    def _cut(self, gates: Sequence[SimulatedGate], for_ms: int) -> None:
        for gate in gates:
            gate.road.up = gate.road.down = False
            self.scheduler.at(for_ms, self._reopen, gate)

    def _reopen(self, gate: SimulatedGate) -> None:
        gate.road.up = gate.road.down = True

    def _spoil(self, gate: SimulatedGate, code: int, for_ms: int) -> None:
        gate.card.fault = code
        self.scheduler.at(for_ms, self._mend, gate)

    def _mend(self, gate: SimulatedGate) -> None:
        gate.card.fault = None
        gate.arm.is_broken = False

    def _junk(self, gate: SimulatedGate, place: int) -> None:
        gate.present(JUNK[place % len(JUNK)], Direction.ENTRY, -1)

    def _lie(self, gate: SimulatedGate) -> None:
        """Have a gate hear of something that never was."""
        chance = self._chance
        ticket = self.plan.tickets[chance.randrange(len(self.plan.tickets))]
        row = ticket.row
        hint = Hint(
            gate="gate-11",
            journal=chance.choice(("nobody's", *(f"journal-{n}-1" for n in range(3)))),
            sequence=chance.randint(1, 60),
            checkpoint=gate.assignment.checkpoint.id,
            performance=ticket.show,
            identifier=identifier_of(ticket.show, ticket.number),
            direction=chance.choice((1, 1, 2)),
            at_ms=BEGIN_MS + self.scheduler.now_ms + chance.choice((-5_000, 0, 1 << 40)),
            ticket_class=(row.category, row.mode, row.total, row.per_day),
            withdrawn=chance.random() < 0.3,
        )
        if gate.is_up:
            gate.hinting.hear(hint)
