"""I15: a gate's answers follow from what it knew. Its journal is played again and judged again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from admission import journal
from admission.journal import Flag, Kind, Record, pending_of
from admission.passage import History, Passage, TicketKey
from admission.rules import GateConditions, judge, leaves_inside
from admission.sync.assignment import checkpoint_of
from admission.ticket import Performance, Presented, Ticket
from admission.verdict import Answer, Grant, Verdict
from appliance.holdings import HeldList
from simulation.gate import SimulatedGate
from simulation.invariants import Seen
from simulation.scheduler import BrokenError


@dataclass(slots=True)
class _ByIdentifier:
    """Lists whose tickets are presented by their identifiers, since no number is in a journal."""

    lists: dict[str, HeldList]

    @property
    def performances(self) -> Mapping[str, Performance]:
        return {name: held.performance for name, held in self.lists.items()}

    def identify(self, performance: str, number: str) -> bytes:
        """Read the identifier again; another performance has another for the number."""
        name, _, identifier = number.partition("/")
        return bytes.fromhex(identifier) if name == performance else bytes(16)

    def find(self, performance: str, identifier: bytes) -> Ticket | None:
        held = self.lists[performance]
        entry = held.entries.find(identifier)
        if entry is None:
            return None
        return Ticket(identifier, held.classes[entry.class_index], entry.state)

    def present(self, performance: str, text: str) -> Presented | None:
        return None


def i15_replays(gate: SimulatedGate, rows: Sequence[Seen]) -> int:
    """Judge every scan of a gate's journal again, by what it knew then; give how many."""
    log = list(gate.log)
    holdings = _ByIdentifier({})
    history = History()
    pending: dict[int, Passage] = {}
    judged = 0
    for place, (name, _, record) in enumerate(rows):
        while log and log[0][1] <= place:
            what, _, value = log.pop(0)
            if what == "boot":
                history, pending = _memory_of(rows[:place]), {}
                holdings = _ByIdentifier({})
            elif what == "list":
                holdings.lists[value.manifest.performance] = value
            else:
                history.correct(*value)
        if record.kind in (Kind.DENIED, Kind.GRANTED):
            judged += _judge_again(gate, record, holdings, history)
        _remember(name, record, history, pending)
    return judged


def _memory_of(rows: Sequence[Seen]) -> History:
    history = History()
    for name, _, record in rows:
        fact = journal.fact_of(name, record)
        if fact is not None:
            history.add(fact)
    return history


def _remember(name: str, record: Record, history: History, pending: dict[int, Passage]) -> None:
    """Take in what the gate itself did."""
    if record.kind == Kind.GRANTED and not record.flags & Flag.NO_SENSOR:
        pending[record.sequence] = pending_of(name, record)
        history.pend(pending[record.sequence])
    if record.refers_to in pending:
        history.take_back(pending.pop(record.refers_to))
    fact = journal.fact_of(name, record)
    if fact is not None:
        history.add(fact)


def _judge_again(
    gate: SimulatedGate, record: Record, holdings: _ByIdentifier, history: History
) -> int:
    if record.answer == Answer.MALFORMED or record.flags & Flag.OVERRIDE:
        return 0
    checkpoint = checkpoint_of(gate.assignment.checkpoint)
    missing = [name for name in checkpoint.performances if name not in holdings.lists]
    conditions = GateConditions(
        list_faults=dict.fromkeys(missing, Answer.LIST_UNTRUSTED),
        clock_trusted=not record.flags & Flag.CLOCK_SUSPECT,
    )
    text = f"{record.performance}/{record.identifier.hex()}" if record.identifier else "nobody's"
    if not record.identifier:
        text = "/" + bytes(16).hex()
    verdict = judge(
        text,
        checkpoint=checkpoint,
        direction=journal.direction_of(record.direction),
        now=journal.own_instant(record),
        holdings=holdings,
        history=history,
        conditions=conditions,
    )
    if record.flags & Flag.HINTED:
        return _i14_hints_only_tighten(gate, record, verdict, history)
    if verdict.answer.value != record.answer:
        raise BrokenError(
            "I15",
            f"{gate.name}: record {record.sequence} says {record.answer},"
            f" judged again it is {verdict.answer.value}",
        )
    return 1


def _i14_hints_only_tighten(
    gate: SimulatedGate, record: Record, verdict: Verdict, history: History
) -> int:
    """A hint makes a refusal of a grant, never anything else, and holds nobody in."""
    here = f"{gate.name}: record {record.sequence}"
    if record.kind == Kind.GRANTED and not record.flags & Flag.EXIT_POLICY:
        raise BrokenError("I14", f"{here} was granted by a hint")
    if not isinstance(verdict, Grant):
        raise BrokenError("I14", f"{here} was refused without the hint: {verdict.answer.value}")
    key = TicketKey(record.checkpoint, record.performance, record.identifier)
    rule = verdict.ticket.ticket_class.rule
    direction = journal.direction_of(record.direction)
    if leaves_inside(rule, history.use(key, None), direction):
        raise BrokenError("I14", f"{here} held somebody in")
    return 1
