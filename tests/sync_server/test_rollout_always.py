"""Whatever gates do and whenever one looks: nobody is offered what he must not have."""

from hypothesis import given, settings
from hypothesis import strategies as st

from rollout_makers import (
    HOUR,
    KIND,
    NEW,
    NEW_MACHINE,
    NOW,
    OLD_MACHINE,
    decided,
    look,
    machine,
    offers,
    rollout,
)
from sync_server.fleet_entities import OFFERING, FleetGate, RolloutState
from sync_server.rollout import FAILURES, LOST_MS, UNABLE, reach

MACHINES = st.sampled_from(
    [
        None,
        OLD_MACHINE,
        NEW_MACHINE,
        machine("installing"),
        machine("trying", version=NEW),
        machine("rolled_back", blocked=(NEW,)),
        machine("refused"),
        machine(version="0.9.0"),
        machine(compatible="other"),
        machine(blocked=(NEW,)),
        machine(fetch_version=NEW, fetch_state="whole", fetch_have=1),
    ]
)
SOME = st.lists(
    st.tuples(MACHINES, st.sampled_from([NOW, NOW - LOST_MS - 1, None]), st.booleans()),
    min_size=1,
    max_size=12,
).map(
    lambda drawn: [
        FleetGate(f"g{n}", f"Gate {n}", "v", f"c{n % 3}", known, seen, faulty)
        for n, (known, seen, faulty) in enumerate(drawn)
    ]
)
ROLLOUTS = st.builds(
    lambda state, stage, automatic, hours, excused, downgrade: rollout(
        "g0",
        "g1",
        state=state,
        stage=stage,
        is_automatic=automatic,
        healthy_h=hours,
        excused=excused,
        is_downgrade=downgrade,
        steps=(10, 50, 100),
    ),
    st.sampled_from(RolloutState),
    st.integers(0, 3),
    st.booleans(),
    st.integers(0, 48),
    st.sampled_from([(), ("g0",), ("g2",)]),
    st.booleans(),
)


@settings(max_examples=400, deadline=None)
@given(ROLLOUTS, SOME, st.booleans(), st.integers(0, 100))
def test_nobody_is_offered_what_he_must_not_have(one, some, is_busy, hours):
    now = NOW + hours * HOUR
    after = decided(one, some, now)
    standing = look(after, some, now=now)
    found = offers(after, some, is_busy=is_busy, now=now)
    by_id = {gate.id: gate for gate in some}
    assert len(standing.begun) == reach(after, standing.order, after.stage)
    assert found <= standing.begun
    if is_busy or after.state not in OFFERING or standing.all_in(*FAILURES):
        assert found == set()
    for name in found:
        known = by_id[name].machine
        assert known.compatible == KIND
        assert NEW not in known.blocked
        assert name not in after.excused
        assert known.version != "0.9.0" or after.plan.is_downgrade
        assert standing.progress[name] not in UNABLE


@settings(max_examples=300, deadline=None)
@given(ROLLOUTS, SOME, st.integers(0, 100))
def test_deciding_twice_changes_nothing_more_and_steps_come_one_by_one(one, some, hours):
    now = NOW + hours * HOUR
    once = decided(one, some, now)
    assert once.stage >= one.stage
    assert once.stage == one.stage or once.plan.is_automatic
    if once.stage == one.stage:
        assert decided(once, some, now) == once
    if one.state not in OFFERING:
        assert once == one
