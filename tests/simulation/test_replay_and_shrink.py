"""A seed is a world: the same, event for event, each time; and a broken one is made small."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.mutants import MUTANTS
from simulation.plan import draw, drawn
from simulation.shrinking import Shrinking, told
from simulation.world import play

ROOT = Path(__file__).parents[2]
OPENS_FIRST = next(one for one in MUTANTS if one.name.startswith("the arm opens before"))


def test_a_seed_plays_the_same_world_twice():
    once, again = play(drawn("again")), play(drawn("again"))
    assert (once.digest, once.events, once.figures) == (again.digest, again.events, again.figures)
    assert play(drawn("another")).digest != once.digest


def test_a_seed_plays_the_same_world_whatever_the_seed_of_hashes():
    digests = set()
    for seed in ("0", "4711"):
        done = subprocess.run(
            [sys.executable, str(ROOT / "tools" / "soak.py"), "--replay", "hashes"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        digests.add(done.stdout.rsplit("trace ", 1)[1])
    assert len(digests) == 1


def test_a_broken_world_is_made_as_small_as_it_can_be():
    plan = draw("small", gates=4)
    with OPENS_FIRST.applied():
        shrinking = Shrinking(plan, play(plan))
        smallest = shrinking.shrink()
        outcome = play(smallest, keep_trace=True)
    assert (smallest.gates, len(smallest.visits)) == (1, 1)
    assert (smallest.faults, smallest.desk) == ((), ())
    assert outcome.broken.number == "I1"
    assert "BROKEN I1" in told(smallest, outcome)
    assert play(smallest).broken is None  # the code itself does not break it


def test_a_world_that_breaks_nothing_is_not_made_smaller():
    plan = draw("whole", gates=1, people=1, minutes=1, faults=0)
    with pytest.raises(ValueError, match="breaks nothing"):
        Shrinking(plan, play(plan))
