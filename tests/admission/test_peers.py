"""What gates of one local network believe of each other, and what they do not."""

from datetime import timedelta

import pytest

from admission.errors import (
    ListExpiredError,
    LocalProtocolError,
    RemoteProtocolError,
    SignatureError,
)
from admission.sync.messages import Hint
from admission.sync.peer import ASIDE_S, Circle, ForkProven, UnprovenError
from admission.sync.peer_messages import (
    DATAGRAM_BYTES_MAX,
    JOURNALS_MAX,
    PIECE_RECORDS_MAX,
    Grown,
    Heads,
    Hello,
    JournalHead,
    Piece,
    Said,
    Shout,
    Stranger,
    Wanted,
    Welcome,
    decode_shout,
    decode_spoken,
    encode,
)
from admission.sync.peer_proof import (
    ACQUAINTANCES_MAX,
    NotEnrolledError,
    RevokedError,
    StrangerError,
    Visitor,
    shout,
)
from admission.trust.certificate import DeviceCertificate
from appliance.simulator.box_office import BoxOffice
from paper_gates import EVENING, LostError, PaperGate
from peer_lies import (
    LIES,
    altered,
)

OFFICE = BoxOffice()


def gates(*names):
    return [PaperGate(name, OFFICE) for name in names]


def welcome_of(other):
    return encode(Welcome(other.certificate, bytes(16), 0, bytes(64)))


def acquainted(asker, other):
    visitor = Visitor(asker.own, asker.enrolment)
    visitor.welcomed(other.answer(visitor.greet(bytes(16))))
    return visitor


# --- who speaks ---------------------------------------------------------------------------------


def test_two_gates_of_one_server_prove_themselves_to_each_other():
    a, b = gates("a", "b")
    visitor = acquainted(a, b)
    assert visitor.gate == "b"
    answer = visitor.answered(b.answer(visitor.ask(Heads([]))))
    assert answer == Heads([])


def test_a_gate_that_another_server_enrolled_is_not_believed():
    (a,) = gates("a")
    stranger = PaperGate("b", OFFICE, enrolled_by=BoxOffice("somebody else"))
    with pytest.raises(SignatureError):
        a.door.welcome(Hello(stranger.certificate, bytes(16)))
    with pytest.raises(NotEnrolledError):
        Visitor(a.own, a.enrolment).welcomed(welcome_of(stranger))


def test_a_gate_whose_certificate_is_over_is_not_believed():
    a, b = gates("a", "b")
    visitor = acquainted(a, b)
    answer = b.answer(visitor.ask(Heads([])))
    a.now = EVENING + timedelta(days=4000)
    with pytest.raises(NotEnrolledError):
        visitor.answered(answer)
    with pytest.raises(NotEnrolledError):
        acquainted(a, b)
    with pytest.raises(ListExpiredError):
        a.door.welcome(Hello(b.certificate, bytes(16)))


def test_a_revoked_gate_is_not_believed_and_not_answered_any_more():
    a, b = gates("a", "b")
    visitor = acquainted(b, a)
    said = decode_spoken(visitor.ask(Heads([])))
    a.revoked = {"b"}
    with pytest.raises(RevokedError):
        a.door.question(said)
    with pytest.raises(NotEnrolledError):
        acquainted(a, b)


def test_who_shows_the_certificate_of_another_proves_nothing():
    a, b, thief = gates("a", "b", "c")
    thief.certificate = b.certificate
    with pytest.raises(SignatureError):
        acquainted(a, thief)


def test_a_welcome_counts_for_one_greeting_only():
    a, b = gates("a", "b")
    visitor = Visitor(a.own, a.enrolment)
    old = b.answer(visitor.greet(bytes(16)))
    visitor.greet(b"another question")
    with pytest.raises(SignatureError):
        visitor.welcomed(old)


def test_a_question_is_good_once():
    a, b = gates("a", "b")
    raw = acquainted(a, b).ask(Heads([]))
    b.answer(raw)
    with pytest.raises(SignatureError, match="used before"):
        b.answer(raw)


def test_a_question_to_one_gate_is_none_to_another():
    a, b, c = gates("a", "b", "c")
    raw = acquainted(a, b).ask(Heads([]))
    acquainted(a, c)
    stolen = altered(decode_spoken(raw), nonce=c.door.nonce)
    with pytest.raises(SignatureError):
        c.door.question(stolen)


def test_a_gate_that_was_started_anew_asks_for_a_greeting_first():
    a, b = gates("a", "b")
    visitor = acquainted(a, b)
    b.start()
    with pytest.raises(StrangerError):
        visitor.answered(b.answer(visitor.ask(Heads([]))))


def test_a_gate_that_was_started_anew_goes_on_from_the_counter_that_it_is_told():
    a, b = gates("a", "b")
    for _ in range(3):
        visitor = acquainted(a, b)
        visitor.answered(b.answer(visitor.ask(Heads([]))))


def test_an_answer_belongs_to_one_question():
    a, b = gates("a", "b")
    visitor = acquainted(a, b)
    old = b.answer(visitor.ask(Heads([])))
    visitor.ask(Heads([]))
    with pytest.raises(SignatureError):
        visitor.answered(old)


def test_an_altered_answer_is_none():
    a, b = gates("a", "b")
    visitor = acquainted(a, b)
    said = decode_spoken(b.answer(visitor.ask(Heads([]))))
    with pytest.raises(SignatureError):
        visitor.answered(encode(altered(said, body=encode(Heads([], port=9)))))


def test_an_older_certificate_of_a_gate_does_not_take_the_place_of_a_newer_one():
    a, b = gates("a", "b")
    newer = OFFICE.certify("b", b"n" * 32, b"x" * 32, serial=5)
    a.door.meet(a.enrolment.accept(newer))
    acquaintance = a.door.meet(a.enrolment.accept(b.certificate))
    assert acquaintance.certificate.serial == 5


def test_a_gate_knows_no_more_others_than_a_network_has():
    (a,) = gates("a")
    plain = {
        "gate_name": "",
        "device_key": a.key,
        "agreement_key": bytes(32),
        "serial": 1,
        "issued_at": EVENING,
        "not_after": EVENING + timedelta(days=1),
    }
    for number in range(ACQUAINTANCES_MAX + 1):
        a.door.meet(DeviceCertificate(gate=f"gate {number}", **plain))
    with pytest.raises(StrangerError):
        a.door.heard(Shout("gate 0", b"", bytes(64)))
    with pytest.raises(SignatureError):
        a.door.heard(Shout("gate 1", b"", bytes(64)))


@pytest.mark.parametrize(
    "answer", [encode(Stranger()), encode(Hello(b"", bytes(16))), b"", b"\xc0"]
)
def test_what_is_no_answer_is_refused(answer):
    a, b = gates("a", "b")
    visitor = acquainted(a, b)
    visitor.ask(Heads([]))
    with pytest.raises(RemoteProtocolError):
        visitor.answered(answer)
    with pytest.raises(RemoteProtocolError):
        visitor.welcomed(answer)


def test_nobody_answers_who_was_not_greeted():
    (a,) = gates("a")
    with pytest.raises(LocalProtocolError):
        Visitor(a.own, a.enrolment).answered(encode(Said("", bytes(16), 1, b"", bytes(64))))


def test_a_piece_is_no_question():
    a, b = gates("a", "b")
    with pytest.raises(RemoteProtocolError, match="not a question"):
        b.door.question(decode_spoken(acquainted(a, b).ask(Piece())))


def test_a_datagram_counts_only_from_a_gate_that_is_known():
    a, b = gates("a", "b")
    hint = Hint("a", a.journal, 1, "checkpoint", "show", b"id", 1, 0)
    raw = shout(a.own, hint)
    assert len(raw) <= DATAGRAM_BYTES_MAX
    with pytest.raises(StrangerError):
        b.door.heard(decode_shout(raw))
    acquainted(a, b)
    assert b.door.heard(decode_shout(raw)) == hint
    with pytest.raises(SignatureError):
        b.door.heard(altered(decode_shout(raw), body=encode(Grown(a.journal, 1))))


# --- what is proven -----------------------------------------------------------------------------


def test_a_gate_pulls_what_another_one_wrote_and_hands_it_on():
    a, b, c = gates("a", "b", "c")
    a.write(PIECE_RECORDS_MAX * 2 + 3)
    b.visit("a", a.answer)
    c.visit("b", b.answer)
    assert c.known() == b.known() == a.known()
    a.write(2)
    c.visit("a", a.answer)
    b.visit("c", c.answer)
    assert c.known() == b.known() == a.known()
    assert not b.noted
    assert not c.noted


def test_a_gate_that_has_everything_asks_for_nothing():
    a, b = gates("a", "b")
    a.write()
    b.visit("a", a.answer)
    asked = []
    b.visit("a", lambda raw: asked.append(raw) or a.answer(raw))
    assert len(asked) == 1


def lied_to(lie):
    """Let b pull from a liar that carries a's journal; give b."""
    a, b, liar = gates("a", "b", "liar")
    a.write(5)
    liar.visit("a", a.answer)
    liar.lies[Piece] = lambda piece: lie(piece, liar)
    b.visit("liar", liar.answer)
    assert a.journal not in b.known()
    return b


@pytest.mark.parametrize("lie", [*LIES, lambda *_: Heads([])])
def test_a_peer_that_lies_is_put_aside_and_changes_nothing(lie):
    b = lied_to(lie)
    assert b.circle.is_aside("liar", ASIDE_S - 1)
    assert not b.circle.is_aside("liar", ASIDE_S)


def test_a_peer_that_lies_again_is_put_aside_for_longer():
    circle = Circle([], [])
    assert circle.lied("liar", 0.0) == ASIDE_S
    assert circle.lied("liar", ASIDE_S) == 2 * ASIDE_S
    assert max(circle.lied("liar", 0.0) for _ in range(20)) == 3600.0


def test_a_peer_that_holds_back_is_asked_no_more_for_a_while_but_no_liar():
    b = lied_to(lambda *_: Piece())
    assert not b.circle.is_aside("liar", 0.0)
    assert b.circle.next_wanted("liar", 1.0) is None
    assert b.circle.next_wanted("liar", ASIDE_S) == Wanted("journal-of-a", 0)


def test_what_one_peer_holds_back_another_one_gives():
    a, b, liar = gates("a", "b", "liar")
    a.write(5)
    liar.visit("a", a.answer)
    liar.lies[Piece] = lambda _: Piece()
    b.visit("liar", liar.answer)
    b.visit("a", a.answer)
    assert b.known() == a.known()


def test_a_seal_whose_certificate_is_not_believed_is_no_lie_of_whoever_hands_it_on():
    a, b, c = gates("a", "b", "c")
    a.write(3)
    b.visit("a", a.answer)
    c.revoked = {"a"}
    c.visit("b", b.answer)
    assert a.journal not in c.known()
    assert isinstance(c.noted[0], UnprovenError)
    assert not c.circle.is_aside("b", 0.0)


def test_a_gate_cannot_write_in_the_journal_of_another():
    a, b, insider = gates("a", "b", "insider")
    a.write(3)
    b.visit("a", a.answer)
    insider.journal = a.journal  # and has sealed more of it than there is
    insider.write(9)
    b.visit("insider", insider.answer)
    assert b.known() == a.known()


def test_a_journal_of_which_a_gate_has_sealed_two_histories_is_held_as_it_was():
    a, b = gates("a", "b")
    a.write(3)
    b.visit("a", a.answer)
    held = b.known()
    copy = PaperGate("a", OFFICE)  # the card, as it was at record 2
    copy.rows = a.rows[:2]
    copy.write(4, note="otherwise")
    b.visit("copy", copy.answer)
    assert b.known() == held
    assert b.noted == [ForkProven(a.journal, "a", 3)]
    assert not b.circle.is_aside("copy", 0.0)
    assert b.circle.next_wanted("copy", 1.0) is None


def test_a_gate_never_pulls_its_own_journal_but_hears_how_far_others_have_it():
    a, b = gates("a", "b")
    a.write(3)
    b.visit("a", a.answer)
    told = a.circle.heard("b", "b", b.heads().heads)
    assert [(one.journal, one.head) for one in told] == [(a.journal, 3)]
    assert a.circle.next_wanted("b", 0.0) is None


def test_only_the_writer_says_what_the_server_has_of_its_journal():
    a, b = gates("a", "b")
    a.write(4)
    b.visit("a", a.answer)
    head = b.circle.held[a.journal]
    said = JournalHead(a.journal, "a", 4, head.chain, 4)
    b.circle.heard("c", "c", [said])
    assert b.circle.held[a.journal].acknowledged == 0
    b.circle.heard("a", "a", [said])
    assert b.circle.held[a.journal].acknowledged == 4


def test_a_journal_is_asked_of_one_peer_at_a_time_and_the_furthest_behind_first():
    circle = Circle([], [])
    offers = [JournalHead(name, "g", 5, bytes(32)) for name in ("j", "k")]
    circle.heard("p", "p", offers)
    circle.heard("q", "q", offers)
    first = circle.next_wanted("p", 0.0)
    second = circle.next_wanted("q", 0.0)
    assert (first, second) == (Wanted("j", 0), Wanted("k", 0))
    assert circle.next_wanted("p", 0.0) is None
    circle.given_up(first)
    assert circle.next_wanted("q", 0.0) == first


def test_a_peer_that_tells_of_growth_is_asked_for_it():
    a, b = gates("a", "b")
    a.write()
    b.visit("a", a.answer)
    assert b.circle.next_wanted("a", 0.0) is None
    b.circle.grown("a", a.journal, 3)
    assert b.circle.next_wanted("a", 0.0) == Wanted(a.journal, 1)
    b.circle.grown("a", "unheard of", 3)
    b.circle.lost("a")
    b.circle.grown("a", a.journal, 4)
    assert b.circle.next_wanted("a", 0.0) is None


def test_no_more_journals_are_carried_than_a_network_has():
    circle = Circle([], [])
    head = bytes(32)
    offers = [JournalHead(f"j{n}", "g", 1, head) for n in range(JOURNALS_MAX + 1)]
    circle.heard("p", "p", offers)
    for _ in range(JOURNALS_MAX):
        assert circle.next_wanted("p", 0.0) is not None
    assert circle.next_wanted("p", 0.0) is None


def test_nothing_is_lost_where_no_answer_comes():
    a, b = gates("a", "b")
    a.write(3)

    def deaf(_):
        raise LostError

    b.visit("a", deaf)
    b.visit("a", a.answer)
    assert b.known() == a.known()
