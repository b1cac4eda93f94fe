"""Identifiers: UUID version 7, made from a time and chance that are given."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admission.ids import ID_ENTROPY_BYTES, is_id, new_id

moments = st.integers(0, (1 << 48) - 1)
chance = st.binary(min_size=ID_ENTROPY_BYTES, max_size=ID_ENTROPY_BYTES)


def test_the_layout_is_that_of_the_standards_example():
    # RFC 9562, appendix A.6
    entropy = bytes.fromhex("0cc3 18c4 dc0c0c07398f")
    assert new_id(0x017F22E279B0, entropy) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(moments, chance)
def test_every_identifier_is_a_uuid_of_version_7(now_ms, entropy):
    made = new_id(now_ms, entropy)
    read = uuid.UUID(made)
    assert is_id(made)
    assert (read.version, read.variant) == (7, uuid.RFC_4122)
    assert read.int >> 80 == now_ms
    assert str(read) == made


@given(moments, moments, chance, chance)
def test_identifiers_are_in_order_of_time(one, other, entropy, more):
    if one < other:
        assert new_id(one, entropy) < new_id(other, more)


@given(moments, chance, chance)
def test_different_chance_makes_different_identifiers(now_ms, one, other):
    fixed = 6  # bits of it that give way to version and variant
    differ = bin(int.from_bytes(one) ^ int.from_bytes(other)).count("1")
    assert differ <= fixed or new_id(now_ms, one) != new_id(now_ms, other)


@pytest.mark.parametrize(
    ("now_ms", "entropy"), [(-1, bytes(10)), (1 << 48, bytes(10)), (0, bytes(9)), (0, bytes(11))]
)
def test_what_does_not_fit_makes_no_identifier(now_ms, entropy):
    with pytest.raises(ValueError, match="must"):
        new_id(now_ms, entropy)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
        "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-c8c4-dc0c0c07398f",
        "017f22e279b07cc398c4dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n",
        "../017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        "٠17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
    ],
)
def test_any_other_text_is_no_identifier(text):
    assert not is_id(text)
