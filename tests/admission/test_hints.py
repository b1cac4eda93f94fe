"""Hints: what another gate has just granted makes this one stricter, for a while, and no more."""

from datetime import timedelta

import pytest

from admission import journal
from admission.errors import RemoteProtocolError
from admission.journal import Kind, Record
from admission.scan import Direction
from admission.sync.hints import (
    HINT_S_MAX,
    HINTS_MAX,
    HINTS_OF_A_GATE_MAX,
    HintBoard,
    hint_of,
    tighten,
)
from admission.sync.messages import Hint
from admission.ticket import EntryExit, Multi, Single, TicketClass
from admission.verdict import Answer, Deny, Grant
from portillon.conformance import as_identifier

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
OVER_MS = round(HINT_S_MAX * 1000)


def a_hint(scene, number="T1", way=ENTRY, **fields):
    known = {
        "gate": "gate-a",
        "journal": "north",
        "sequence": 7,
        "checkpoint": "door",
        "performance": "show",
        "identifier": as_identifier(number),
        "direction": journal.direction_code(way),
        "at_ms": journal.wall_ms(scene.now),
    }
    return Hint(**{**known, **fields})


def look_again(scene, board, presented="T1", direction=ENTRY, *, now_ms=0, at=None):
    """Present a text at the gate that holds the board."""
    at = at or scene.now + timedelta(seconds=1)
    verdict = scene.judge(presented, direction, at=at)
    return verdict, tighten(
        verdict,
        board,
        now_ms,
        presented=presented,
        checkpoint=scene.checkpoint,
        direction=direction,
        now=at,
        holdings=scene.holdings,
        history=scene.history,
        conditions=scene.conditions,
    )


@pytest.fixture
def scene(new_scene):
    scene = new_scene()
    scene.list_ticket()
    return scene


@pytest.fixture
def board():
    return HintBoard()


def test_a_ticket_that_another_gate_has_just_granted_is_already_used(scene, board):
    board.hear(a_hint(scene), 0)
    verdict, tightened = look_again(scene, board)
    assert isinstance(verdict, Grant)
    assert tightened.denied == Deny(Answer.ALREADY_USED, "show", verdict.ticket)


def test_the_refusal_tells_when_the_hinted_grant_was(scene, board):
    board.hear(a_hint(scene), 0)
    _, tightened = look_again(scene, board)
    assert tightened.last.at == scene.now


def test_a_hint_is_of_one_ticket_at_one_checkpoint(scene, board):
    board.hear(a_hint(scene, "T2"), 0)
    board.hear(a_hint(scene, sequence=8, checkpoint="other door"), 0)
    board.hear(a_hint(scene, sequence=9, performance="matinee"), 0)
    assert look_again(scene, board)[1] is None


def test_a_refusal_stays_what_it_is(scene, board):
    scene.list_ticket(rule=EntryExit())
    scene.passed(direction=ENTRY)
    board.hear(a_hint(scene, way=EXIT), 0)
    verdict, tightened = look_again(scene, board)
    assert verdict.answer is Answer.ALREADY_INSIDE
    assert tightened is None


def test_nobody_inside_is_held_in_by_a_hint(scene, board):
    scene.list_ticket(rule=EntryExit())
    scene.passed(direction=ENTRY)
    board.hear(a_hint(scene, way=EXIT), 0)
    verdict, tightened = look_again(scene, board, direction=EXIT)
    assert isinstance(verdict, Grant)
    assert tightened is None


def test_a_hinted_exit_makes_no_room_for_an_entry(scene, board):
    scene.list_ticket(rule=EntryExit())
    board.hear(a_hint(scene), 0)
    board.hear(a_hint(scene, way=EXIT, sequence=8, at_ms=journal.wall_ms(scene.now) + 9), 0)
    assert look_again(scene, board)[1].denied.answer is Answer.ALREADY_INSIDE


def test_an_exit_that_the_journals_know_lets_the_ticket_in_again(scene, board):
    scene.list_ticket(rule=EntryExit())
    board.hear(a_hint(scene), 0)
    scene.passed(direction=EXIT)
    assert look_again(scene, board)[1] is None


@pytest.mark.parametrize("direction", Direction)
def test_every_hinted_passage_counts_where_passages_are_numbered(scene, board, direction):
    scene.list_ticket(rule=Multi(2, None))
    scene.passed()
    board.hear(a_hint(scene, way=direction), 0)
    assert look_again(scene, board)[1].denied.answer is Answer.NO_PASSES_LEFT


def test_whoever_is_hinted_to_enter_takes_a_place(scene, board):
    scene.change_door(capacity=1)
    scene.list_ticket("T2")
    board.hear(a_hint(scene), 0)
    assert look_again(scene, board, "T2")[1].denied.answer is Answer.FULL


def test_a_hinted_exit_frees_no_place(scene, board):
    scene.change_door(capacity=1)
    scene.list_ticket("T2")
    board.hear(a_hint(scene), 0)
    board.hear(a_hint(scene, "T3", EXIT, sequence=8), 0)
    assert look_again(scene, board, "T2")[1].denied.answer is Answer.FULL


def test_a_hint_is_forgotten_when_the_journal_has_told(scene, board):
    board.hear(a_hint(scene), 0)
    assert board.confirm("north", 7)
    assert look_again(scene, board)[1] is None
    assert not board.confirm("north", 7)
    assert board.unconfirmed == 0


def test_a_passage_that_refers_to_no_grant_confirms_nothing(scene, board):
    board.hear(a_hint(scene), 0)
    assert not board.confirm("north", 0)
    assert len(board) == 1


def test_a_hint_is_forgotten_when_nobody_went_through(scene, board):
    board.hear(a_hint(scene), 0)
    assert board.hear(a_hint(scene, withdrawn=True), 1)
    assert look_again(scene, board)[1] is None


def test_no_gate_takes_back_what_another_has_hinted(scene, board):
    board.hear(a_hint(scene), 0)
    board.hear(a_hint(scene, gate="liar", withdrawn=True), 1)
    board.hear(a_hint(scene, gate="liar", sequence=8, withdrawn=True), 1)
    board.hear(a_hint(scene, sequence=8), 2)
    assert len(board) == 2


@pytest.mark.parametrize("ending", ["confirmed", "withdrawn"])
def test_a_hint_that_comes_after_its_end_says_nothing(scene, board, ending):
    if ending == "confirmed":
        board.confirm("north", 7)
    else:
        board.hear(a_hint(scene, withdrawn=True), 0)
    assert not board.hear(a_hint(scene), 1)
    assert look_again(scene, board)[1] is None


def test_a_hint_that_nothing_confirms_expires_and_is_counted(scene, board):
    board.hear(a_hint(scene), 5)
    assert look_again(scene, board, now_ms=5 + OVER_MS - 1)[1] is not None
    assert look_again(scene, board, now_ms=5 + OVER_MS)[1] is None
    assert board.unconfirmed == 1


def test_a_hint_said_again_grows_no_younger_and_comes_back_no_more(scene, board):
    board.hear(a_hint(scene), 0)
    assert not board.hear(a_hint(scene), OVER_MS - 1)
    assert [hint.sequence for hint in board.expire(OVER_MS)] == [7]
    assert not board.hear(a_hint(scene), OVER_MS)


def test_a_flood_drops_the_oldest_of_whoever_sends_it(scene, board):
    board.hear(a_hint(scene, gate="honest"), 0)
    for sequence in range(1, HINTS_OF_A_GATE_MAX + 11):
        board.hear(a_hint(scene, gate="flood", journal="f", sequence=sequence), 1)
    assert len(board) == HINTS_OF_A_GATE_MAX + 1
    assert board.dropped == 10
    assert board.confirm("north", 7)
    assert not board.confirm("f", 10)
    assert board.confirm("f", 11)


def test_however_many_gates_say_it_the_board_is_bounded(scene, board):
    hints = [a_hint(scene, str(number), sequence=number + 1) for number in range(100)]
    for count in range(HINTS_MAX + 50):
        hint = hints[count % 100]
        gate = f"gate {count // 100}"
        board.hear(Hint(gate, gate, hint.sequence, *list(_rest(hint))), count)
    assert len(board) <= HINTS_MAX
    assert not board.confirm("gate 0", 1)


def _rest(hint):
    return (hint.checkpoint, hint.performance, hint.identifier, hint.direction, hint.at_ms)


def test_nothing_stays_of_hints_that_are_over(scene, board):
    for number in range(50):
        board.hear(a_hint(scene, f"T{number}", sequence=number + 1, gate=f"gate {number}"), 0)
    board.expire(OVER_MS)
    shelves = (board._heard, board._of_gate, board._of_ticket, board._of_grant, board._entering)
    assert [len(shelf) for shelf in shelves] == [0] * 5


@pytest.mark.parametrize(
    "fields", [{"direction": 0}, {"at_ms": 1 << 62}, {"ticket_class": ("", "often", None, None)}]
)
def test_a_hint_that_makes_no_sense_is_refused(scene, board, fields):
    with pytest.raises(RemoteProtocolError, match="hint 7 of north"):
        board.hear(a_hint(scene, **fields), 0)
    assert len(board) == 0


def test_a_hint_says_what_the_grant_says():
    grant = Record(
        kind=int(Kind.GRANTED),
        sequence=12,
        wall_ms=5,
        boot_ms=1,
        boot_id=b"",
        checkpoint="door",
        performance="show",
        identifier=b"T1",
        direction=1,
        ticket_class=journal.class_code(TicketClass("standard", Single())),
        trusted_ms=6,
    )
    hint = hint_of("gate-a", "north", grant)
    assert hint == Hint(
        "gate-a", "north", 12, "door", "show", b"T1", 1, 6, ("standard", "single", None, None)
    )
    assert hint_of("gate-a", "north", grant, withdrawn=True).withdrawn
