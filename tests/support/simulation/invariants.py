"""I1 to I16, each a function that raises `BrokenError` with its number. Called by the world.

Those that are cheap are looked at at each step, those that need everybody's whole knowledge when
everything has healed and come to rest.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, NamedTuple

from admission import journal
from admission.journal import Flag, Kind, Record
from admission.passage import Fact, FreeCrossing, canonical
from admission.reconcile import reconcile
from admission.sync.gate_side import Row
from admission.sync.hints import HINTS_OF_A_GATE_MAX
from admission.trust.trusted_time import StoredTime
from appliance.commanding import WAITING_MAX as COMMANDS_MAX
from appliance.gate import WAITING_MAX
from appliance.lane_records import OWED_MAX
from simulation.gate import SimulatedGate
from simulation.scheduler import BrokenError, finish
from sync_server.reporting import Reporting

LAG_MS: Final = 3_000  # two messages of a live connection, a read, and the way between
RECORDS_PER_PAYLOAD: Final = 3  # its answer, its end, a turn of the arm


class Seen(NamedTuple):
    """A record that was seen on a card.

    Attributes:
        journal: id of the journal that it stands in.
        row: as it is stored, with its sequence in that journal.
        record: what it says.
    """

    journal: str
    row: Row
    record: Record


Grant = tuple[str, int]  # a journal, and the grant's sequence there


@dataclass(slots=True)
class Watched:
    """What is known of a gate's card, from looking over the gate's shoulder.

    Attributes:
        rows: every record seen on it, in order, whatever journal it stands in.
        pulsed: grants that opened the arm.
        versions: greatest list version seen in use, by performance.
        now_ms: trusted time when it was last looked at.
        greatest_ms: greatest signed time heard since the start, or kept before it.
        kept_ms: greatest signed time that was written down.
        heard_time: a signed time was heard since it was last looked at.
    """

    rows: list[Seen] = field(default_factory=list)
    pulsed: set[Grant] = field(default_factory=set)
    versions: dict[str, int] = field(default_factory=dict)
    now_ms: int = 0
    greatest_ms: int = 0
    kept_ms: int = 0
    heard_time: bool = False

    @property
    def head(self) -> int:
        """How far the card was looked at."""
        return len(self.rows)


def digest(blob: bytes) -> bytes:
    """Stand for a record."""
    return hashlib.sha256(blob).digest()[:8]


def require(holds: bool, number: str, text: str) -> None:
    """Raise unless something holds."""
    if not holds:
        raise BrokenError(number, text)


def i1_durable_before_open(gate: SimulatedGate, watched: Watched) -> Record:
    """Each pulse has its grant in the journal, and each grant one pulse at the most."""
    rows = gate.card.rows(
        "SELECT blob FROM journal WHERE kind = ? ORDER BY sequence DESC LIMIT 1", int(Kind.GRANTED)
    )
    require(bool(rows), "I1", f"{gate.name} opens and has no grant on its card")
    record = journal.decode(rows[0][0])
    grant = (gate.journal.id, record.sequence)
    require(grant not in watched.pulsed, "I1", f"{gate.name} opens again on grant {grant}")
    watched.pulsed.add(grant)
    return record


def i1_nothing_written_is_lost(gate: SimulatedGate, watched: Watched) -> None:
    """What was on the card before a cut is there after it."""
    if not watched.rows:
        return
    found = gate.card.rows("SELECT chain FROM journal WHERE sequence = ?", watched.head)
    require(
        found == [(watched.rows[-1].row.chain,)],
        "I1",
        f"{gate.name} has lost what it had written up to {watched.head}",
    )


def i2_gap_free(gate: SimulatedGate, watched: Watched, seen: Seen) -> None:
    """A journal is 1 to n without a gap, each record chained to the one before."""
    last = watched.rows[-1] if watched.rows else None
    before = Row(0, journal.genesis(seen.journal), b"")
    if last is not None and last.journal == seen.journal:
        before = last.row
    row, previous = seen.row, before.chain
    says = seen.record.sequence
    is_next = row.sequence == says == before.sequence + 1
    require(is_next, "I2", f"{gate.name}: {row.sequence} follows {before.sequence}")
    chained = hashlib.sha256(previous + row.blob).digest()
    require(row.chain == chained, "I2", f"{gate.name}: chain broken at {row.sequence}")


def i3_clock_rises(gate: SimulatedGate, watched: Watched, record: Record) -> None:
    """The hybrid clock rises strictly, and takes nothing over from others' facts."""
    before = watched.rows[-1].record.hlc if watched.rows else 0
    require(record.hlc > before, "I3", f"{gate.name}: HLC did not rise at {record.sequence}")
    own = max(before + 1, record.wall_ms << 16)
    require(
        record.hlc == own, "I3", f"{gate.name}: HLC of {record.sequence} is not its own clock's"
    )


def i4_acknowledged_is_held(world: Any, journal_id: str, head: int, chain: bytes) -> None:
    """What the server acknowledges it holds, durably, all of it."""
    rows = world.server.database.rows(
        "SELECT sequence, chain FROM journal_records WHERE journal_id = ? AND sequence <= ? "
        "ORDER BY sequence",
        journal_id,
        head,
    )
    require(len(rows) == head, "I4", f"{journal_id}: {head} acknowledged, {len(rows)} held")
    require(
        not rows or bytes(rows[-1][1]) == chain, "I4", f"{journal_id}: acknowledged another chain"
    )


def i4_nothing_lost(world: Any) -> None:
    """After healing the server has every record of every card, byte for byte."""
    held = world.held_records()
    for gate in world.gates:
        watched = world.watched[gate.place]
        for seen in watched.rows:
            require(
                digest(seen.row.blob) in held.get((seen.journal, seen.row.sequence), ()),
                "I4",
                f"{gate.name}: {seen.row.sequence} of {seen.journal} is not at the server",
            )


def i5_no_double(world: Any) -> None:
    """A feed has each fact once, and its numbers have no gap."""
    rows = world.server.database.rows(
        "SELECT stream, COUNT(*), MAX(number), COUNT(DISTINCT number), MIN(number) FROM ("
        "SELECT feed_stream AS stream, feed_number AS number FROM facts "
        "UNION ALL SELECT stream, number FROM feed_repeats) GROUP BY stream"
    )
    for stream, count, last, numbers, first in rows:
        require(
            (count, count, 1) == (last, numbers, first),
            "I5",
            f"feed {stream}: {count} items with {numbers} numbers, from {first} to {last}",
        )
    twice = world.server.database.rows(
        "SELECT journal_id, refers_to FROM facts WHERE refers_to > 0 "
        "GROUP BY journal_id, refers_to, variant HAVING COUNT(*) > 1"
    )
    require(not twice, "I5", f"one grant, two passages: {twice}")


def i6_no_overwrite(world: Any, journal_id: str, first: int, last: int) -> None:
    """One (journal, sequence) never changes its content at the server."""
    rows = world.server.database.rows(
        "SELECT sequence, blob FROM journal_records WHERE journal_id = ? "
        "AND sequence BETWEEN ? AND ?",
        journal_id,
        first,
        last,
    )
    for sequence, blob in rows:
        known = world.shadow.setdefault((journal_id, sequence), digest(blob))
        require(known == digest(blob), "I6", f"{journal_id}: record {sequence} was overwritten")


def i6_forks_are_real(world: Any) -> None:
    """A fork is reported where a card was copied or put back, and nowhere else."""
    forked = world.server.database.rows("SELECT id FROM journals WHERE forked")
    if not world.has_copies:
        require(not forked, "I6", f"honest journals are called forked: {forked}")


def i7_convergence(world: Any) -> None:
    """After healing every gate knows exactly the facts of its performances."""
    facts = world.server_facts()
    for gate in world.gates:
        expected = Counter(
            canonical(fact) + f"/{fact.gate}/{fact.sequence}".encode()
            for stream in gate.assignment.performances
            for fact in facts.get(stream, {}).values()
        )
        facts_known = [*gate.history, *_free(gate.history._known.values())]
        known = Counter(
            canonical(fact) + f"/{fact.gate}/{fact.sequence}".encode() for fact in facts_known
        )
        missing, surplus = expected - known, known - expected
        if world.server.restores and world.has_copies:
            surplus = Counter()  # where a card and the server go back, others alone may know of it
        if world.server.restores:  # an operator's reset after the backup is in no journal but its
            surplus = Counter({one: n for one, n in surplus.items() if b"/server/" not in one})
        if world.has_copies:  # what a card that was put back had told its neighbours, they hand on
            carried = tuple(f"/{name}/".encode() for name in gate.card.carried)
            surplus = Counter(
                {one: n for one, n in surplus.items() if not any(name in one for name in carried)}
            )
        require(not missing, "I7", f"{gate.name} does not know {sorted(missing)[:3]}")
        require(not surplus, "I7", f"{gate.name} believes {sorted(surplus)[:3]}, nobody else does")


def _free(facts: Iterable[Fact]) -> Iterable[Fact]:
    return (fact for fact in facts if isinstance(fact, FreeCrossing))


def i8_exact_report(world: Any) -> None:
    """The stored report is the fold of all known facts from scratch, in any order."""
    stored = finish(Reporting(world.server.database, world.server).rules("root"))  # type: ignore[arg-type]
    facts = [fact for stream in world.server_facts().values() for fact in stream.values()]
    Random(len(facts)).shuffle(facts)
    performances, checkpoints, tickets = world.listed()
    expected = reconcile(performances, checkpoints, tickets, facts + facts[: len(facts) // 2])
    anomalies = [(one.passage.gate, one.passage.sequence, one.reason) for one in expected.anomalies]
    found = [(one.gate, one.sequence, one.reason) for one in stored.anomalies]
    require(found == anomalies, "I8", f"anomalies {found[:5]}…, from scratch {anomalies[:5]}…")
    require(stored.occupancy == dict(expected.occupancy), "I8", "occupancy differs")
    require(stored.attendance == dict(expected.attendance), "I8", "attendance differs")
    world.figures["anomalies"] = len(found)


def i9_copies_are_noticed(world: Any) -> None:
    """Where two cards wrote one journal, the server says so."""
    for journal_id in sorted(
        {name for (name, _), found in world.held_records().items() if len(found) > 1}
    ):
        forked = world.server.database.rows("SELECT forked FROM journals WHERE id = ?", journal_id)
        require(forked == [(1,)], "I9", f"nobody noticed that {journal_id} was written twice")


def i10_feed_is_complete(world: Any, gate: SimulatedGate) -> None:
    """A reader at cursor n has every item up to n."""
    ((numbering,),) = world.server.database.rows("SELECT name FROM feed_numbering")
    applied = gate.uplink._feeds._applied
    if applied is None:
        return
    for stream, cursor in applied.by_numbering.get(numbering, {}).items():
        rows = world.server.database.rows(
            "SELECT journal_id, sequence, variant FROM facts "
            "WHERE feed_stream = ? AND feed_number <= ?",
            stream,
            cursor,
        )
        missing = [
            (name, sequence)
            for name, sequence, variant in rows
            if not _is_known(gate, name, sequence, variant)
        ]
        require(
            not missing, "I10", f"{gate.name} is at {cursor} of {stream}, without {missing[:3]}"
        )


def _is_known(gate: SimulatedGate, name: str, sequence: int, variant: int) -> bool:
    """Tell whether a fact is known; another card's in our own journal has a variant of its own."""
    known = gate.history._known
    return (name, sequence, variant) in known or (
        gate.journal.is_own(name)
        and ((name, sequence, -1 - variant) in known or (name, sequence, 0) in known)
    )


def i11_lists_never_go_back(gate: SimulatedGate, watched: Watched) -> None:
    """The version of an installed list never goes down."""
    for name, version in gate.holdings.versions.items():
        before = watched.versions.get(name, 0)
        require(version >= before, "I11", f"{gate.name}: {name} went from {before} to {version}")
        watched.versions[name] = version


def i11_time_survives_a_start(gate: SimulatedGate, watched: Watched) -> None:
    """A start knows that it is later than all that was written or signed before it."""
    stored = finish(gate.memory.signed_time())
    sequence = 0 if stored is None or stored.sequence > gate.journal.head else stored.sequence
    later = [
        seen.record
        for seen in watched.rows
        if seen.journal == gate.journal.id
        and seen.row.sequence > sequence
        and not _was_set_right(seen.record, stored)
    ]
    watched.now_ms = max((record.trusted_ms for record in later), default=0)
    watched.heard_time = False
    watched.greatest_ms = watched.kept_ms  # what was cut off while it was written counts no more
    i11_time_never_goes_back(gate, watched)


def _was_set_right(record: Record, stored: StoredTime | None) -> bool:
    """Tell whether a signed time was heard after a record's moment: it may have been ahead."""
    return (
        stored is not None and record.boot_id == stored.boot_id and record.boot_ms <= stored.boot_ms
    )


def i11_time_never_goes_back(gate: SimulatedGate, watched: Watched) -> None:
    """Trusted time goes back by a signed time only, and never below one."""
    now_ms = gate.clock.look().now_ms
    if not watched.heard_time:
        before = watched.now_ms
        require(now_ms >= before, "I11", f"{gate.name}: time went back by {before - now_ms} ms")
    require(
        now_ms >= watched.greatest_ms, "I11", f"{gate.name}: time is before one that was signed"
    )
    watched.now_ms, watched.heard_time = now_ms, False


def i12_lists_are_authentic(world: Any, gate: SimulatedGate, name: str) -> None:
    """What a gate judges by is what was signed, whatever it was handed."""
    held = gate.holdings.get(name)
    if held is None:
        return
    genuine = world.server.lists.all[name][held.manifest.version - 1]
    require(held.manifest == genuine.manifest, "I12", f"{gate.name}: {name} was never signed so")
    for number, state in world.states_of(name, held.manifest.version).items():
        ticket = gate.holdings.find(name, gate.holdings.identify(name, number))
        require(
            ticket is not None and ticket.state is state,
            "I12",
            f"{gate.name}: {name} says otherwise of a ticket than what was signed",
        )


def i13_connected_gates_keep_up(
    gate: SimulatedGate, connection: object, stream: str, number: int, is_fetching: bool
) -> None:
    """A gate whose live connection stands knows a committed fact within the bound."""
    is_same = gate.is_up and gate.connection is connection and gate.connection is not None
    if not is_same or gate.connection.is_silent or not gate.connection.is_open:  # type: ignore[union-attr]
        return
    if is_fetching or not (gate.road.up and gate.road.down):
        return
    cursor = gate.uplink._feeds.cursors.get(stream)
    if cursor is None:
        return
    require(cursor >= number, "I13", f"{gate.name} stands at {cursor} of {stream}, not {number}")


def i16_bounded(gate: SimulatedGate, watched: Watched) -> None:
    """Nothing grows with what people or the network do but the journal, and that in step."""
    require(len(gate.gate._waiting) <= WAITING_MAX, "I16", f"{gate.name}: codes pile up")
    require(len(gate.lane.records._owed) <= OWED_MAX, "I16", f"{gate.name}: what is owed piles up")
    require(len(gate.lane._deadlines) <= COMMANDS_MAX, "I16", f"{gate.name}: deadlines pile up")
    require(len(gate.hinting.board) <= HINTS_OF_A_GATE_MAX * 12, "I16", "hints pile up")
    require(len(gate._tasks) <= 6, "I16", f"{gate.name}: {len(gate._tasks)} tasks on the link")
    require(len(gate.clock.steps) <= 2, "I16", f"{gate.name}: steps of the clock pile up")


def audit_of_a_card(world: Any, gate: SimulatedGate) -> None:
    """What the arm let through stands in the journal, each once, and nothing else does."""
    watched = world.watched[gate.place]
    ends: dict[Grant, list[Record]] = {}
    for seen in watched.rows:
        record = seen.record
        if record.refers_to and record.kind in (Kind.PASSED, Kind.NOT_PASSED):
            ends.setdefault((seen.journal, record.refers_to), []).append(record)
    grants = {
        (seen.journal, seen.row.sequence)
        for seen in watched.rows
        if seen.record.kind == Kind.GRANTED
    }
    crossed = {one.grant for one in world.crossings if one.place == gate.place}
    pending = None
    if gate.lane.is_busy and gate.lane._grant is not None:
        pending = (gate.journal.id, gate.lane._grant.sequence)
    for grant in sorted(grants):
        own = ends.get(grant, [])
        if not own and grant == pending:
            continue
        require(len(own) == 1, "audit", f"{gate.name}: grant {grant} ended {len(own)} times")
        is_passage = own[0].kind == Kind.PASSED
        unknown = own[0].flags & (Flag.UNRESOLVED | Flag.NO_SENSOR)
        if grant in crossed:
            require(is_passage, "audit", f"{gate.name}: somebody passed on {grant}, unrecorded")
        elif not unknown and grant in watched.pulsed:
            require(not is_passage, "audit", f"{gate.name}: nobody passed on {grant}, recorded")
    missing = crossed - grants
    require(
        not missing, "audit", f"{gate.name}: people passed on {sorted(missing)}, without a grant"
    )


def audit_of_the_record(world: Any) -> None:
    """The merged record has exactly the passages that the arms let through."""
    rows = world.server.database.rows(
        "SELECT journal_id, sequence, variant FROM facts WHERE kind = 'passage'"
    )
    recorded = {(journal_id, sequence) for journal_id, sequence, _ in rows}
    on_cards = set()
    for gate in world.gates:
        watched = world.watched[gate.place]
        on_cards |= {
            (seen.journal, seen.row.sequence)
            for seen in watched.rows
            if seen.record.kind == Kind.PASSED
        }
    missing = on_cards - recorded
    require(not missing, "audit", f"the record lacks {sorted(missing)[:3]}")
    if not world.has_copies:
        surplus = recorded - on_cards
        require(not surplus, "audit", f"the record has {sorted(surplus)[:3]} that nobody wrote")
    world.figures["passages"] = len(recorded)
