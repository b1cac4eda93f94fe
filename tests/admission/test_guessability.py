"""How guessable numbers are: known families, and what holds of any."""

import math
import random
import uuid
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admission.ticketlist.guessability import (
    FAIR_BITS,
    GATE_GUESSES_PER_S,
    GUESSES_PER_S,
    STRONG_BITS,
    WEAK_BITS,
    Guessability,
    Reason,
    Strength,
    guessability,
    sample_size,
)

PRETIX = "abcdefghjklmnpqrstuvwxyz3456789"
_DICE = random.Random(20261125)


def _measure(numbers):
    numbers = list(dict.fromkeys(numbers))
    measured = guessability(numbers, Counter(map(len, numbers)))
    assert measured is not None
    return measured


def _ean13(twelve):
    digits = [int(one) for one in twelve]
    return f"{twelve}{-(sum(digits[::2]) + 3 * sum(digits[1::2])) % 10}"


def _random(alphabet, length, count):
    return ["".join(_DICE.choices(alphabet, k=length)) for _ in range(count)]


@pytest.mark.parametrize("count", [20, 1000, 8000])
def test_random_secrets_as_pretix_makes_them_are_strong(count):
    measured = _measure(_random(PRETIX, 32, count))
    assert measured.strength is Strength.STRONG
    assert measured.bits_per_number == pytest.approx(32 * math.log2(31), abs=9)
    assert measured.bits_per_ticket == pytest.approx(
        measured.bits_per_number - math.log2(count), abs=0.01
    )
    assert measured.reasons == ()


@pytest.mark.parametrize("count", [50, 5000])
def test_random_uuids_are_strong(count):
    numbers = [str(uuid.UUID(int=_DICE.getrandbits(128), version=4)) for _ in range(count)]
    measured = _measure(numbers)
    assert measured.strength is Strength.STRONG
    assert measured.bits_per_number == pytest.approx(122, abs=3)  # six bits and dashes are fixed


@pytest.mark.parametrize("count", [10, 1000, 10_000, 200_000])
def test_ean13_in_sequence_is_open_and_its_check_digit_adds_nothing(count):
    measured = _measure(_ean13(f"3760001{number:05d}") for number in range(count % 100_000 or 99))
    assert measured.strength is Strength.OPEN
    assert measured.bits_per_ticket < 1
    assert {Reason.CHECK_DIGIT, Reason.CLOSE_TOGETHER, Reason.COMMON_PREFIX} <= set(
        measured.reasons
    )


def test_random_ean13_is_as_good_as_its_twelve_digits():
    measured = _measure(_ean13(one) for one in _random("0123456789", 12, 5000))
    assert measured.bits_per_number == pytest.approx(12 * math.log2(10), abs=0.3)
    assert measured.strength is Strength.WEAK
    assert Reason.CHECK_DIGIT in measured.reasons
    assert Reason.CLOSE_TOGETHER not in measured.reasons


def test_luhn_digits_add_nothing_either():
    def luhn(eleven):
        digits = [int(one) for one in reversed(eleven)]
        total = sum(2 * one % 10 + one // 5 for one in digits[::2]) + sum(digits[1::2])
        return f"{eleven}{-total % 10}"

    measured = _measure(luhn(one) for one in _random("0123456789", 11, 500))
    assert Reason.CHECK_DIGIT in measured.reasons
    assert measured.bits_per_number == pytest.approx(11 * math.log2(10), abs=0.5)


def test_eight_random_digits_are_open_when_a_hall_is_full_of_them():
    few, many = (_measure(_random("0123456789", 8, count)) for count in (20, 5000))
    assert many.bits_per_number == pytest.approx(8 * math.log2(10), abs=0.2)
    assert many.guesses_per_ticket == pytest.approx(10**8 / 5000, rel=0.2)
    assert (few.strength, many.strength) == (Strength.WEAK, Strength.OPEN)
    assert {Reason.DIGITS_ONLY, Reason.SHORT, Reason.MANY_TICKETS} <= set(many.reasons)


@pytest.mark.parametrize("count", [12, 999, 50_000])
def test_numbers_in_sequence_behind_a_prefix_are_open(count):
    measured = _measure(f"2026-{number:05d}" for number in range(1, count + 1))
    assert measured.bits_per_ticket < 1
    assert {Reason.CLOSE_TOGETHER, Reason.COMMON_PREFIX} <= set(measured.reasons)


def test_alternating_blocks_are_in_sequence_each():
    measured = _measure(f"{(1_000_000, 7_500_000)[n % 2] + n // 2}" for n in range(4000))
    assert measured.guesses_per_ticket < 2.1
    assert Reason.CLOSE_TOGETHER in measured.reasons


def test_small_gaps_between_neighbours_are_told_from_chance():
    place, numbers = 10**15, []
    for _ in range(3000):
        place += _DICE.randrange(1, 40)
        numbers.append(f"{place}{_DICE.randrange(10)}")
    measured = _measure(numbers)
    assert measured.guesses_per_ticket < 250  # some 20 steps of 10
    assert measured.strength is Strength.OPEN


def test_a_random_prefix_that_all_share_adds_nothing():
    prefix = _random(PRETIX, 20, 1)[0]
    measured = _measure(f"{prefix}{_DICE.randrange(10**6):06d}" for _ in range(500))
    assert measured.bits_per_number == pytest.approx(6 * math.log2(10), abs=0.5)
    assert measured.strength is Strength.OPEN
    assert Reason.COMMON_PREFIX in measured.reasons


def test_characters_that_only_repeat_others_add_nothing():
    once = _random("0123456789", 6, 800)
    assert _measure(one + one for one in once).bits_per_number == pytest.approx(
        _measure(once).bits_per_number
    )


def test_a_guest_list_among_strong_numbers_is_what_a_thief_goes_for():
    measured = _measure(
        _random(PRETIX, 32, 3000) + [f"INV-{number:04d}" for number in range(1, 60)]
    )
    assert measured.strength is Strength.OPEN
    assert (measured.easiest, measured.numbers) == (59, 3059)
    assert Reason.PART_OF_THEM in measured.reasons
    assert measured.bits_for_all > 150  # all of them are another matter


def test_digits_among_letters_of_the_same_length_are_seen():
    sequential = [f"{10**31 + number}" for number in range(400)]
    measured = _measure(_random(PRETIX, 32, 3000) + sequential)
    assert measured.strength is Strength.OPEN
    assert measured.easiest == pytest.approx(400, abs=1)


def test_a_sample_says_the_same_as_the_whole_list():
    for numbers in (
        [f"{7_000_000 + number}" for number in range(60_000)],
        list(dict.fromkeys(_random("0123456789", 12, 60_000))),
    ):
        listed = Counter(map(len, numbers))
        whole = guessability(numbers[: sample_size(12)], {12: sample_size(12), 7: sample_size(7)})
        sample = guessability(_DICE.sample(numbers, 5000), listed)
        assert sample is not None
        assert whole is not None
        assert sample.strength is whole.strength
        assert sample.numbers == 60_000
        expected = max(0.0, whole.bits_per_number - math.log2(60_000))
        if whole.bits_per_ticket > 1:
            assert sample.bits_per_ticket == pytest.approx(expected, abs=0.5)
        else:
            assert sample.bits_per_ticket < 1


def test_no_numbers_have_no_measure():
    assert guessability([], {}) is None


@pytest.mark.parametrize(
    ("bits", "strength"),
    [
        (STRONG_BITS, Strength.STRONG),
        (STRONG_BITS - 0.1, Strength.FAIR),
        (FAIR_BITS - 0.1, Strength.WEAK),
        (WEAK_BITS - 0.1, Strength.OPEN),
        (4000.0, Strength.STRONG),
    ],
)
def test_classes_begin_where_they_say(bits, strength):
    measured = Guessability(bits, bits, bits, (), 1, 1)
    assert measured.strength is strength
    assert measured.seconds_with_key == measured.guesses_per_ticket / GUESSES_PER_S
    assert measured.seconds_at_gate == measured.guesses_per_ticket / GATE_GUESSES_PER_S


@given(st.lists(st.text(max_size=40), min_size=1, max_size=60, unique=True))
def test_any_numbers_have_a_measure_within_what_their_characters_allow(numbers):
    measured = _measure(numbers)
    assert measured.numbers == len(numbers)
    assert 0 <= measured.bits_per_ticket <= measured.bits_per_number + 1e-9
    assert measured.bits_per_number <= 40 * math.log2(1_114_112)
    assert measured.bits_for_all >= measured.bits_per_ticket - 1e-9
    assert math.isfinite(measured.bits_for_all)


@given(st.integers(2, 300), st.integers(0, 10**9), st.integers(9, 14))
def test_a_run_is_never_taken_for_more_than_it_is(count, start, length):
    measured = _measure(f"{start + number:0{length}d}" for number in range(count))
    assert measured.guesses_per_ticket <= 10
    assert measured.strength is Strength.OPEN


@given(st.integers(20, 200), st.integers(8, 24), st.integers(0, 2**32))
def test_random_numbers_are_never_taken_for_a_run(count, length, seed):
    dice = random.Random(seed)
    numbers = {"".join(dice.choices("0123456789", k=length)) for _ in range(count)}
    measured = _measure(numbers)
    assert measured.bits_per_ticket >= length * math.log2(10) - math.log2(count) - 8


def test_numbers_of_the_longest_kind_are_looked_at_in_part():
    assert sample_size(512) * 512 <= 400_000
    assert sample_size(32) == 10_000
