"""Segments: what they say, what they may not say, and that a list with them is what was meant."""

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admission.errors import DigestError, ForeignListError, ListError, ListFormatError
from admission.limits import SEGMENT_ENTRIES_MAX, SEGMENTS_MAX
from admission.ticket import TicketState
from admission.ticketlist.acceptance import check_segments
from admission.ticketlist.manifest import decode_manifest, encode_manifest
from admission.ticketlist.overlay import NO_CHANGES, layered
from admission.ticketlist.packed import Entry, PackedList, pack
from admission.ticketlist.pieces import FileRef, SegmentRef, bases, chain_of, check_pieces
from admission.ticketlist.segment import (
    SEGMENT_HEADER_BYTES,
    Base,
    Change,
    pack_segment,
    read_segment,
    segment_bytes,
)

VALID, BLOCKED = TicketState.VALID, TicketState.BLOCKED
BASE = Base(5, bytes(range(32)))
CHANGES = [
    Change(b"b" * 16, 1, VALID),
    Change(b"a" * 16, 0, None),
    Change(b"c" * 16, 65_534, BLOCKED),
]
SEGMENT = pack_segment("show", BASE, CHANGES)
NOON = datetime(2026, 7, 14, 12, tzinfo=UTC)


def overlay_of(raw, base=BASE):
    return NO_CHANGES.under([read_segment(raw, "show", base)])


def reference(raw: bytes, version: int) -> SegmentRef:
    count = (len(raw) - SEGMENT_HEADER_BYTES) // 19
    return SegmentRef(
        version=version, size=len(raw), sha256=hashlib.sha256(raw).hexdigest(), count=count
    )


# --- one segment ----------------------------------------------------------------------------------


def test_a_segment_says_what_was_put_into_it_in_order():
    assert list(overlay_of(SEGMENT)) == [
        (b"a" * 16, None),
        (b"b" * 16, Entry(b"b" * 16, 1, VALID)),
        (b"c" * 16, Entry(b"c" * 16, 65_534, BLOCKED)),
    ]
    assert len(SEGMENT) == segment_bytes(3) == 96 + 3 * 19


def test_a_segment_is_the_same_bytes_whatever_the_order_it_was_given_in():
    assert pack_segment("show", BASE, reversed(CHANGES)) == SEGMENT


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [CHANGES[0], CHANGES[0]._replace(class_index=2)],
        [Change(b"short", 0, VALID)],
        [Change(bytes(16), -1, VALID)],
        [Change(bytes(16), 65_535, VALID)],
        [Change(bytes(16), 1, None)],
    ],
    ids=["none", "doubled", "short", "below the table", "beyond any table", "gone with a class"],
)
def test_a_segment_of_what_a_list_cannot_hold_is_not_written(changes):
    with pytest.raises(ValueError, match=r"segment has|twice|16 bytes|class index"):
        pack_segment("show", BASE, changes)


def test_a_segment_of_another_performance_is_foreign():
    with pytest.raises(ForeignListError):
        read_segment(SEGMENT, "matinee", BASE)


@pytest.mark.parametrize("base", [Base(4, BASE.chain), Base(5, bytes(32))])
def test_a_segment_that_follows_another_piece_is_refused(base):
    with pytest.raises(ListFormatError, match="not the piece before it"):
        read_segment(SEGMENT, "show", base)


def test_a_segment_cut_anywhere_or_grown_is_refused():
    for size in range(len(SEGMENT)):
        with pytest.raises(ListFormatError, match=r"too few|do not hold|not a segment"):
            read_segment(SEGMENT[:size], "show", BASE)
    with pytest.raises(ListFormatError, match="do not hold"):
        read_segment(SEGMENT + b"\0", "show", BASE)


def altered(place: int, value: bytes) -> bytes:
    return SEGMENT[:place] + value + SEGMENT[place + len(value) :]


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (0, b"TGL1", "not a segment"),
        (4, b"\0\2", "not a segment"),
        (6, b"\0\x08", "not a segment"),
        (8, b"\0\0\0\1", "not a segment"),
        (12, b"\xff" * 8, "do not hold"),
        (96, b"z" * 16, "not in order"),
        (96, b"b" * 16, "not in order"),
        (len(SEGMENT) - 1, b"\x06", "unknown ticket state 6"),
        (len(SEGMENT) - 1, b"\xfe", "unknown ticket state 254"),
    ],
)
def test_what_a_segment_cannot_be_is_refused_before_it_is_used(place, value, reason):
    with pytest.raises(ListFormatError, match=reason):
        read_segment(altered(place, value), "show", BASE)


def test_a_segment_of_no_tickets_is_refused():
    empty = SEGMENT[:12] + bytes(8) + SEGMENT[20:96]
    with pytest.raises(ListFormatError, match="do not hold a segment of 0"):
        read_segment(empty, "show", BASE)


def test_a_class_beyond_the_table_is_found_before_it_comes_up_at_the_door():
    overlay = overlay_of(pack_segment("show", BASE, [Change(bytes(16), 2, VALID)]))
    overlay.check_columns(3)
    with pytest.raises(ListFormatError, match="of class 2, there are 2"):
        overlay.check_columns(2)
    NO_CHANGES.check_columns(0)


@given(st.binary(max_size=200))
def test_hostile_bytes_are_no_segment(raw):
    with pytest.raises(ListError):
        read_segment(raw, "show", BASE)


@given(place=st.integers(0, len(SEGMENT) - 1), mask=st.integers(1, 255))
def test_an_altered_segment_is_read_or_refused_and_nothing_else(place, mask):
    raw = altered(place, bytes([SEGMENT[place] ^ mask]))
    try:
        overlay = overlay_of(raw)
    except ListError:
        return
    assert len(list(overlay)) == 3


# --- snapshot and segments together ---------------------------------------------------------------

identifiers = st.integers(0, 40).map(lambda n: hashlib.sha256(bytes([n])).digest()[:16])
tickets = st.tuples(st.integers(0, 9), st.sampled_from(TicketState))
deltas = st.lists(
    st.dictionaries(identifiers, st.none() | tickets, min_size=1, max_size=12), max_size=6
)


@given(snapshot=st.dictionaries(identifiers, tickets, max_size=30), steps=deltas)
def test_a_list_with_segments_is_what_a_dictionary_says_it_is(snapshot, steps):
    packed = PackedList(pack("show", [Entry(k, *v) for k, v in snapshot.items()]), "show")
    model, overlay, base = dict(snapshot), NO_CHANGES, BASE
    for step in steps:
        changes = [Change(k, *(v or (0, None))) for k, v in step.items()]
        raw = pack_segment("show", base, changes)
        overlay = overlay.under([read_segment(raw, "show", base)])
        base = Base(base.version + 1, hashlib.sha256(raw).digest())
        model |= step
    entries = layered(packed, overlay)
    listed = {k: v for k, v in model.items() if v is not None}
    assert len(entries) == len(listed)
    for n in range(42):
        identifier = hashlib.sha256(bytes([n])).digest()[:16]
        expected = listed.get(identifier)
        assert entries.find(identifier) == (expected and Entry(identifier, *expected))


@given(steps=deltas)
def test_segments_laid_over_one_by_one_or_at_once_come_to_the_same(steps):
    read = []
    for step in steps:
        raw = pack_segment("show", BASE, [Change(k, *(v or (0, None))) for k, v in step.items()])
        read.append(read_segment(raw, "show", BASE))
    one_by_one = NO_CHANGES
    for columns in read:
        one_by_one = one_by_one.under([columns])
    assert list(one_by_one) == list(NO_CHANGES.under(read))


def test_a_list_that_no_segment_changes_is_searched_without_them():
    packed = PackedList(pack("show", ()), "show")
    assert layered(packed, NO_CHANGES) is packed


# --- what a manifest says of its pieces -----------------------------------------------------------

SNAPSHOT = pack("show", [Entry(b"a" * 16, 0, VALID)])
FIRST = pack_segment("show", Base(5, hashlib.sha256(SNAPSHOT).digest()), CHANGES[:1])
SNAPSHOT_REF = FileRef(
    version=5, size=len(SNAPSHOT), sha256=hashlib.sha256(SNAPSHOT).hexdigest(), count=1
)
FIRST_REF = reference(FIRST, 6)
*_, AFTER_FIRST = bases(SNAPSHOT_REF, [FIRST_REF])
SECOND = pack_segment("show", AFTER_FIRST, CHANGES[1:])
SECOND_REF = reference(SECOND, 8)
REFS = (FIRST_REF, SECOND_REF)
CHAIN = chain_of(SNAPSHOT_REF, REFS)


def test_the_chain_is_that_of_the_digests_in_order():
    chain = hashlib.sha256(SNAPSHOT).digest()
    for raw in (FIRST, SECOND):
        chain = hashlib.sha256(chain + hashlib.sha256(raw).digest()).digest()
    assert chain.hex() == CHAIN
    assert chain_of(SNAPSHOT_REF, ()) == SNAPSHOT_REF.sha256
    assert chain_of(SNAPSHOT_REF, REFS[::-1]) != CHAIN


@pytest.fixture
def manifest(new_manifest):
    return new_manifest(SNAPSHOT, version=8, chain=CHAIN, segments=REFS)


def test_a_manifest_with_segments_is_read_back_and_its_segments_are_believed(manifest):
    assert decode_manifest(encode_manifest(manifest)) == manifest
    columns = check_segments(manifest, [FIRST, SECOND])
    assert [len(one) for one in columns] == [1, 2]
    assert [len(one) for one in check_segments(manifest, [SECOND], after=1)] == [2]


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        ([SECOND, FIRST], DigestError),
        ([FIRST], DigestError),
        ([FIRST, SECOND, SECOND], DigestError),
        ([FIRST, SECOND[:-1]], DigestError),
        ([FIRST, FIRST], DigestError),
    ],
)
def test_segments_that_are_not_those_of_the_manifest_are_refused(manifest, raw, error):
    with pytest.raises(error):
        check_segments(manifest, raw)


def refuse(reason, *, version=8, chain=None, snapshot=SNAPSHOT_REF, segments=REFS):
    with pytest.raises(ListFormatError, match=reason):
        check_pieces(version, chain or chain_of(snapshot, segments), snapshot, segments)


def test_pieces_that_do_not_fit_together_are_refused_before_any_is_fetched():
    check_pieces(8, CHAIN, SNAPSHOT_REF, REFS)
    check_pieces(9, CHAIN, SNAPSHOT_REF, REFS)
    refuse("has a piece of version 8", version=7)
    refuse("has a piece of version 5", version=4, segments=())
    refuse("segment 6 follows 8", segments=REFS[::-1])
    refuse("segment 5 follows 5", segments=(reference(FIRST, 5),))
    refuse("chain", chain=SNAPSHOT_REF.sha256)
    refuse("chain", chain=chain_of(SNAPSHOT_REF, REFS[::-1]))
    sized = FileRef(version=5, size=84, sha256="0" * 64, count=1)
    refuse("84 bytes are no snapshot of 1", snapshot=sized, segments=())
    uneven = SegmentRef(version=6, size=116, sha256="0" * 64, count=1)
    refuse("116 bytes are no segment of 1", segments=(uneven,))


def test_more_changes_than_a_gate_holds_are_refused_before_any_is_fetched():
    half = SEGMENT_ENTRIES_MAX // 2 + 1
    refs = [
        SegmentRef(version=n, size=segment_bytes(half), sha256="0" * 64, count=half) for n in (6, 7)
    ]
    refuse("hold over 200000 tickets", segments=refs)


def test_a_manifest_names_no_more_segments_than_its_cap(new_manifest):
    refs = tuple(
        SegmentRef(version=6 + n, size=segment_bytes(1), sha256="0" * 64, count=1)
        for n in range(SEGMENTS_MAX + 1)
    )
    for count in (SEGMENTS_MAX, SEGMENTS_MAX + 1):
        manifest = new_manifest(
            SNAPSHOT,
            version=100,
            chain=chain_of(SNAPSHOT_REF, refs[:count]),
            segments=refs[:count],
        )
        if count == SEGMENTS_MAX:
            assert decode_manifest(encode_manifest(manifest)) == manifest
        else:
            with pytest.raises(ListFormatError, match="segments"):
                decode_manifest(encode_manifest(manifest))


@settings(max_examples=settings.default.max_examples // 2)
@given(st.lists(st.tuples(st.integers(-1, 9), st.integers(-1, 400)), max_size=3))
def test_hostile_pieces_are_read_or_refused_and_nothing_else(new_manifest, named):
    refs = [
        {"version": version, "size": 96 + 19 * count, "sha256": "0" * 64, "count": count}
        for version, count in named
    ]
    manifest = encode_manifest(new_manifest(SNAPSHOT))
    raw = manifest.replace(b'"segments":[]', f'"segments":{refs}'.replace("'", '"').encode())
    try:
        decode_manifest(raw)
    except ListFormatError:
        assert refs
