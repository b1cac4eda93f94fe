"""Faults put into the real code on purpose: each is found, or the simulation finds nothing."""

import pytest

from simulation.mutants import EQUIVALENT, MUTANTS
from simulation.world import play


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_fault_in_the_code_is_found(mutant):
    for plan in mutant.plans():
        with mutant.applied():
            broken = play(plan).broken
        if broken is not None:
            assert broken.number in mutant.caught_by, str(broken)
            return
    raise AssertionError(f"not found: {mutant.name}")


def test_faults_that_cannot_be_told_from_the_real_thing_say_why():
    assert all(reason for reason in EQUIVALENT.values())
    assert not EQUIVALENT.keys() & {mutant.name for mutant in MUTANTS}
