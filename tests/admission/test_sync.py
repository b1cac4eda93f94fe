"""Journals on their way to the server: both sides back to back, over a link that loses things."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admission import journal
from admission.errors import LocalProtocolError, RemoteProtocolError
from admission.journal import Kind, Record
from admission.limits import JOURNAL_BATCH_RECORDS_MAX
from admission.sync import codec
from admission.sync.gate_side import AckUpTo, CompareChain, Fork, Row, Uploader
from admission.sync.messages import Ack, Batch, Malformed, Moment
from admission.sync.server_side import Head, take_in

half = settings(max_examples=settings.default.max_examples // 2)  # of what the profile says

SENT = Moment(1_784_030_400_000, 5_000, bytes(16))
GENESIS = journal.genesis("j")


def blob_of(sequence, text=""):
    return journal.encode(
        Record(
            kind=Kind.BOOT,
            sequence=sequence,
            wall_ms=sequence,
            boot_ms=0,
            boot_id=b"",
            detail={"text": text},
        )
    )


class Card:
    """A gate's memory card: its journal and how far it was acknowledged, both durable."""

    def __init__(self, rows=(), acked=0):
        self.rows = list(rows)
        self.acked = acked

    def write(self, count=1, text=""):
        for _ in range(count):
            self.put(blob_of(len(self.rows) + 1, text))
        return self

    def put(self, blob):
        self.rows.append(Row(len(self.rows) + 1, journal.chain(self.chain_at(None), blob), blob))

    def chain_at(self, sequence):
        place = len(self.rows) if sequence is None else sequence
        if place > len(self.rows):
            return None
        return self.rows[place - 1].chain if place else GENESIS

    def copy(self):
        return Card(self.rows, self.acked)


class Gate:
    """The shell around an uploader; starting it anew forgets what is not on the card."""

    def __init__(self, card):
        self.card = card
        self.start()

    def start(self):
        self.uploader = Uploader("j", self.card.acked, self.card.chain_at(self.card.acked))

    def batch(self, size=JOURNAL_BATCH_RECORDS_MAX):
        first = self.uploader.acked
        return self.uploader.next_batch(self.card.rows[first : first + size], SENT)

    def receive(self, ack):
        """Do what a shell does with an answer; `acked` on the card is written last."""
        answer = self.uploader.receive(ack)
        if isinstance(answer, CompareChain):
            own = self.card.chain_at(answer.sequence)
            answer = self.uploader.compared(answer, own)
        if isinstance(answer, AckUpTo):
            self.card.acked = answer.sequence
        return answer


class Server:
    """The shell around `take_in`: what it stored, and what it keeps aside."""

    def __init__(self):
        self.rows = []
        self.aside = []
        self.malformed = []

    @property
    def head(self):
        return Head(len(self.rows), self.rows[-1].chain if self.rows else GENESIS)

    def take(self, batch):
        batch = codec.decode(codec.encode(batch), Batch)
        span = range(batch.first - 1, batch.first + len(batch.blobs))
        stored = {row.sequence: row.chain for row in self.rows if row.sequence in span}
        aside = {}
        for row in self.aside:
            aside.setdefault(row.sequence, set()).add(row.chain)
        intake = take_in(batch, self.head, stored, aside)
        self.rows += [new.row for new in intake.records]
        self.aside += intake.forked
        self.malformed += intake.malformed
        assert intake.head == self.head
        return codec.decode(codec.encode(intake.answer(batch.journal, 0)), Ack)


def settle(gate, server):
    """Let everything through until nothing is left to send."""
    for _ in range(100):
        batch = gate.batch()
        if batch is None:
            return None
        answer = gate.receive(server.take(batch))
        if isinstance(answer, Fork):
            return answer
    raise AssertionError("the upload does not come to an end")


# --- the ordinary course ----------------------------------------------------------------------


def test_a_journal_arrives_whole_and_is_acknowledged():
    gate, server = Gate(Card().write(5)), Server()
    batch = gate.batch(3)
    assert gate.receive(server.take(batch)) == AckUpTo(3, gate.card.chain_at(3))
    settle(gate, server)
    assert server.rows == gate.card.rows
    assert gate.card.acked == 5


def test_there_is_no_batch_where_there_is_nothing_to_send():
    assert Gate(Card()).batch() is None
    assert Gate(Card().write(2)).batch(0) is None


def test_a_batch_is_no_longer_than_its_limit():
    gate = Gate(Card().write(JOURNAL_BATCH_RECORDS_MAX + 1))
    batch = gate.uploader.next_batch(gate.card.rows, SENT)
    assert len(batch.blobs) == JOURNAL_BATCH_RECORDS_MAX


def test_one_batch_is_under_way_at_a_time():
    gate = Gate(Card().write(2))
    assert gate.batch(1) is not None
    with pytest.raises(LocalProtocolError, match="under way"):
        gate.batch(1)
    gate.uploader.lost()
    assert gate.batch(1) is not None


def test_records_with_a_gap_are_a_fault_of_our_own():
    gate = Gate(Card().write(4))
    for rows in (gate.card.rows[1:], [gate.card.rows[0], gate.card.rows[2]]):
        with pytest.raises(LocalProtocolError, match="without a gap"):
            gate.uploader.next_batch(rows, SENT)


def test_an_answer_about_another_journal_is_a_fault_of_the_other_side():
    gate, server = Gate(Card().write(1)), Server()
    ack = server.take(gate.batch())
    with pytest.raises(RemoteProtocolError, match="journal k"):
        gate.uploader.receive(msgspec.structs.replace(ack, journal="k"))


def test_an_empty_batch_asks_where_the_server_stands():
    gate, server = Gate(Card().write(3)), Server()
    settle(gate, server)
    ask = Batch("j", 4, gate.card.chain_at(3), [], SENT)
    chain = gate.card.chain_at(3)
    assert server.take(ask) == Ack("j", 3, chain, 0, held=3, held_chain=chain)


# --- what an answer is worth ------------------------------------------------------------------


def test_an_acknowledgement_with_another_chain_is_compared_and_never_believed():
    gate = Gate(Card().write(3))
    gate.batch()
    answer = gate.receive(Ack("j", 3, bytes(32), 0))
    assert answer == Fork(3)
    assert gate.card.acked == 0


def test_an_acknowledgement_beyond_the_journal_is_a_fork():
    gate = Gate(Card().write(3))
    gate.batch()
    assert gate.receive(Ack("j", 9, bytes(32), 0)) == Fork(9)


@pytest.mark.parametrize("conflict", [True, False])
def test_a_server_that_takes_nothing_of_what_follows_is_not_asked_again_at_once(conflict):
    gate, server = Gate(Card().write(2)), Server()
    settle(gate, server)
    gate.card.write(1)
    gate.batch()
    with pytest.raises(RemoteProtocolError, match="nothing of what follows 2"):
        gate.receive(Ack("j", 2, gate.card.chain_at(2), 0, conflict))
    assert gate.card.acked == 2
    settle(gate, server)
    assert server.rows == gate.card.rows


def test_after_a_fork_the_upload_goes_on_by_what_is_held_of_its_own_line():
    gate = Gate(Card().write(3))
    gate.batch()
    gate.receive(Ack("j", 3, bytes(32), 0))
    assert gate.uploader.forked_at == 3
    gate.batch(2)
    held = gate.card.chain_at(2)
    assert gate.receive(Ack("j", 9, bytes(32), 0, True, [], 2, held)) == AckUpTo(2, held)
    assert gate.batch().first == 3


def test_an_answer_that_was_lost_is_made_good_by_the_next():
    gate, server = Gate(Card().write(3)), Server()
    server.take(gate.batch())
    gate.uploader.lost()
    gate.card.write(2)
    assert gate.receive(server.take(gate.batch(1))) == AckUpTo(3, gate.card.chain_at(3))
    settle(gate, server)
    assert server.rows == gate.card.rows


def test_a_server_that_went_back_to_an_old_backup_gets_the_rest_again():
    gate, server = Gate(Card().write(6)), Server()
    settle(gate, server)
    del server.rows[2:]
    gate.card.write(1)
    ack = server.take(gate.batch())
    assert ack.conflict
    assert gate.receive(ack) == AckUpTo(2, gate.card.chain_at(2))
    settle(gate, server)
    assert server.rows == gate.card.rows
    assert server.aside == []


# --- the simulation ---------------------------------------------------------------------------

acts = st.lists(
    st.tuples(
        st.sampled_from(
            (
                "arrives",
                "arrives",
                "request lost",
                "answer lost",
                "arrives twice",
                "late copy",
                "gate restarts before it is noted",
                "gate restarts",
                "server restarts",
            )
        ),
        st.integers(0, 3),
        st.integers(1, 4),
    ),
    max_size=25,
)


@half
@given(acts)
def test_whatever_is_lost_doubled_or_restarted_the_server_ends_with_exactly_the_journal(drawn):
    gate, server, copies = Gate(Card()), Server(), []
    for act, written, size in drawn:
        gate.card.write(written)
        batch = gate.batch(size)
        if batch is None:
            continue
        copies.append(batch)
        answer = None
        if act == "server restarts":
            head = Server()
            head.rows, server = server.rows, head  # nothing but what is stored survives
        if act == "late copy":
            server.take(copies[0])
        if act not in ("request lost", "gate restarts"):
            answer = server.take(batch)
        if act == "arrives twice":
            answer = server.take(batch)
        if act.startswith("gate restarts"):
            gate.start()
        elif answer is None or act == "answer lost":
            gate.uploader.lost()
        else:
            assert isinstance(gate.receive(answer), AckUpTo)
        assert gate.card.acked <= len(server.rows)
        assert server.rows == gate.card.rows[: len(server.rows)]
    assert settle(gate, server) is None
    assert server.rows == gate.card.rows
    assert gate.card.acked == len(gate.card.rows)
    assert (server.aside, server.malformed) == ([], [])


# --- copies and forgeries ---------------------------------------------------------------------


def test_a_copied_card_that_goes_its_own_way_is_a_fork_and_overwrites_nothing():
    card = Card().write(3)
    server = Server()
    settle(Gate(card), server)
    copied = card.copy().write(2, "copy")
    settle(Gate(card.write(3)), server)
    stored = list(server.rows)
    other = Gate(copied)
    ack = server.take(other.batch())
    assert ack.conflict
    assert other.receive(ack) == Fork(6)
    assert server.rows == stored == card.rows
    assert [row.sequence for row in server.aside] == [4, 5]
    assert server.aside == copied.rows[3:]


def test_a_copied_card_that_is_ahead_of_the_original_makes_the_original_the_fork():
    card = Card().write(3)
    server = Server()
    settle(Gate(card), server)
    copied = card.copy().write(2, "copy")
    settle(Gate(copied), server)
    original = Gate(card.write(1))
    assert original.receive(server.take(original.batch())) == Fork(5)
    assert server.rows == copied.rows
    assert server.aside == card.rows[3:]


def test_a_card_that_went_back_in_time_is_a_fork_at_its_next_upload():
    card = Card().write(2)
    old = card.copy()
    server = Server()
    settle(Gate(card.write(3)), server)
    old.acked = 0
    assert settle(Gate(old), server) == Fork(5)
    assert server.aside == []  # what it has is true; it is only too little
    assert server.rows == card.rows


def test_another_beginning_of_the_same_journal_is_a_fork():
    server = Server()
    settle(Gate(Card().write(3)), server)
    stored = list(server.rows)
    forged = Gate(Card().write(3, "forged"))
    ack = server.take(forged.batch())
    assert ack.conflict
    assert isinstance(forged.receive(ack), Fork)
    assert server.rows == stored
    assert server.aside == forged.card.rows


@pytest.mark.parametrize("first", [2, 4])
def test_records_after_a_past_that_nobody_knows_are_not_taken_before_that_past(first):
    card = Card().write(3)
    server = Server()
    settle(Gate(card), server)
    forged = Batch("j", first, bytes(32), [blob_of(first)], SENT)
    assert server.take(forged) == Ack("j", 3, card.chain_at(3), 0, conflict=True)
    assert (server.rows, server.aside) == (card.rows, [])


def test_a_batch_beyond_what_is_stored_is_a_conflict_and_nothing_of_it_is_kept():
    server = Server()
    ack = server.take(Batch("j", 4, bytes(32), [blob_of(4)], SENT))
    assert ack == Ack("j", 0, GENESIS, 0, conflict=True)
    assert (server.rows, server.aside) == ([], [])


@half
@given(
    st.integers(0, 4),
    st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.integers(1, 3)), max_size=20),
)
def test_of_two_cards_with_one_journal_the_server_holds_one_and_loses_nothing(common, drawn):
    server = Server()
    first = Card().write(common)
    settle(Gate(first), server)
    gates = [Gate(first), Gate(first.copy())]
    sent = [[], []]
    for which, written, size in drawn:
        gate, before = gates[which], list(server.rows)
        gate.card.write(written, f"card {which}")
        if gate.uploader.forked_at is None and (batch := gate.batch(size)) is not None:
            sent[which] += gate.card.rows[batch.first - 1 : batch.first - 1 + len(batch.blobs)]
            gate.receive(server.take(batch))
        assert server.rows[: len(before)] == before  # nothing is ever overwritten
        for one in gates:
            acked = one.card.acked
            assert one.card.rows[:acked] == server.rows[:acked]
    kept = [*server.rows, *server.aside]
    assert all(row in kept for rows in sent for row in rows)


# --- records that cannot be read --------------------------------------------------------------


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\xc1 no record",
        blob_of(2).replace(b"text", b"t\xff\xfet"),
        bytes.fromhex("dc0013") + blob_of(2)[3:] + b"\x91" * 3000,
        blob_of(9),
        journal.encode(Record(kind=Kind.PASSED, sequence=2, wall_ms=0, boot_ms=0, boot_id=b"")),
        journal.encode(
            Record(kind=Kind.RESET, sequence=2, wall_ms=1 << 60, boot_ms=0, boot_id=b"")
        ),
    ],
)
def test_a_record_that_cannot_be_read_is_stored_and_reported_and_stops_no_other(hostile):
    card = Card().write(1)
    card.put(hostile)
    card.write(2)
    gate, server = Gate(card), Server()
    ack = server.take(gate.batch())
    answer = gate.receive(ack)
    assert server.rows == card.rows
    assert not ack.conflict
    assert [bad.sequence for bad in ack.malformed] == [2]
    assert answer == AckUpTo(4, card.chain_at(4), malformed=(2,))
    assert server.malformed == ack.malformed


def test_a_record_that_cannot_be_read_is_reported_once():
    card = Card()
    card.put(b"?")
    card.write(1)
    gate, server = Gate(card), Server()
    batch = gate.batch()
    server.take(batch)
    assert server.take(batch).malformed == []
    assert len(server.malformed) == 1


def test_what_is_new_comes_with_what_it_says():
    card = Card().write(1)
    card.put(b"?")
    batch = Batch("j", 1, GENESIS, [row.blob for row in card.rows], SENT)
    intake = take_in(batch, Head(0, GENESIS), {})
    assert [new.row for new in intake.records] == card.rows
    assert [new.record for new in intake.records] == [journal.decode(card.rows[0].blob), None]
    assert intake.head == Head(2, card.chain_at(2))
    chain = card.chain_at(2)
    expected = Ack("j", 2, chain, 77, held=2, held_chain=chain)
    assert replace(intake, malformed=()).answer("j", 77) == expected
    assert isinstance(intake.answer("j", 77).malformed[0], Malformed)


@half
@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(1, 3), st.booleans())
def test_hostile_records_never_stop_the_server(blobs, first, honest):
    card = Card().write(2)
    server = Server()
    settle(Gate(card), server)
    previous = card.chain_at(first - 1) if honest else bytes(32)
    ack = server.take(Batch("j", first, previous, blobs, SENT))
    assert server.rows[:2] == card.rows
    assert ack.head == len(server.rows)
