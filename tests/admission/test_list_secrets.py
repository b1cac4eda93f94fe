"""Identifiers that stand for numbers, secrets sealed for one gate, digits that people compare."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admission.errors import SignatureError
from admission.ticketlist.identifiers import identify
from admission.ticketlist.manifest import list_key_id
from admission.trust.keys import check_string
from admission.trust.sealing import agreement_public_key, seal, unseal

half = settings(max_examples=settings.default.max_examples // 2)  # of what the profile says

LIST_KEY = bytes(range(32))
GATE, OTHER_GATE, EPHEMERAL = bytes([1] * 32), bytes([2] * 32), bytes([3] * 32)
SEALED = seal(LIST_KEY, agreement_public_key(GATE), b"list-key:show", EPHEMERAL)


def test_identifiers_are_hmac_sha256_cut_to_128_bits():
    # RFC 4231, test cases 1 and 2
    assert identify(b"\x0b" * 20, "Hi There").hex() == "b0344c61d8db38535ca8afceaf0bf12b"
    assert identify(b"Jefe", "what do ya want for nothing?").hex() == (
        "5bdcc146bf60754e6a042426089575c7"
    )


def test_an_identifier_depends_on_the_key_and_on_every_code_point():
    numbers = ("T1", "t1", "T1 ", "É", "E\u0301", "", "\ud800", "\ufffd")
    keys = (LIST_KEY, bytes(32))
    assert len({identify(key, number) for key in keys for number in numbers}) == 16
    assert identify(LIST_KEY, "T1") == identify(LIST_KEY, "T1")


def test_what_was_sealed_for_a_gate_is_opened_by_it():
    assert unseal(SEALED, GATE, b"list-key:show") == LIST_KEY


def test_another_gate_does_not_open_it():
    with pytest.raises(SignatureError):
        unseal(SEALED, OTHER_GATE, b"list-key:show")


def test_it_does_not_open_for_another_purpose():
    with pytest.raises(SignatureError):
        unseal(SEALED, GATE, b"list-key:matinee")


def test_any_altered_byte_and_any_cut_leaves_it_closed():
    for place in range(len(SEALED)):
        low, high = bytearray(SEALED), bytearray(SEALED)
        low[place] ^= 0x01
        high[place] ^= 0x80
        for hostile in (bytes(low), bytes(high), SEALED[:place]):
            with pytest.raises(SignatureError):
                unseal(hostile, GATE, b"list-key:show")


def test_a_sender_that_is_no_point_of_the_curve_is_refused():
    with pytest.raises(SignatureError):
        unseal(bytes(32) + SEALED[32:], GATE, b"list-key:show")


@half
@given(st.binary(max_size=100))
def test_hostile_bytes_do_not_open(blob):
    with pytest.raises(SignatureError):
        unseal(blob, GATE, b"list-key:show")


def test_the_secret_does_not_stand_in_what_was_sealed():
    assert LIST_KEY not in SEALED
    assert seal(LIST_KEY, agreement_public_key(GATE), b"", bytes([4] * 32))[32:] != SEALED[32:]


def test_the_name_of_a_list_key_does_not_give_it_away():
    assert len(list_key_id(LIST_KEY)) == 32
    assert list_key_id(LIST_KEY) not in LIST_KEY.hex()
    assert list_key_id(LIST_KEY) != list_key_id(bytes(32))


def test_both_ends_show_the_same_six_digits_and_others_do_not():
    shown = check_string(bytes(32), LIST_KEY)
    assert len(shown) == 6
    assert shown.isdecimal()
    assert shown == check_string(bytes(32), LIST_KEY)
    assert shown not in (check_string(LIST_KEY, bytes(32)), check_string(bytes(32), bytes(32)))
    assert check_string(b"ab", b"c") != check_string(b"a", b"bc")
