"""Whatever the network does: honest gates end with the same records, and nobody with invented ones.

The simulation of many gates over hours is elsewhere; here a few gates are driven step by step.
"""

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from admission.errors import SignatureError
from admission.sync.peer_messages import Piece, Said, decode_spoken
from appliance.simulator.box_office import BoxOffice
from paper_gates import LostError, PaperGate
from peer_lies import LIES

OFFICE = BoxOffice()
HONEST = ("a", "b", "c", "late")
WAYS = st.sampled_from(["whole", "question lost", "answer lost", "twice", "cut short", "altered"])


class AnyNetwork(RuleBasedStateMachine):
    """Three gates, one that joins late and one that lies, over any network."""

    @initialize()
    def begin(self):
        names = ("a", "b", "c", "late", "liar")
        self.gates = {name: PaperGate(name, OFFICE) for name in names}
        self.islands = dict.fromkeys(names, 0)
        self.now_s = 0.0

    def wire(self, other, way):
        gate = self.gates[other]

        def carry(raw):
            if way == "question lost":
                raise LostError
            answer = gate.answer(raw)
            if way == "twice":
                self.play_again(gate, raw)
            if way == "answer lost":
                raise LostError
            if way == "cut short":
                return answer[: len(answer) // 2]
            if way == "altered":
                return answer[:-1] + bytes([answer[-1] ^ 1])
            return answer

        return carry

    @staticmethod
    def play_again(gate, raw):
        if isinstance(decode_spoken(raw), Said):  # a greeting may be answered as often as it comes
            with pytest.raises(SignatureError):
                gate.answer(raw)

    @rule(name=st.sampled_from([*HONEST, "liar"]), count=st.integers(1, 6))
    def write(self, name, count):
        self.gates[name].write(count)

    @rule(asker=st.sampled_from(HONEST), other=st.sampled_from([*HONEST, "liar"]), way=WAYS)
    def visit(self, asker, other, way):
        if asker != other and self.islands[asker] == self.islands[other]:
            self.gates[asker].visit(other, self.wire(other, way), self.now_s)

    @rule(other=st.sampled_from(HONEST), lie=st.sampled_from([None, *LIES]))
    def let_lie(self, other, lie):
        liar = self.gates["liar"]
        liar.lies = {Piece: lambda piece: lie(piece, liar) if piece.batch else piece}
        if lie is None:
            liar.lies = {}
        if self.islands[other] == self.islands["liar"]:
            liar.visit(other, self.gates[other].answer, self.now_s)

    @rule(name=st.sampled_from(HONEST))
    def start_anew(self, name):
        self.gates[name].start()

    @rule(name=st.sampled_from([*HONEST, "liar"]), island=st.integers(0, 1))
    def move(self, name, island):
        self.islands[name] = island

    @rule(by=st.sampled_from([1.0, 100.0]))
    def let_time_go_on(self, by):
        self.now_s += by

    @invariant()
    def nobody_holds_what_was_not_written(self):
        for gate in self.gates.values():
            for name, blobs in gate.known().items():
                written = self.gates[name.removeprefix("journal-of-")]
                assert blobs == [row.blob for row in written.rows[: len(blobs)]]

    def teardown(self):
        """Heal the network: a ring of visits, each gate asking its neighbour alone."""
        self.now_s += 10_000.0
        honest = [self.gates[name] for name in HONEST]
        for _ in honest:
            for asker, other in zip(honest, honest[1:] + honest[:1], strict=True):
                asker.visit(other.name, other.answer, self.now_s)
        written = {gate.journal for gate in honest}
        known = [
            {name: blobs for name, blobs in gate.known().items() if name in written}
            for gate in honest
        ]
        assert all(one == known[0] for one in known)
        assert known[0] == {
            gate.journal: [row.blob for row in gate.rows] for gate in honest if gate.rows
        }


TestAnyNetwork = AnyNetwork.TestCase
TestAnyNetwork.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
