"""One presentation is one scan: the debounce, the bound on floods, the passage contact."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.readers.debounce import REPLACED_NS, WINDOW_NS, Debounce
from appliance.readers.flood import TokenBucket
from appliance.turnstiles.contact import STABLE_NS, SettledContact

MS = 1_000_000
S = 1_000_000_000


def scans(debounce: Debounce[str], *frames: tuple[float, str]) -> list[str]:
    """Show frames, given as (seconds, codes in view as letters); list what became a scan."""
    return [code for at_s, codes in frames for code in debounce.see(codes, round(at_s * S))]


def test_a_code_held_before_the_lens_is_one_scan():
    frames = [(n / 30, "A") for n in range(30 * 60)]
    assert scans(Debounce(), *frames) == ["A"]


def test_a_hand_that_trembles_does_not_scan_again():
    assert scans(Debounce(), (0, "A"), (0.1, ""), (2.5, "A"), (5.0, "A")) == ["A"]


def test_a_code_that_comes_back_after_the_window_is_a_new_scan():
    assert scans(Debounce(), (0, "A"), (2.51, "A")) == ["A", "A"]


def test_a_familys_tickets_on_one_frame_are_a_scan_each():
    assert scans(Debounce(), (0, "ABCD"), (0.1, "ABCD")) == ["A", "B", "C", "D"]


def test_one_code_seen_twice_on_a_frame_is_one_scan():
    assert scans(Debounce(), (0, "AA")) == ["A"]


def test_the_same_code_counts_again_once_another_has_taken_its_place():
    assert scans(Debounce(), (0, "A"), (0.5, "B"), (1.0, "A")) == ["A", "B", "A"]


def test_two_codes_side_by_side_that_are_read_in_turns_are_a_scan_each():
    frames = [(n / 30, "AB"[n % 2]) for n in range(300)]
    assert scans(Debounce(), *frames) == ["A", "B"]


def test_a_family_is_not_scanned_again_where_frames_miss_some_of_its_tickets():
    frames = [(0, "ABCD"), (0.5, "B"), (1.0, "BD"), (1.5, "AC"), (2.0, "D"), (3.4, "ABCD")]
    assert scans(Debounce(), *frames) == ["A", "B", "C", "D"]


def test_tickets_that_come_into_view_one_by_one_belong_together():
    frames = [(0, "A"), (0.1, "AB"), (0.2, "BC"), (1.2, "C"), (1.4, "A")]
    assert scans(Debounce(), *frames) == ["A", "B", "C"]


def test_the_next_person_ends_the_hold_on_the_whole_family_before():
    frames = [(0, "AB"), (1.0, "X"), (1.5, "AB")]
    assert scans(Debounce(), *frames) == ["A", "B", "X", "A", "B"]


def test_a_forgotten_code_is_a_new_scan_at_its_next_sight():
    debounce = Debounce[str]()
    assert scans(debounce, (0, "A")) == ["A"]
    debounce.forget("A")
    assert scans(debounce, (0.1, "A"), (0.2, "A")) == ["A"]


def test_where_others_never_shorten_the_hold_a_scanner_may_send_codes_in_turns():
    debounce = Debounce[str](window_ns=1 * S, replaced_ns=1 * S)
    frames = [(n / 2, "AB"[n % 2]) for n in range(20)]
    assert scans(debounce, *frames) == ["A", "B"]


def test_a_hold_that_is_shortened_beyond_the_window_is_refused():
    with pytest.raises(ValueError, match="replaced_ns"):
        Debounce(window_ns=5, replaced_ns=6)


FRAMES = st.lists(st.tuples(st.integers(0, 3000), st.sets(st.sampled_from("ABC"))), max_size=40)


@given(FRAMES)
def test_two_scans_of_one_code_are_apart_by_the_window_or_by_another_code_in_between(
    steps: list[tuple[int, set[str]]],
):
    debounce, now_ms = Debounce[str](), 0
    last_seen_ms: dict[str, int] = {}
    others_since: dict[str, set[str]] = {}
    for wait_ms, view in steps:
        now_ms += wait_ms
        new = debounce.see(sorted(view), now_ms * MS)
        for code in view:
            if code in last_seen_ms and code in new:
                gap_ns = (now_ms - last_seen_ms[code]) * MS
                replaced = bool(others_since[code]) and gap_ns >= REPLACED_NS
                assert gap_ns > WINDOW_NS or replaced
            elif code not in new:
                assert (now_ms - last_seen_ms[code]) * MS <= WINDOW_NS
            last_seen_ms[code] = now_ms
            others_since[code] = set()
        for code in last_seen_ms:
            others_since[code] |= view - {code}


@given(FRAMES)
def test_codes_that_left_are_not_held_for_ever(steps: list[tuple[int, set[str]]]):
    debounce, now_ms = Debounce[str](), 0
    for wait_ms, view in steps:
        now_ms += wait_ms
        debounce.see(view, now_ms * MS)
    assert debounce.see("ABC", now_ms * MS + WINDOW_NS + 1) == ["A", "B", "C"]


# --- floods ------------------------------------------------------------------------------------


def test_a_second_of_scans_may_come_at_once_and_no_more():
    bucket = TokenBucket(20)
    assert [bucket.admit(0) for _ in range(25)] == [True] * 20 + [False] * 5
    assert bucket.dropped == 5


def test_in_the_long_run_only_the_rate_gets_through():
    bucket = TokenBucket(20)
    admitted = sum(bucket.admit(n * 10 * MS) for n in range(1000))  # a hundred a second
    assert admitted == pytest.approx(20 + 20 * 10, abs=1)


def test_a_reader_that_keeps_to_the_rate_is_never_refused():
    bucket = TokenBucket(20)
    assert all(bucket.admit(n * 50 * MS) for n in range(1000))
    assert bucket.dropped == 0


def test_a_rate_of_nothing_is_refused():
    with pytest.raises(ValueError, match="per_s"):
        TokenBucket(0)


# --- the passage contact -----------------------------------------------------------------------


def passages(contact: SettledContact, *edges: tuple[float, bool], until_ms: float) -> int:
    """Play edges given in milliseconds, looking at every deadline as the driver does."""
    count = 0
    for at_ms, is_active in edges:
        count += contact.edge(is_active, round(at_ms * MS)) is True
    return count + (contact.tick(round(until_ms * MS)) is True)


def test_a_contact_that_stays_is_a_passage_and_is_counted_once():
    contact = SettledContact(False)
    assert passages(contact, (0, True), until_ms=20) == 1
    assert passages(contact, until_ms=5000) == 0


def test_a_spark_is_no_passage():
    assert passages(SettledContact(False), (0, True), (1, False), until_ms=1000) == 0


def test_a_contact_that_bounces_is_one_passage():
    bounces = [(n * 2.0, n % 2 == 0) for n in range(9)]  # ends active
    assert passages(SettledContact(False), *bounces, until_ms=100) == 1


def test_a_contact_that_bounces_on_opening_is_no_second_passage():
    opening = [(300 + n * 2.0, n % 2 == 1) for n in range(9)]  # ends inactive
    assert passages(SettledContact(False), (0, True), *opening, until_ms=900) == 1


def test_each_turn_of_the_arm_is_a_passage():
    turns = [(n * 400.0, n % 2 == 0) for n in range(6)]
    assert passages(SettledContact(False), *turns, until_ms=5000) == 3


def test_a_contact_that_is_active_at_the_start_has_seen_nobody():
    contact = SettledContact(True)
    assert passages(contact, until_ms=1000) == 0
    assert passages(contact, (1000, False), (1400, True), until_ms=1500) == 1


def test_a_level_is_counted_no_sooner_than_it_has_settled():
    contact = SettledContact(False)
    contact.edge(True, 7)
    assert contact.settles_at_ns == 7 + STABLE_NS
    assert not contact.tick(6 + STABLE_NS)
    assert contact.tick(7 + STABLE_NS)
    assert contact.settles_at_ns is None


@given(st.lists(st.tuples(st.integers(1, 60), st.booleans()), max_size=60))
def test_there_are_never_more_passages_than_times_the_contact_stayed_active(
    steps: list[tuple[int, bool]],
):
    contact, now, count = SettledContact(False), 0, 0
    level, since, stays = False, 0, 0
    for wait_ms, is_active in [*steps, (60, False), (60, False)]:
        now += wait_ms * MS
        if level and not is_active:
            stays += now - since >= STABLE_NS
        if is_active != level:
            level, since = is_active, now
        count += contact.edge(is_active, now) is True
    assert count <= stays
