"""What a server hands on of a gate's hints: the gate's own, of its own journals, not too many."""

from admission.sync.hint_guard import HINTS_AT_ONCE, HINTS_PER_S, JOURNALS_ASKED_MS, HintGuard
from admission.sync.messages import Hint


def a_hint(**fields):
    known = {
        "gate": "a",
        "journal": "ja",
        "sequence": 1,
        "checkpoint": "door",
        "performance": "show",
        "identifier": b"T1",
        "direction": 1,
        "at_ms": 0,
    }
    return Hint(**{**known, **fields})


def test_a_gate_speaks_for_itself_alone():
    guard = HintGuard("a", ["ja"])
    assert guard.passes(a_hint(), 0)
    assert not guard.passes(a_hint(gate="b"), 0)
    assert not guard.passes(a_hint(journal="jb"), 0)
    assert (guard.passed, guard.held_back) == (1, 2)


def test_a_flood_is_cut_to_the_rate():
    guard = HintGuard("a", ["ja"])
    assert sum(guard.passes(a_hint(), 5) for _ in range(1000)) == HINTS_AT_ONCE
    later = sum(guard.passes(a_hint(), 5 + ms) for ms in range(1, 2001))
    assert abs(later - 2 * HINTS_PER_S) <= 1
    assert guard.passes(a_hint(), 60_000)


def test_hints_of_others_use_up_the_rate_of_no_one_else():
    guard = HintGuard("a", ["ja"])
    for _ in range(1000):
        guard.passes(a_hint(gate="b"), 0)
    assert guard.passes(a_hint(), 0)


def test_a_new_journal_is_looked_up_once_a_second_at_most():
    guard = HintGuard("a", ["ja"])
    assert not guard.wants_journals(0)
    guard.passes(a_hint(journal="new"), 0)
    assert guard.wants_journals(0)
    assert not guard.wants_journals(0)
    guard.passes(a_hint(journal="new"), 1)
    assert not guard.wants_journals(JOURNALS_ASKED_MS - 1)
    assert guard.wants_journals(JOURNALS_ASKED_MS)
    guard.know(["ja", "new"])
    assert guard.passes(a_hint(journal="new"), 2)
