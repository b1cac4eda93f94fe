"""Deliberate faults in the real code: what the simulation must find, or it finds nothing.

Each mutant replaces one function of the gate, the heart or the server while it is applied. The
suite fails if one is not caught; `caught_by` says by which invariants, so that a catch by accident
shows. Mutants that cannot be told from the real thing are named in EQUIVALENT, with the reason.
"""

from typing import Final

from simulation import gate_mutants, link_mutants
from simulation.mutant import MUTANTS

__all__ = ["EQUIVALENT", "MUTANTS", "gate_mutants", "link_mutants"]

EQUIVALENT: Final = {
    "a batch counts as acknowledged when it is sent": "at each contact a gate asks where the "
    "server stands, and sends again what is missing there: its own belief never lasts",
    "a pending grant does not count at its own gate": "one grant at a time is pending in a lane, "
    "and nobody is judged there until it has ended; while its end is owed to a failing card nobody "
    "enters, and it is written before anything else: there is no moment in which it is asked",
    "a batch after a gap is taken": "a gate sends its batches one at a time, each from what was "
    "acknowledged on: no batch with a gap before it is ever sent, so taking one changes nothing",
    "a hint's far-off time is adopted": "no clock takes anything from a hint or a feed: there is "
    "nothing to leave out (I3 looks at every record's clock instead)",
}
