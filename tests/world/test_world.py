"""Gates and server as they are, on virtual time: what goes wrong in an evening costs no passage."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from world_trial import try_an_evening

SUPPORT = Path(__file__).parent.parent / "support"
SEED = 2
SHORT = {"gates": 3, "seconds": 120.0, "every_s": 4.0}


def test_what_goes_wrong_in_an_evening_costs_no_passage_and_is_the_same_in_every_process(tmp_path):
    others = [
        subprocess.Popen(
            [sys.executable, SUPPORT / "world_trial.py", str(SEED), *map(str, SHORT.values())],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("1", "2")
    ]
    own = try_an_evening(tmp_path, SEED, **SHORT)
    assert own.figures["passages"] > 40, "too little happened"
    assert sum(own.luck.count.values()) > 4, "too little went wrong"
    first, second = (process.communicate()[0].rstrip() for process in others)
    assert first == second == own.line


@pytest.mark.slow
def test_two_evenings_of_one_seed_are_one_evening_and_of_two_seeds_two(tmp_path):
    first = try_an_evening(tmp_path / "first", 7, **SHORT)
    second = try_an_evening(tmp_path / "second", 7, **SHORT)
    other = try_an_evening(tmp_path / "other", 8, **SHORT)
    assert first.world.trace == second.world.trace
    assert other.world.digest != first.world.digest


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
def test_many_evenings_cost_no_passage(tmp_path, seed):
    try_an_evening(tmp_path, seed, gates=6, seconds=900.0, every_s=8.0)


@pytest.mark.slow
def test_twenty_gates_go_through_two_hours(tmp_path):
    trial = try_an_evening(tmp_path, 1, gates=20, seconds=7200.0, every_s=60.0)
    assert trial.figures["passages"] > 1000
