"""What tickets say, sealed: only the presented number opens its own record."""

import hashlib
import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admission.errors import ForeignListError, ListError, ListFormatError, SignatureError
from admission.limits import ATTRIBUTES_BYTES_MAX
from admission.ticketlist.attributes import (
    NOTHING,
    RECORD_SIZES,
    TRAVELLING,
    Attributes,
    limited,
    pack_record,
    read_record,
)
from admission.ticketlist.identifiers import identify
from admission.ticketlist.manifest import decode_manifest, encode_manifest, pieces_of
from admission.ticketlist.pieces import AttributesRef, check_attributes
from admission.ticketlist.sealed_file import (
    SealedFile,
    find_record,
    least_bytes,
    open_attributes,
    pack_sealed,
)
from admission.trust.sealing import RECORD_OVERHEAD_BYTES, open_record, seal_record

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
SEAT = Attributes(zone="Tribune Nord", row="12", seat="345")
NAMED = Attributes("A", "1", "2", "Porte B", "!", "Dupont", "Zoé", "SA", "fauteuil", {"menu": "v"})
texts = st.text(max_size=30)
everything = st.builds(
    Attributes,
    *[texts] * 9,
    st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
)


def sealed(number: str, said: Attributes, key: bytes = KEY) -> tuple[bytes, bytes]:
    return identify(key, number), seal_record(pack_record(said), key, number)


FILE = pack_sealed("show", [sealed("T1", SEAT), sealed("T2", NAMED), sealed("T3", NOTHING)])


def said(number: str, *files: bytes, identifier: bytes | None = None, key: bytes = KEY):
    opened = [SealedFile(raw, "show") for raw in files]
    return open_attributes(opened, identifier or identify(KEY, number), key, number)


# --- a record -------------------------------------------------------------------------------------


@given(everything)
def test_a_record_says_what_was_put_into_it(attributes):
    assert read_record(pack_record(attributes)) == attributes


def test_records_have_a_few_sizes_only():
    seats = {len(pack_record(Attributes(zone="A", seat=str(n)))) for n in range(2_000)}
    assert seats == {32}
    assert len(pack_record(NOTHING)) == 32
    assert len(pack_record(Attributes(note="x" * 100))) == 128
    assert tuple(sorted(RECORD_SIZES)) == RECORD_SIZES


def test_of_a_record_that_is_too_large_notes_and_extras_stay_behind():
    long = Attributes(*["é" * 50] * 8, "n" * 100, {str(n): "x" * 100 for n in range(9)})
    kept = read_record(pack_record(long))
    assert (kept.holder_last, kept.note, kept.extra) == ("é" * 50, "", {})
    with pytest.raises(ValueError, match="over 1024"):
        pack_record(Attributes(*["\N{GRINNING FACE}" * 100] * 9))


def test_only_what_may_travel_is_left():
    assert limited(NAMED, frozenset(TRAVELLING)) == Attributes("A", "1", "2", "Porte B", "!")
    assert limited(NAMED, frozenset()) == NOTHING


def test_a_record_of_a_later_program_is_read_as_far_as_it_is_known():
    import msgspec

    body = msgspec.msgpack.encode(["A", "1", "2", "", "", "", "", "", "", {}, "later"])
    raw = (len(body).to_bytes(2, "big") + body).ljust(64, b"\0")
    assert read_record(raw) == Attributes("A", "1", "2")


@given(st.binary(max_size=64))
def test_hostile_bytes_are_a_record_or_a_format_error(raw):
    with suppress(ListFormatError):
        read_record(raw)


# --- sealing --------------------------------------------------------------------------------------


def test_a_record_opens_under_its_own_number_and_key_only():
    record = pack_record(SEAT)
    raw = seal_record(record, KEY, "T1")
    assert open_record(raw, KEY, "T1") == record
    for key, number in ((KEY, "T2"), (OTHER, "T1"), (KEY, "T1 "), (KEY, "")):
        with pytest.raises(SignatureError, match="another number or list key"):
            open_record(raw, key, number)


def test_any_bit_altered_or_cut_opens_nothing():
    raw = seal_record(pack_record(SEAT), KEY, "T1")
    for place in range(len(raw)):
        with pytest.raises(SignatureError):
            open_record(raw[:place], KEY, "T1")
        for bit in range(8):
            altered = raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]
            with pytest.raises(SignatureError):
                open_record(altered, KEY, "T1")


def test_the_same_record_is_the_same_bytes_and_another_has_another_nonce():
    one, two = pack_record(SEAT), pack_record(NOTHING)
    assert seal_record(one, KEY, "T1") == seal_record(one, KEY, "T1")
    assert seal_record(one, KEY, "T1")[:12] != seal_record(two, KEY, "T1")[:12]
    assert seal_record(one, KEY, "T1") != seal_record(one, KEY, "T2")
    assert len(seal_record(one, KEY, "T1")) == len(one) + RECORD_OVERHEAD_BYTES


def test_the_identifier_that_stands_in_the_list_gives_nothing_of_the_record_key_away():
    from admission.trust import sealing

    derived = b"".join(sealing._record_keys(KEY, "T1"))
    identifier = identify(KEY, "T1")
    whole = hashlib.sha256(identifier).digest()
    assert identifier not in derived
    assert identifier[:8] not in derived
    assert whole not in derived


# --- a file of records ----------------------------------------------------------------------------


def test_a_presented_ticket_opens_its_own_record_in_the_file():
    assert said("T1", FILE) == SEAT
    assert said("T2", FILE) == NAMED
    assert said("T3", FILE) == NOTHING
    assert said("T4", FILE) == NOTHING


def test_the_file_holds_no_word_of_what_tickets_say():
    for word in ("Dupont", "Zoé", "Tribune", "345", "T1", "T2"):
        assert word.encode() not in FILE


def test_another_tickets_record_is_found_by_nobody_and_opened_by_nobody():
    assert said("T1", FILE, identifier=identify(KEY, "T2")) == NOTHING
    assert said("T2", FILE, key=OTHER) == NOTHING


def test_a_later_file_says_what_has_changed():
    later = pack_sealed("show", [sealed("T1", NAMED), sealed("T2", NOTHING)])
    assert said("T1", FILE, later) == NAMED
    assert said("T2", FILE, later) == NOTHING  # it says nothing any more
    assert said("T1", later, FILE) == SEAT
    assert find_record([], b"x" * 16) is None


def test_a_file_is_the_same_whatever_the_order_and_goes_over_its_records_in_order():
    records = [sealed("T1", SEAT), sealed("T2", NAMED), sealed("T3", NOTHING)]
    assert pack_sealed("show", records[::-1]) == FILE
    assert list(SealedFile(FILE, "show")) == sorted(records)
    assert len(SealedFile(pack_sealed("show", []), "show")) == 0


@pytest.mark.parametrize(
    "records",
    [
        [sealed("T1", SEAT), sealed("T1", NAMED)],
        [(b"short", bytes(60))],
        [(bytes(16), bytes(61))],
    ],
)
def test_a_file_of_what_cannot_be_is_not_written(records):
    with pytest.raises(ValueError, match=r"identifier|sealed record"):
        pack_sealed("show", records)


def test_a_file_cut_off_or_of_another_performance_is_refused():
    for size in range(least_bytes(3)):
        with pytest.raises(ListFormatError):
            SealedFile(FILE[:size], "show")
    with pytest.raises(ForeignListError):
        SealedFile(FILE, "matinee")


@pytest.mark.parametrize(
    ("begin", "end"),
    [(0, 60), (1 << 63, 60), (500, 400), (least_bytes(3), least_bytes(3) + 61), (100, 1 << 40)],
)
def test_a_record_that_is_not_within_its_file_is_refused(begin, end):
    at = 64 + 3 * 16
    raw = FILE[:at] + struct.pack(">2Q", begin, end) + FILE[at + 16 :]
    first, _ = next(iter(SealedFile(FILE, "show")))
    with pytest.raises(ListFormatError):
        SealedFile(raw, "show").find(first)


@settings(max_examples=settings.default.max_examples // 2)
@given(place=st.integers(0, len(FILE) - 1), mask=st.integers(1, 255))
def test_an_altered_file_opens_what_was_sealed_or_nothing(place, mask):
    raw = FILE[:place] + bytes([FILE[place] ^ mask]) + FILE[place + 1 :]
    with suppress(ListError):
        assert said("T1", raw) in (SEAT, NOTHING)


# --- in the manifest ------------------------------------------------------------------------------

REF = AttributesRef(version=5, size=len(FILE), sha256=hashlib.sha256(FILE).hexdigest(), count=3)


def test_a_manifest_names_its_sealed_files_and_without_any_is_what_it_was(new_manifest):
    manifest = new_manifest(attributes=(REF,))
    assert decode_manifest(encode_manifest(manifest)) == manifest
    assert pieces_of(manifest)[-1] == ("attributes 5", REF)
    assert [name for name, _ in pieces_of(new_manifest())] == ["snapshot"]


def test_sealed_files_that_do_not_fit_together_are_refused_before_any_is_fetched():
    def ref(version: int, size: int = 10_000, count: int = 3) -> AttributesRef:
        return AttributesRef(version=version, size=size, sha256="0" * 64, count=count)

    check_attributes(9, [ref(1), ref(9)])
    for version, files, reason in (
        (9, [ref(2), ref(2)], "follow 2"),
        (9, [ref(10)], "follow 0"),
        (9, [ref(1, 10_000, 500)], "are no 500 records"),
        (9, [ref(1, ATTRIBUTES_BYTES_MAX), ref(2)], "are over"),
    ):
        with pytest.raises(ListFormatError, match=reason):
            check_attributes(version, files)
