"""What holds whatever happened: properties of the rules over drawn lists, facts and gates."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from admission.passage import FreeCrossing, Reset, fold_key, step
from admission.rules import ClockPolicy, GateConditions
from admission.scan import Direction
from admission.ticket import EntryExit, Multi, Single, TicketState
from admission.verdict import Answer, Grant

half = settings(max_examples=settings.default.max_examples // 2)  # of what the profile says

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
NOON = datetime.fromisoformat("2026-07-14T12:00:00+00:00")

minutes = st.integers(-3000, 3000).map(lambda count: timedelta(minutes=count))
instants = minutes.map(lambda by: NOON + by)
directions = st.sampled_from(Direction)
limits = st.none() | st.integers(0, 4)
rules = st.one_of(
    st.just(Single()), st.just(EntryExit()), st.builds(Multi, total=limits, per_day=limits)
)
faults = st.sampled_from((Answer.LIST_UNTRUSTED, Answer.LIST_EXPIRED))
conditions = st.builds(
    GateConditions,
    locked=st.booleans(),
    list_faults=st.dictionaries(st.sampled_from(("show", "matinee")), faults),
    clock_trusted=st.booleans(),
    clock_policy=st.sampled_from(ClockPolicy),
)
crossings = st.tuples(
    st.sampled_from(("passage", "passage", "passage", "override", "reset")),
    directions,
    st.sampled_from((-90, -2, -1, 0, 0, 1, 2, 90)),
    st.sampled_from(("a", "B", "é", "north")),
)


def fill(scene, drawn):
    """Let the gate know of drawn facts of T1, each once, in the order drawn."""
    for sequence, (kind, direction, minute, gate) in enumerate(drawn, start=1):
        where = {"at": NOON + timedelta(minutes=minute), "gate": gate, "sequence": sequence}
        if kind == "reset":
            scene.reset("T1", **where)
        else:
            scene.passed("T1", direction, override=kind == "override", **where)


def is_inside(drawn):
    """Tell the same from the drawn facts alone: time, gate, sequence; the last after a reset."""
    ordered = sorted(
        (minute, gate, sequence, kind, direction)
        for sequence, (kind, direction, minute, gate) in enumerate(drawn, start=1)
    )
    state = False
    for _, _, _, kind, direction in ordered:
        state = kind != "reset" and direction is ENTRY
    return state


@half
@given(
    drawn=st.lists(crossings, max_size=8),
    gate=conditions,
    state=st.sampled_from(TicketState),
    capacity=st.none() | st.integers(-2, 2),
    allowed=st.none() | st.frozensets(st.sampled_from(("standard", "vip"))),
    excluded=st.frozensets(st.sampled_from(("standard", "vip"))),
    bounds=st.tuples(st.none() | instants, st.none() | instants),
    canceled=st.booleans(),
    dropped=st.booleans(),
    moved=st.booleans(),
    at=instants,
)
def test_no_entry_exit_ticket_that_is_inside_is_ever_refused_at_an_exit(
    new_scene,
    drawn,
    gate,
    state,
    capacity,
    allowed,
    excluded,
    bounds,
    canceled,
    dropped,
    moved,
    at,
):
    scene = new_scene("show", "matinee")
    scene.list_ticket(rule=EntryExit(), state=state)
    fill(scene, drawn)
    scene.conditions = gate
    scene.change_door(capacity=capacity, allowed_categories=allowed)
    scene.hold(
        "show",
        canceled=canceled,
        excluded_categories=excluded,
        admits_from=bounds[0],
        admits_until=bounds[1],
    )
    if moved:
        scene.change_door(performances=("matinee", "show"))
        scene.list_ticket(performance="matinee", rule=EntryExit())
    if dropped:
        scene.drop_ticket()
    verdict = scene.judge("T1", EXIT, at=at)
    if is_inside(drawn):
        assert isinstance(verdict, Grant)
        assert verdict.performance == "show"
    else:
        assert not isinstance(verdict, Grant)


scans = st.lists(st.tuples(directions, minutes, st.booleans()), max_size=25)


@half
@given(total=limits, per_day=limits, drawn=scans)
def test_a_multi_ticket_never_passes_more_often_than_its_limits(new_scene, total, per_day, drawn):
    scene = new_scene()
    scene.list_ticket(rule=Multi(total, per_day))
    days = []
    for direction, by, goes in drawn:
        at = NOON + by  # forwards and backwards: a clock may be set
        if not isinstance(scene.judge("T1", direction, at=at), Grant):
            continue
        if goes:
            scene.passed("T1", direction, at=at)
            days.append((at + timedelta(hours=2)).date())  # Paris in summer
    assert total is None or len(days) <= total
    assert per_day is None or all(days.count(day) <= per_day for day in days)


@half
@given(drawn=st.lists(st.sampled_from(("entry", "exit", "nobody", "reset")), max_size=15))
def test_a_single_ticket_never_enters_twice_without_a_reset(new_scene, drawn):
    scene = new_scene()
    scene.list_ticket(rule=Single())
    entered = False
    for act in drawn:
        if act == "reset":
            scene.reset()
            entered = False
        elif act == "exit":
            assert scene.play("T1", EXIT) == "exit_not_allowed"
        elif act == "nobody":
            assert (scene.answer("T1", ENTRY) == "granted") is not entered
        else:
            assert (scene.play("T1", ENTRY) == "granted") is not entered
            entered = True


@half
@given(drawn=st.lists(directions, max_size=15))
def test_an_entry_exit_ticket_never_goes_twice_to_the_same_side(new_scene, drawn):
    scene = new_scene()
    scene.list_ticket(rule=EntryExit())
    taken = [way for way in drawn if scene.play("T1", way) == "granted"]
    assert all(taken[place] is (ENTRY, EXIT)[place % 2] for place in range(len(taken)))


@half
@given(
    rule=rules,
    drawn=st.lists(crossings, min_size=1, max_size=7),
    order=st.randoms(use_true_random=False),
    direction=directions,
    at=instants,
)
def test_the_answer_does_not_depend_on_the_order_in_which_facts_arrived(
    new_scene, rule, drawn, order, direction, at
):
    scene, other = new_scene(capacity=2), new_scene(capacity=2)
    for one in (scene, other):
        one.list_ticket(rule=rule)
    fill(scene, drawn)
    arrival = [*scene.history, *scene.history]  # each of them twice
    order.shuffle(arrival)
    for fact in arrival:
        other.history.add(fact)
    assert other.judge("T1", direction, at=at) == scene.judge("T1", direction, at=at)


@half
@given(
    presented=st.text(max_size=6) | st.text("T12 \t\n", max_size=6),
    gate=conditions,
    direction=directions,
)
def test_every_text_gets_an_answer(new_scene, presented, gate, direction):
    scene = new_scene("show", "matinee")
    scene.list_ticket("T1", rule=EntryExit())
    scene.list_ticket("T2", performance="matinee")
    scene.conditions = gate
    assert scene.judge(presented, direction).answer in Answer


@half
@given(
    drawn=st.lists(st.tuples(crossings, st.sampled_from(("T1", "T2", "?"))), max_size=12),
    free=st.lists(directions, max_size=4),
    data=st.data(),
)
def test_occupancy_is_what_counting_all_unforgotten_crossings_gives(new_scene, drawn, free, data):
    scene = new_scene()
    facts = []
    for (kind, direction, minute, gate), number in drawn:
        at = NOON + timedelta(minutes=minute)
        if kind == "reset" and number != "?":
            identifier = number.encode()
            scene.sequence += 1
            facts.append(Reset(gate, scene.sequence, at, "door", "show", identifier))
        else:
            known = {} if number != "?" else {"performance": None, "identifier": b""}
            facts.append(scene.passage(number, direction, at=at, gate=gate, **known))
    facts += [FreeCrossing("free", place, NOON, "door", way) for place, way in enumerate(free, 1)]
    passages = [fact for fact in facts if not isinstance(fact, Reset | FreeCrossing)]
    pending = data.draw(st.lists(st.sampled_from(passages), unique=True)) if passages else []
    for fact in data.draw(st.permutations(facts)):
        assert scene.history.pend(fact) if fact in pending else scene.history.add(fact)
    taken_back = data.draw(st.lists(st.sampled_from(pending), unique=True)) if pending else []
    for fact in taken_back:
        scene.history.take_back(fact)
        facts.remove(fact)
    assert scene.history.occupancy("door") == sum(
        step(fact.direction)
        for fact in facts
        if not isinstance(fact, Reset)
        and not any(
            isinstance(reset, Reset)
            and reset.identifier == getattr(fact, "identifier", None)
            and fold_key(reset) > fold_key(fact)
            for reset in facts
        )
    )
