"""Ticket lists: the packed file, and the rules of believing one, each refusal of its own class."""

import hashlib
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from admission.errors import (
    DigestError,
    ForeignListError,
    ListError,
    ListExpiredError,
    ListFormatError,
    RollbackError,
    SignatureError,
)
from admission.ticket import TicketState
from admission.ticketlist.acceptance import (
    Installed,
    accept_manifest,
    check_list_key,
    check_snapshot,
)
from admission.ticketlist.manifest import encode_manifest
from admission.ticketlist.packed import (
    ENTRY_BYTES,
    HEADER_BYTES,
    STATES,
    Entry,
    PackedList,
    pack,
    performance_digest,
)
from admission.trust.envelope import MANIFEST_TYPE, seal_envelope
from admission.trust.keys import public_key
from admission.trust.root import Signers

half = settings(max_examples=settings.default.max_examples // 2)  # of what the profile says

NOON = datetime.fromisoformat("2026-07-14T12:00:00+00:00")
SIGNER, STRANGER = bytes([1] * 32), bytes([2] * 32)
TRUSTED = Signers((public_key(SIGNER),), 1)
ENTRIES = [
    Entry(bytes([place] * 16), place % 3, state)
    for place, state in enumerate((TicketState.VALID, TicketState.BLOCKED, TicketState.UNPAID))
]
SNAPSHOT = pack("show", ENTRIES)


# --- the packed file --------------------------------------------------------------------------

entries = st.dictionaries(
    st.binary(min_size=16, max_size=16),
    st.tuples(st.integers(0, 65_534), st.sampled_from(TicketState)),
    max_size=40,
)


@half
@given(entries, st.lists(st.binary(max_size=18), max_size=5))
def test_a_packed_list_finds_what_a_dictionary_finds(drawn, strangers):
    packed = PackedList(pack("show", [Entry(key, *rest) for key, rest in drawn.items()]), "show")
    assert len(packed) == len(drawn)
    for key, rest in drawn.items():
        assert packed.find(key) == (key, *rest)
    for key in strangers:
        assert (packed.find(key) is None) is (key not in drawn)
    assert [entry.identifier for entry in packed] == sorted(drawn)


@pytest.mark.parametrize("prefix", [bytes(4), b"\xff" * 4, b"\x80\0\0\0", b"", bytes(8)])
@pytest.mark.parametrize("count", [1, 2, 3, 50, 700])
def test_a_list_whose_identifiers_are_not_evenly_spread_is_searched_all_the_same(prefix, count):
    digests = [hashlib.sha256(b"%d" % number).digest() for number in range(2 * count)]
    identifiers = [(prefix + digest)[:16] for digest in digests]
    listed, strangers = identifiers[:count], identifiers[count:]
    packed = PackedList(pack("show", [Entry(one, 0, TicketState.VALID) for one in listed]), "show")
    assert all(packed.find(one) == (one, 0, TicketState.VALID) for one in listed)
    assert not any(packed.find(one) for one in (*strangers, bytes(16), b"\xff" * 16))


@given(st.permutations(ENTRIES))
def test_the_bytes_do_not_depend_on_the_order_of_the_entries(order):
    assert pack("show", iter(order)) == SNAPSHOT


def test_the_layout_is_final():
    owner = hashlib.sha256(b"show").digest()
    assert (
        b"".join(
            (
                b"TGL1",
                bytes.fromhex("0001 0010 00000000 0000000000000003"),
                owner,
                bytes(12),
                bytes([0] * 16 + [1] * 16 + [2] * 16),
                bytes.fromhex("0000 0001 0002"),
                bytes([0, 3, 4]),
            )
        )
        == SNAPSHOT
    )
    assert (HEADER_BYTES, ENTRY_BYTES) == (64, 19)
    assert performance_digest("show") == owner


def test_the_numbers_of_the_states_are_final():
    words = ["valid", "canceled", "reissued", "blocked", "unpaid", "incomplete"]
    assert [state.value for state in STATES] == words


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (Entry(bytes(15), 0, TicketState.VALID), "16 bytes"),
        (Entry(bytes(17), 0, TicketState.VALID), "16 bytes"),
        (Entry(ENTRIES[1].identifier, 0, TicketState.VALID), "occurs twice"),
        (Entry(bytes([9] * 16), 65_535, TicketState.VALID), "class index"),
        (Entry(bytes([9] * 16), -1, TicketState.VALID), "class index"),
    ],
)
def test_what_does_not_fit_the_file_is_not_packed(entry, problem):
    with pytest.raises(ValueError, match=problem):
        pack("show", [*ENTRIES, entry])


def test_the_identifier_of_zeros_is_packed_and_found():
    packed = PackedList(pack("show", [Entry(bytes(16), 1, TicketState.VALID)]), "show")
    assert packed.find(bytes(16)) == (bytes(16), 1, TicketState.VALID)


def test_a_list_of_nobody_is_a_list():
    packed = PackedList(pack("show", []), "show")
    assert len(packed) == 0
    assert packed.find(bytes(16)) is None


def test_a_packed_list_of_another_performance_is_foreign():
    with pytest.raises(ForeignListError, match="matinee"):
        PackedList(SNAPSHOT, "matinee")


def test_a_packed_list_cut_off_anywhere_is_no_list():
    for size in range(len(SNAPSHOT)):
        with pytest.raises(ListFormatError):
            PackedList(SNAPSHOT[:size], "show")
    with pytest.raises(ListFormatError):
        PackedList(SNAPSHOT + b"\0", "show")


@pytest.mark.parametrize("place", range(16))
def test_an_altered_head_is_no_list(place):
    altered = bytearray(SNAPSHOT)
    altered[place] ^= 0x80
    with pytest.raises(ListFormatError):
        PackedList(bytes(altered), "show")


def test_a_count_beyond_all_bounds_is_refused_before_anything_is_read():
    head = SNAPSHOT[:12] + b"\xff" * 8 + SNAPSHOT[20:HEADER_BYTES]
    with pytest.raises(ListFormatError, match="do not hold"):
        PackedList(head, "show")


def test_a_state_from_the_future_is_an_error_and_not_a_ticket():
    packed = PackedList(SNAPSHOT[:-1] + b"\x06", "show")
    assert packed.find(ENTRIES[0].identifier) == ENTRIES[0]
    with pytest.raises(ListFormatError, match="unknown ticket state 6"):
        packed.find(ENTRIES[2].identifier)


def test_a_ticket_that_points_beyond_the_class_table_is_no_ticket_of_this_list():
    packed = PackedList(SNAPSHOT, "show")
    packed.check_columns(3)
    with pytest.raises(ListFormatError, match="of class 2, there are 2"):
        packed.check_columns(2)
    PackedList(pack("show", []), "show").check_columns(0)


def test_a_state_from_the_future_is_found_before_the_list_is_used():
    with pytest.raises(ListFormatError, match="unknown ticket state 6"):
        PackedList(SNAPSHOT[:-3] + b"\x06\x00\x00", "show").check_columns(3)


@half
@given(st.binary(max_size=200))
@example(b"")
@example(SNAPSHOT[:HEADER_BYTES])
def test_hostile_bytes_are_no_list(blob):
    with pytest.raises(ListError):
        PackedList(blob, "show")


# --- believing a manifest ---------------------------------------------------------------------


def accept(manifest, *, signer=SIGNER, **given_):
    raw = seal_envelope(MANIFEST_TYPE, encode_manifest(manifest), [signer])
    known = {"performance": "show", "trusted": TRUSTED, "installed": None, "now": NOON}
    return accept_manifest(raw, **{**known, **given_})


def test_a_manifest_by_a_trusted_key_is_believed(new_manifest):
    manifest = new_manifest(SNAPSHOT)
    assert accept(manifest) == manifest


def test_a_manifest_by_nobody_that_we_trust_is_a_signature_error(new_manifest):
    with pytest.raises(SignatureError):
        accept(new_manifest(SNAPSHOT), signer=STRANGER)
    with pytest.raises(SignatureError):
        accept(new_manifest(SNAPSHOT), trusted=Signers((), 1))


def test_a_manifest_of_another_performance_is_foreign(new_manifest):
    with pytest.raises(ForeignListError, match="matinee"):
        accept(new_manifest(SNAPSHOT, performance="matinee"))


def test_a_lower_version_is_a_rollback(new_manifest):
    with pytest.raises(RollbackError, match="6 -> 5"):
        accept(new_manifest(SNAPSHOT), installed=Installed(6, "0" * 64))


def test_the_same_version_with_another_content_is_a_rollback(new_manifest):
    with pytest.raises(RollbackError, match="second time"):
        accept(new_manifest(SNAPSHOT), installed=Installed(5, "0" * 64))


def test_the_same_version_again_and_a_higher_one_are_believed(new_manifest):
    manifest = new_manifest(SNAPSHOT)
    assert accept(manifest, installed=Installed(5, manifest.chain)) == manifest
    assert accept(manifest, installed=Installed(4, "0" * 64)) == manifest


def test_a_list_expires_at_its_last_instant_and_not_before(new_manifest):
    manifest = new_manifest(SNAPSHOT, not_after=NOON)
    assert accept(manifest, now=NOON - timedelta(microseconds=1)) == manifest
    with pytest.raises(ListExpiredError, match="version 5"):
        accept(manifest, now=NOON)


def test_without_a_trusted_clock_a_list_does_not_expire_here(new_manifest):
    manifest = new_manifest(SNAPSHOT, not_after=NOON)
    assert accept(manifest, now=None) == manifest


def test_a_list_that_was_never_to_expire_does_not(new_manifest):
    manifest = new_manifest(SNAPSHOT)
    assert accept(manifest, now=NOON + timedelta(days=36_500)) == manifest


def test_who_signed_is_asked_before_what_it_says(new_manifest):
    manifest = new_manifest(SNAPSHOT, performance="matinee", version=1, not_after=NOON)
    with pytest.raises(SignatureError):
        accept(manifest, signer=STRANGER, installed=Installed(9, "0" * 64))


def test_any_bit_altered_in_a_signed_manifest_leaves_it_refused_or_the_same(new_manifest):
    manifest = new_manifest(SNAPSHOT)
    raw = seal_envelope(MANIFEST_TYPE, encode_manifest(manifest), [SIGNER])
    for place in range(len(raw)):
        altered = bytearray(raw)
        altered[place] ^= 1 << place % 8
        try:
            read = accept_manifest(
                bytes(altered), performance="show", trusted=TRUSTED, installed=None, now=None
            )
        except ListError:
            continue
        assert read == manifest  # the key's name is a hint, and no part of what is signed


# --- believing a snapshot ---------------------------------------------------------------------


def test_the_snapshot_that_was_signed_is_believed(new_manifest):
    check_snapshot(new_manifest(SNAPSHOT), SNAPSHOT)


def test_a_snapshot_with_any_bit_altered_is_a_digest_error(new_manifest):
    manifest = new_manifest(SNAPSHOT)
    for place in range(len(SNAPSHOT)):
        for bit in range(8):
            altered = bytearray(SNAPSHOT)
            altered[place] ^= 1 << bit
            with pytest.raises(DigestError):
                check_snapshot(manifest, bytes(altered))


def test_a_snapshot_cut_anywhere_or_grown_is_a_digest_error(new_manifest):
    manifest = new_manifest(SNAPSHOT)
    for size in range(len(SNAPSHOT)):
        with pytest.raises(DigestError, match="bytes, the manifest says"):
            check_snapshot(manifest, SNAPSHOT[:size])
    with pytest.raises(DigestError):
        check_snapshot(manifest, SNAPSHOT + b"\0")


def test_the_snapshot_of_another_version_is_a_digest_error(new_manifest):
    other = pack("show", [*ENTRIES[:2], ENTRIES[2]._replace(state=TicketState.VALID)])
    with pytest.raises(DigestError, match="its digest differs"):
        check_snapshot(new_manifest(SNAPSHOT), other)


def test_another_list_key_is_foreign(new_manifest):
    check_list_key(new_manifest(SNAPSHOT), bytes(32))
    with pytest.raises(ForeignListError, match="list key"):
        check_list_key(new_manifest(SNAPSHOT), bytes([1] * 32))
