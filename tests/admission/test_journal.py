"""The journal record: its final bytes, its chain, its clock, and the facts it states."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from admission import journal
from admission.errors import JournalError
from admission.journal import PREVIOUS, Flag, Kind, Record
from admission.limits import INTEGER_MAX, JOURNAL_RECORD_BYTES_MAX
from admission.passage import FreeCrossing, Passage, Reset
from admission.scan import Direction
from admission.ticket import EntryExit, Multi, Single, TicketClass

half = settings(max_examples=settings.default.max_examples // 2)  # of what the profile says

NOON = datetime.fromisoformat("2026-07-14T12:00:00+00:00")
NOON_MS = 1_784_030_400_000

GRANTED = Record(
    kind=Kind.GRANTED,
    sequence=7,
    wall_ms=1_784_044_800_123,
    boot_ms=98_765,
    boot_id=bytes(range(16)),
    hlc=(1_784_044_800_123 << 16) | 2,
    flags=Flag.DEGRADED | Flag.CLOCK_SUSPECT,
    checkpoint="door",
    performance="show",
    identifier=bytes(range(16, 32)),
    direction=1,
    answer="granted",
    list_version=3,
    ticket_class=("vip", "multi", 10, None),
    refers_to=0,
    reader="camera",
    detail={"code": "GT-DISK", "count": 2},
    trusted_ms=1_784_044_800_125,
)

# written out from the msgpack specification, field by field
GRANTED_BYTES = bytes.fromhex(
    "dc 0013"  # an array of 19
    "02"  # format
    "0b"  # kind: 11
    "07"  # sequence
    "cf 0000019f615b487b"  # wall_ms
    "ce 000181cd"  # boot_ms
    "c410 000102030405060708090a0b0c0d0e0f"  # boot_id
    "cf 019f615b487b0002"  # hlc: 48 bits of milliseconds, 16 of count
    "06"  # flags
    "a4 646f6f72"  # checkpoint: door
    "a4 73686f77"  # performance: show
    "c410 101112131415161718191a1b1c1d1e1f"  # identifier
    "01"  # direction: entry
    "a7 6772616e746564"  # answer: granted
    "03"  # list_version
    "94 a3766970 a56d756c7469 0a c0"  # ticket_class: vip, multi, 10, none
    "00"  # refers_to
    "a6 63616d657261"  # reader: camera
    "82 a4636f6465 a747542d4449534b a5636f756e74 02"  # detail
    "cf 0000019f615b487d"  # trusted_ms
)
SHORTEST = Record(kind=Kind.JOURNAL_NEW, sequence=1, wall_ms=0, boot_ms=0, boot_id=b"")
SHORTEST_BYTES = bytes.fromhex(
    "dc0013 02 01 01 00 00 c400 00 00 a0 a0 c400 00 a0 00 c0 00 a0 80 00"
)


@pytest.mark.parametrize(("record", "blob"), [(GRANTED, GRANTED_BYTES), (SHORTEST, SHORTEST_BYTES)])
def test_the_layout_of_a_record_is_final(record, blob):
    assert journal.encode(record) == blob
    assert journal.decode(blob) == record


def test_the_numbers_of_kinds_and_flags_are_final():
    assert {kind.name: kind.value for kind in Kind} == {
        "JOURNAL_NEW": 1,
        "BOOT": 2,
        "DENIED": 10,
        "GRANTED": 11,
        "PASSED": 12,
        "NOT_PASSED": 13,
        "FORCED": 14,
        "TAILGATED": 15,
        "FREE": 16,
        "RESET": 17,
        "LIST_ACTIVATED": 20,
        "LIST_REFUSED": 21,
        "CLOCK_STEP": 30,
        "ALARM": 31,
        "FAULT": 32,
        "COMMAND": 33,
        "FREE_PASSAGE": 34,
    }
    assert {flag.name: flag.value for flag in Flag} == {
        "STALE": 1,
        "DEGRADED": 2,
        "CLOCK_SUSPECT": 4,
        "OVERRIDE": 8,
        "UNRESOLVED": 16,
        "NO_SENSOR": 32,
        "EXIT_POLICY": 64,
        "PROVEN": 128,
        "HINTED": 256,
        "KEYED": 512,
    }


def test_the_directions_are_final():
    assert journal.direction_code(Direction.ENTRY) == 1
    assert journal.direction_code(Direction.EXIT) == 2


names = st.text(max_size=200)
whole = st.integers(0, INTEGER_MAX)
records = st.builds(
    Record,
    kind=st.sampled_from(Kind).map(int),
    sequence=whole,
    wall_ms=st.integers(-(1 << 63), INTEGER_MAX),
    boot_ms=st.integers(-(1 << 63), INTEGER_MAX),
    boot_id=st.binary(max_size=16),
    hlc=whole,
    flags=st.integers(0, 127),
    checkpoint=names,
    performance=names,
    identifier=st.binary(max_size=64),
    direction=st.integers(0, 2),
    answer=st.text(max_size=30),
    list_version=whole,
    ticket_class=st.none()
    | st.tuples(names, st.sampled_from(("single", "multi")), st.none() | whole, st.none() | whole),
    refers_to=whole,
    reader=st.text(max_size=30),
    detail=st.dictionaries(st.text(max_size=9), st.text(max_size=9) | whole, max_size=3),
    trusted_ms=whole,
)


@half
@given(records)
def test_what_was_written_is_read_back(record):
    assert journal.decode(journal.encode(record)) == record


@half
@given(st.lists(st.none() | st.integers() | st.text() | st.binary(), min_size=1, max_size=5))
def test_fields_of_later_formats_are_passed_over(appended):
    appended = [field for field in appended if not isinstance(field, int) or abs(field) < 1 << 63]
    body = msgspec.msgpack.encode([*msgspec.msgpack.decode(GRANTED_BYTES), *appended])
    assert journal.decode(body) == GRANTED


def test_fields_that_a_shorter_format_left_out_have_their_defaults():
    shorter = journal.decode(bytes.fromhex("96 01 01 01 00 00 c400"))
    assert shorter == msgspec.structs.replace(SHORTEST, format=1)


def test_a_record_of_the_first_format_has_no_trusted_time_and_is_dated_by_the_wall_clock():
    blob = bytes.fromhex("dc0012 01") + GRANTED_BYTES[4:-9]
    record = journal.decode(blob)
    assert record == msgspec.structs.replace(GRANTED, format=1, trusted_ms=0)
    assert journal.own_instant(record) == journal.instant(record.wall_ms)


def test_a_fact_is_dated_by_the_trusted_time_that_it_was_judged_by():
    passed = msgspec.structs.replace(GRANTED, kind=int(Kind.PASSED), wall_ms=0)
    assert journal.fact_of("j", passed).at == journal.instant(GRANTED.trusted_ms)
    assert journal.pending_of("j", passed).at == journal.instant(GRANTED.trusted_ms)


# --- hostile bytes ----------------------------------------------------------------------------


def survives(blob):
    """Read hostile bytes as a server does; tell whether they made a record."""
    try:
        record = journal.decode(blob)
        journal.fact_of("j", record)
    except JournalError:
        return False
    return True


@half
@given(st.binary(max_size=300))
@example(b"")
@example(b"\x92" * 4096)
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\xdf\xff\xff\xff\xff")
@example(b"\xc6\xff\xff\xff\xff")
@example(bytes.fromhex("dc0014") + SHORTEST_BYTES[3:] + b"\x91" * 4000)
def test_hostile_bytes_are_refused_as_a_broken_journal(blob):
    assert not survives(blob)


@half
@given(st.data())
def test_a_record_that_was_altered_is_read_or_refused_and_nothing_else(data):
    blob = bytearray(GRANTED_BYTES)
    for _ in range(data.draw(st.integers(1, 3))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    survives(bytes(blob[: data.draw(st.integers(0, len(blob)))]))


def test_text_that_is_not_utf_8_is_no_record():
    with pytest.raises(JournalError, match="not a journal record"):
        journal.decode(GRANTED_BYTES.replace(b"door", b"d\xff\xfer"))


def test_nesting_without_end_is_a_record_without_it_or_no_record():
    # CPython 3.11 gives up at such a depth, 3.13 does not: then it is a later format's field
    nested = bytes.fromhex("dc0014") + SHORTEST_BYTES[3:] + b"\x91" * 4000 + b"\x01"
    try:
        record = journal.decode(nested)
    except JournalError as exc:
        assert "not a journal record" in str(exc)  # noqa: PT017 (either outcome is right)
    else:
        assert journal.encode(record) == SHORTEST_BYTES


@pytest.mark.parametrize(
    "fields",
    [
        {"sequence": INTEGER_MAX + 1},
        {"sequence": -1},
        {"wall_ms": INTEGER_MAX + 1},
        {"hlc": INTEGER_MAX + 1},
        {"boot_ms": INTEGER_MAX + 1},
        {"flags": -1},
        {"list_version": INTEGER_MAX + 1},
        {"checkpoint": "x" * 201},
        {"performance": "x" * 201},
        {"identifier": bytes(65)},
        {"boot_id": bytes(17)},
        {"ticket_class": ("x" * 201, "single", None, None)},
        {"ticket_class": ("x", "multi", INTEGER_MAX + 1, None)},
    ],
)
def test_what_would_fit_no_database_and_no_message_is_no_record(fields):
    blob = journal.encode(msgspec.structs.replace(SHORTEST, **fields))
    with pytest.raises(JournalError, match="not a journal record"):
        journal.decode(blob)


def test_a_record_has_a_greatest_size_in_both_directions():
    room = JOURNAL_RECORD_BYTES_MAX - len(SHORTEST_BYTES) - 6  # fixmap, key "k", str 16
    longest = msgspec.structs.replace(SHORTEST, detail={"k": "x" * (room + 1)})
    blob = journal.encode(longest)
    assert len(blob) == JOURNAL_RECORD_BYTES_MAX
    assert journal.decode(blob) == longest
    longer = msgspec.structs.replace(SHORTEST, detail={"k": "x" * (room + 2)})
    with pytest.raises(ValueError, match="is over 4096"):
        journal.encode(longer)
    with pytest.raises(JournalError, match="is over 4096"):
        journal.decode(msgspec.msgpack.encode(longer))


# --- chain ------------------------------------------------------------------------------------


def test_the_chain_begins_with_the_journals_own_name():
    assert journal.genesis("j") == hashlib.sha256(b"portillon-journal-1\0j").digest()
    assert journal.genesis("0190aaaa").hex() == (
        "f5b0e6aaa15daa68525c7e84c6c2efb26b830ab0669235e4aba383268ffac9b2"
    )
    assert journal.genesis("j") != journal.genesis("k")


def test_each_value_of_the_chain_is_the_digest_of_the_one_before_and_the_blob():
    first = journal.chain(journal.genesis("0190aaaa"), GRANTED_BYTES)
    assert first.hex() == "c76b18fe796dfa3673f9f3eb8d374ab3ea53f7b5d34fdb41e67df18ddddf5d84"
    assert journal.chain(first, b"next") == hashlib.sha256(first + b"next").digest()


@half
@given(st.lists(st.binary(max_size=8), min_size=1, max_size=6), st.data())
def test_a_record_altered_or_left_out_shows_in_every_later_value(blobs, data):
    def values(rows):
        value, chain = journal.genesis("j"), []
        for row in rows:
            value = journal.chain(value, row)
            chain.append(value)
        return chain

    place = data.draw(st.integers(0, len(blobs) - 1))
    altered = [*blobs[:place], blobs[place] + b"!", *blobs[place + 1 :]]
    mine, theirs = values(blobs), values(altered)
    assert mine[:place] == theirs[:place]
    assert not set(mine[place:]) & set(theirs[place:])
    assert values(blobs[:place] + blobs[place + 1 :])[-1:] != mine[-1:]


# --- hybrid clock, places, ends of grants -----------------------------------------------------


def test_the_hybrid_clock_follows_the_wall_clock_and_never_stands_still():
    first = journal.next_hlc(0, NOON_MS)
    assert first == NOON_MS << 16
    assert journal.next_hlc(first, NOON_MS) == first + 1
    assert journal.next_hlc(first + 1, NOON_MS - 5_000) == first + 2  # set back: it goes on
    assert journal.next_hlc(first + 2, NOON_MS + 1) == (NOON_MS + 1) << 16


@given(st.lists(st.integers(0, 1 << 44), min_size=1, max_size=20))
def test_the_hybrid_clock_always_rises(walls):
    values = [0]
    for wall in walls:
        values.append(journal.next_hlc(values[-1], wall))
    assert values == sorted(set(values))
    assert values[-1] >> 16 >= max(walls)


def test_a_draft_gets_its_place_and_previous_becomes_the_record_before():
    draft = msgspec.structs.replace(GRANTED, sequence=0, hlc=0, refers_to=PREVIOUS)
    record = journal.placed(draft, 12, 99)
    assert (record.sequence, record.hlc, record.refers_to) == (12, 99, 11)
    assert journal.placed(GRANTED, 12, 99).refers_to == 0
    named = msgspec.structs.replace(draft, refers_to=5)
    assert journal.placed(named, 12, 99).refers_to == 5


def test_the_end_of_a_grant_has_the_moment_of_the_scan_and_its_circumstances():
    ended = journal.ending(GRANTED, Kind.PASSED, 7, Flag.UNRESOLVED)
    assert ended == msgspec.structs.replace(
        GRANTED,
        kind=12,
        sequence=0,
        refers_to=7,
        flags=Flag.DEGRADED | Flag.CLOCK_SUSPECT | Flag.UNRESOLVED,
    )
    assert journal.ending(GRANTED, Kind.NOT_PASSED, PREVIOUS).flags == GRANTED.flags


# --- facts ------------------------------------------------------------------------------------


def record_of(kind, **fields):
    known = {
        "sequence": 3,
        "wall_ms": NOON_MS,
        "boot_ms": 0,
        "boot_id": b"",
        "checkpoint": "door",
        "performance": "show",
        "identifier": b"T1",
        "direction": 2,
    }
    return Record(kind=kind, **{**known, **fields})


PASSAGE = Passage("j", 3, NOON, "door", "show", b"T1", Direction.EXIT)


def test_a_passed_record_states_a_passage():
    assert journal.fact_of("j", record_of(Kind.PASSED)) == PASSAGE


def test_the_flags_of_a_passage_and_its_class_come_through():
    record = record_of(
        Kind.PASSED,
        flags=Flag.OVERRIDE | Flag.UNRESOLVED | Flag.STALE,
        ticket_class=("vip", "multi", None, 2),
        direction=1,
    )
    assert journal.fact_of("j", record) == replace(
        PASSAGE,
        direction=Direction.ENTRY,
        override=True,
        unresolved=True,
        ticket_class=TicketClass("vip", Multi(None, 2)),
    )


def test_a_passage_of_a_number_that_no_list_holds_has_no_performance():
    record = record_of(Kind.PASSED, performance="", identifier=b"")
    assert journal.fact_of("j", record) == replace(PASSAGE, performance=None, identifier=b"")


def test_a_reset_and_a_free_crossing_are_facts():
    assert journal.fact_of("j", record_of(Kind.RESET, direction=0)) == Reset(
        "j", 3, NOON, "door", "show", b"T1"
    )
    assert journal.fact_of("j", record_of(Kind.FREE)) == FreeCrossing(
        "j", 3, NOON, "door", Direction.EXIT
    )


@pytest.mark.parametrize("kind", [k for k in Kind if k not in (Kind.PASSED, Kind.RESET, Kind.FREE)])
def test_no_other_record_states_a_fact(kind):
    assert journal.fact_of("j", record_of(kind)) is None


def test_a_record_of_a_kind_from_the_future_states_no_fact():
    assert journal.fact_of("j", record_of(77)) is None


def test_the_corrected_instant_replaces_the_gates_own():
    fact = journal.fact_of("j", record_of(Kind.PASSED), NOON + timedelta(seconds=9))
    assert fact == replace(PASSAGE, at=NOON + timedelta(seconds=9))


def test_a_pending_grant_counts_as_the_passage_it_would_become():
    assert journal.pending_of("j", record_of(Kind.GRANTED)) == PASSAGE


@pytest.mark.parametrize(
    "fields",
    [
        {"direction": 0},
        {"direction": 3},
        {"ticket_class": ("vip", "season", None, None)},
        {"ticket_class": ("vip", "multi", -1, None)},
        {"wall_ms": INTEGER_MAX},
        {"wall_ms": -(1 << 63)},
    ],
)
def test_a_passage_that_contradicts_itself_is_no_fact(fields):
    with pytest.raises(JournalError):
        journal.fact_of("j", record_of(Kind.PASSED, **fields))


@pytest.mark.parametrize("rule", [Single(), EntryExit(), Multi(), Multi(3), Multi(0, 2)])
def test_a_class_is_written_in_four_fields_and_read_back(rule):
    ticket_class = TicketClass("vip", rule)
    assert journal.class_of(journal.class_code(ticket_class)) == ticket_class


# --- instants ---------------------------------------------------------------------------------


def test_instants_are_milliseconds_or_microseconds_since_1970_finer_digits_cut_off():
    there = datetime(2026, 7, 14, 14, 0, 0, 1999, tzinfo=timezone(timedelta(hours=2)))
    assert journal.wall_ms(there) == NOON_MS + 1
    assert journal.microseconds(there) == NOON_MS * 1000 + 1999
    assert journal.instant(NOON_MS + 1) == NOON + timedelta(milliseconds=1)
    assert journal.at_microseconds(NOON_MS * 1000 + 1999) == there
    assert journal.instant(0).tzinfo is UTC
    before_1970 = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert journal.wall_ms(before_1970) == -1


@pytest.mark.parametrize("read", [journal.instant, journal.at_microseconds])
@pytest.mark.parametrize("count", [1 << 62, -(1 << 62), 10**40, -(10**40)])
def test_a_number_that_no_calendar_date_has_is_no_instant(read, count):
    with pytest.raises(JournalError, match="no date"):
        read(count)


def test_every_instant_has_a_day_in_every_time_zone():
    for year in (1, 9999):
        edge = datetime(year, 12, 31, 23, 59, tzinfo=UTC)
        with pytest.raises(JournalError, match="no date"):
            journal.instant(journal.wall_ms(edge))
    for hours in (-23, 23):
        zone = timezone(timedelta(hours=hours))
        for at in (datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 30, 23, 59, tzinfo=UTC)):
            assert journal.instant(journal.wall_ms(at)).astimezone(zone) == at
