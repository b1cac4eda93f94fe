"""The real gate and the real server, in worlds that go wrong: no invariant breaks.

Each seed is a world of its own: some gates, an evening's people, and things that fail. What is
looked at stands in `tests/support/simulation/invariants.py`, by the numbers of docs/adr/0021.
"""

import pytest

from simulation.plan import draw
from simulation.world import play

SEEDS = range(1, 7)


def played(plan):
    outcome = play(plan)
    assert outcome.broken is None, f"seed {plan.seed}: {outcome.broken}"
    return outcome


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_doubled_or_let_through_unrecorded_whatever_fails(seed):
    figures = played(draw(seed)).figures
    assert figures["crossings"] <= figures["passages"]


def test_a_quiet_evening_of_two_checkpoints_adds_up():
    figures = played(draw("quiet", gates=3, people=30, faults=0)).figures
    assert figures["crossings"] > 30
