"""Codes typed by hand: which spellings are tried, and that no ticket is ever guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admission.keyed import (
    SPELLINGS_MAX,
    Meant,
    Trait,
    alphabet_of,
    meant_by,
    spellings,
    traits_of,
)

EVERYTHING = frozenset(Trait)
TYPED = st.text(alphabet="aBcDeF019 -\u2013\u00a0é", max_size=20).map(str.strip)
ALPHABETS = st.none() | st.frozensets(st.sampled_from(Trait))


def held(*numbers, performance="show"):
    """Find a performance's tickets by their numbers."""
    return lambda asked, number: number if asked == performance and number in numbers else None


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("abc123", "ABC123"),
        ("ABC123", "abc123"),
        ("abc 123", "ABC-123"),
        ("abc-123", "ABC123"),
        ("ABC 123", "ABC123"),
        ("abc  -  123", "ABC-123"),
        ("ABC\u2013123", "ABC-123"),  # a keyboard that makes dashes longer
        ("12\u00a034\u00a056", "123456"),
        ("12-34", "12 34"),
        ("AbC-1", "AbC1"),
    ],
)
def test_what_a_hand_gets_wrong_is_found(typed, number):
    assert number in spellings(typed, alphabet_of([number]))
    assert meant_by(typed, {"show": alphabet_of([number])}, held(number)) == Meant(number)


def test_the_exact_number_comes_before_every_other_spelling():
    both = held("abc1", "ABC1")
    alphabet = {"show": alphabet_of(["abc1", "ABC1"])}
    assert meant_by("abc1", alphabet, both) == Meant("abc1")
    assert meant_by("ABC1", alphabet, both) == Meant("ABC1")


def test_spellings_that_hit_different_tickets_are_ambiguous_and_nothing_is_guessed():
    found = meant_by("Abc1", {"show": EVERYTHING}, held("abc1", "ABC1"))
    assert found == Meant("Abc1", is_ambiguous=True, is_known=False)


def test_two_performances_that_hold_different_spellings_are_ambiguous():
    tickets = {("one", "abc1"): 1, ("other", "ABC1"): 2}
    alphabets = {"one": frozenset({Trait.LOWER}), "other": frozenset({Trait.UPPER})}
    found = meant_by("Abc1", alphabets, lambda *asked: tickets.get(asked))
    assert found.is_ambiguous


def test_spellings_that_name_one_and_the_same_ticket_are_not_ambiguous():
    found = meant_by(
        "Abc1", {"show": EVERYTHING}, lambda _, number: "T" if number != "Abc1" else None
    )
    assert found.is_known
    assert not found.is_ambiguous


def test_what_no_list_holds_is_judged_as_it_was_typed():
    assert meant_by("abc", {"show": EVERYTHING}, held("xyz")) == Meant("abc", is_known=False)
    assert meant_by("abc", {}, held("abc")) == Meant("abc", is_known=False)


def test_a_list_of_upper_case_is_never_asked_for_lower_case():
    assert spellings("aB", frozenset({Trait.UPPER})) == ("aB", "AB")
    assert spellings("1-2", frozenset()) == ("1-2", "12")


def test_a_list_that_states_no_alphabet_is_tried_in_both_cases_and_without_separators():
    assert set(spellings("aB-1", None)) == {"aB-1", "AB-1", "ab-1", "aB1", "AB1", "ab1"}


def test_letters_beyond_ascii_stay_as_they_are():
    assert set(spellings("éa", EVERYTHING)) == {"éa", "éA"}


def test_a_text_that_is_too_long_is_tried_as_it_is():
    assert spellings("a" * 600, EVERYTHING) == ("a" * 600,)


@given(TYPED, ALPHABETS)
def test_spellings_are_few_distinct_and_allowed(typed, alphabet):
    first, *others = spellings(typed, alphabet)
    assert first == typed
    assert len(others) <= SPELLINGS_MAX
    assert len({first, *others}) == len(others) + 1
    if alphabet is not None:
        assert all(traits_of(other) <= alphabet for other in others)


@given(TYPED, ALPHABETS)
def test_spellings_differ_in_case_spaces_and_dashes_alone(typed, alphabet):
    def bare(text):
        return "".join(c for c in text.lower() if c.isalnum())

    assert {bare(one) for one in spellings(typed, alphabet)} == {bare(typed)}


@given(st.lists(TYPED, max_size=6, unique=True), TYPED, ALPHABETS)
def test_a_ticket_is_taken_only_where_no_other_one_could_be_meant(numbers, typed, alphabet):
    found = meant_by(typed, {"show": alphabet}, held(*numbers))
    if found.is_known:
        others = set(spellings(typed, alphabet)) & set(numbers) - {found.number}
        assert found.number == typed or not others
        assert found.number in numbers
    else:
        assert found.number == typed
