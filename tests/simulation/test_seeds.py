"""The real gate and the real server, in worlds that go wrong: no invariant breaks.

Each seed is a world of its own: some gates, an evening's people, and things that fail. What is
looked at stands in `tests/support/simulation/invariants.py`, by the numbers of docs/adr/0021.
"""

import pytest

from simulation.plan import COMMON, Trouble, draw
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


@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("trouble", [Trouble.CLONE, Trouble.CARD_BACK])
def test_where_a_card_is_copied_or_put_back_nothing_is_lost_and_it_is_noticed(trouble, seed):
    plan = draw(f"copies {seed}", people=12, certain=(trouble,), troubles=(*COMMON, trouble))
    played(plan)


@pytest.mark.parametrize("seed", range(1, 3))
def test_a_server_that_comes_back_from_a_backup_is_told_everything_again(seed):
    troubles = (Trouble.BACKUP, Trouble.RESTORE)
    plan = draw(f"backup {seed}", people=12, certain=troubles, troubles=(*COMMON, *troubles))
    played(plan)
