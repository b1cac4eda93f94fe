"""What holds whatever is hinted, truly or not: I14. Hints only tighten, and pass."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from admission import journal
from admission.passage import TicketKey
from admission.rules import GateConditions
from admission.scan import Direction
from admission.sync.hints import HINT_S_MAX, HintBoard, tighten
from admission.sync.messages import Hint
from admission.ticket import EntryExit, Multi, Single
from admission.verdict import Deny, Grant
from portillon.conformance import as_identifier

half = settings(max_examples=settings.default.max_examples // 2)

NOON = datetime.fromisoformat("2026-07-14T12:00:00+00:00")
NOON_MS = journal.wall_ms(NOON)
OVER_MS = round(HINT_S_MAX * 1000)
TICKETS = ("T1", "T2", "T3")

limits = st.none() | st.integers(0, 3)
rules = st.one_of(
    st.just(Single()), st.just(EntryExit()), st.builds(Multi, total=limits, per_day=limits)
)
facts = st.tuples(
    st.sampled_from(("passage", "passage", "override", "reset", "free")),
    st.sampled_from(TICKETS),
    st.sampled_from(Direction),
    st.integers(-3, 3),
)
# a few names and places, so that hints meet: forged ones, lost ones (not drawn), late ones, ones
# said twice, ones taken back by their gate or by another
hints = st.builds(
    Hint,
    gate=st.sampled_from(("a", "b", "liar")),
    journal=st.sampled_from(("ja", "jb")),
    sequence=st.integers(1, 3),
    checkpoint=st.sampled_from(("door", "door", "side")),
    performance=st.sampled_from(("show", "show", "matinee")),
    identifier=st.sampled_from(TICKETS).map(as_identifier),
    direction=st.integers(1, 2),
    at_ms=st.integers(-200_000, 200_000).map(lambda by: NOON_MS + by),
    withdrawn=st.sampled_from((False, False, False, True)),
)
heard = st.lists(
    st.one_of(
        st.tuples(st.just("hint"), hints),
        st.tuples(st.just("confirm"), st.tuples(st.sampled_from(("ja", "jb")), st.integers(0, 3))),
        st.tuples(st.just("wait"), st.sampled_from((1, 20_000, OVER_MS))),
    ),
    max_size=12,
)


def make(new_scene, rules_drawn, known, capacity, locked):
    scene = new_scene("show", "matinee")
    for number, rule in zip(TICKETS, rules_drawn, strict=True):
        scene.list_ticket(number, rule)
    for sequence, (kind, number, direction, minute) in enumerate(known, start=1):
        where = {"at": NOON + timedelta(minutes=minute), "sequence": sequence}
        if kind == "free":
            scene.free(direction, at=where["at"])
        elif kind == "reset":
            scene.reset(number, **where)
        else:
            scene.passed(number, direction, override=kind == "override", **where)
    scene.change_door(capacity=capacity)
    scene.conditions = GateConditions(locked=locked)
    return scene


def listen(drawn):
    board, now_ms = HintBoard(), 0
    for what, said in drawn:
        if what == "hint":
            board.hear(said, now_ms)
        elif what == "confirm":
            board.confirm(*said)
        else:
            now_ms += said
    return board, now_ms


def present(scene, board, now_ms, number, direction):
    verdict = scene.judge(number, direction, at=NOON)
    tightened = tighten(
        verdict,
        board,
        now_ms,
        presented=number,
        checkpoint=scene.checkpoint,
        direction=direction,
        now=NOON,
        holdings=scene.holdings,
        history=scene.history,
        conditions=scene.conditions,
    )
    return verdict, tightened


def counts(scene):
    keys = [TicketKey("door", "show", as_identifier(number)) for number in TICKETS]
    return [scene.history.facts_of(key) for key in keys], scene.history.occupancy("door")


@half
@given(
    st.tuples(rules, rules, rules),
    st.lists(facts, max_size=6),
    st.none() | st.integers(0, 3),
    st.booleans(),
    heard,
)
def test_hints_only_tighten_hold_nobody_in_and_pass(
    new_scene, rules_drawn, known, capacity, locked, drawn
):
    scene = make(new_scene, rules_drawn, known, capacity, locked)
    board, now_ms = listen(drawn)
    before = counts(scene)
    for number in TICKETS:
        for direction in Direction:
            verdict, tightened = present(scene, board, now_ms, number, direction)
            if tightened is not None:
                assert isinstance(verdict, Grant)  # a refusal is never looked at again
                assert isinstance(tightened.denied, Deny)
                rule = verdict.ticket.ticket_class.rule
                assert not (isinstance(rule, EntryExit) and direction is Direction.EXIT)  # line 4
            _, later = present(scene, board, now_ms + OVER_MS, number, direction)
            assert later is None
    assert counts(scene) == before


@half
@given(st.tuples(rules, rules, rules), st.lists(facts, max_size=6), heard, hints)
def test_one_hint_more_never_makes_room(new_scene, rules_drawn, known, drawn, more):
    scene = make(new_scene, rules_drawn, known, 2, locked=False)
    plain = [said for said in drawn if said[0] == "hint" and not said[1].withdrawn]
    board, now_ms = listen(plain)
    with_more, _ = listen(plain)
    if not more.withdrawn:
        with_more.hear(more, now_ms)
    for number in TICKETS:
        for direction in Direction:
            _, fewer = present(scene, board, now_ms, number, direction)
            _, all_of_them = present(scene, with_more, now_ms, number, direction)
            assert fewer is None or all_of_them is not None
