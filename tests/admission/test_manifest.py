"""The manifest: what it says of a list and its performance, and what it may not say."""

import json
from datetime import datetime, time
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admission.errors import ListError, ListFormatError
from admission.proof.proving import IssuerFormat
from admission.ticket import EntryExit, Multi, Performance, Single, TicketClass
from admission.ticketlist.issuers import (
    IssuerClassRow,
    IssuerRow,
    RotationRow,
    issuers_of,
    rotation_of,
)
from admission.ticketlist.manifest import (
    ClassRow,
    Showing,
    classes_of,
    decode_manifest,
    encode_manifest,
    performance_of,
)

half = settings(max_examples=settings.default.max_examples // 2)  # of what the profile says

NOON = datetime.fromisoformat("2026-07-14T12:00:00+00:00")


def altered(manifest, path, value):
    """Give a manifest's JSON with one field altered; None as a value leaves it out."""
    document = json.loads(encode_manifest(manifest))
    inner = document
    *outer, name = path.split(".")
    for step in outer:
        inner = inner[step]
    if value is None:
        inner.pop(name)
    else:
        inner[name] = value
    return json.dumps(document).encode()


def test_what_was_written_is_read_back(new_manifest):
    manifest = new_manifest(
        b"x" * 83,
        showing=Showing(
            name="Générale",
            event="The Show",
            timezone="Australia/Lord_Howe",
            day_starts_at="05:30",
            starts_at=NOON,
            excluded_categories=("press", "vip"),
            admits_from=NOON,
            admits_until=NOON,
            canceled=True,
        ),
        not_before=NOON,
        refresh_by=NOON,
        not_after=NOON,
        firmware_min="1.2",
    )
    assert decode_manifest(encode_manifest(manifest)) == manifest


def test_fields_of_later_formats_are_passed_over(new_manifest):
    manifest = new_manifest()
    assert decode_manifest(altered(manifest, "later", {"any": "thing"})) == manifest


def test_a_manifest_describes_the_performance_as_the_rules_see_it(new_manifest):
    showing = Showing(
        name="The Show",
        timezone="America/New_York",
        day_starts_at="06:00",
        excluded_categories=("press",),
        admits_from=NOON,
        admits_until=NOON,
        canceled=True,
    )
    assert performance_of(new_manifest(showing=showing)) == Performance(
        id="show",
        zone=ZoneInfo("America/New_York"),
        day_starts_at=time(6, 0),
        excluded_categories=frozenset({"press"}),
        admits_from=NOON,
        admits_until=NOON,
        canceled=True,
        name="The Show",
    )


def test_a_manifest_has_the_table_of_classes(new_manifest):
    rows = (
        ClassRow(category="standard", mode="single"),
        ClassRow(category="vip", mode="entry_exit"),
        ClassRow(category="pass", mode="multi", total=10, per_day=2),
    )
    assert classes_of(new_manifest(classes=rows)) == (
        TicketClass("standard", Single()),
        TicketClass("vip", EntryExit()),
        TicketClass("pass", Multi(10, 2)),
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("performance", ""),
        ("performance", "x" * 201),
        ("version", 0),
        ("version", -1),
        ("version", 1 << 63),
        ("version", "5"),
        ("version", 5.5),
        ("chain", "0" * 63),
        ("chain", "G" * 64),
        ("snapshot.size", 63),
        ("snapshot.size", 1 << 40),
        ("snapshot.count", -1),
        ("snapshot.sha256", "A" * 64),
        ("identifier_algorithm", "md5"),
        ("classes", [{"category": "x"}]),
        ("classes", [{"category": "x" * 201, "mode": "single"}]),
        ("showing.timezone", ""),
        ("showing.name", "x" * 201),
        ("showing.day_starts_at", "24:00"),
        ("showing.day_starts_at", "6:00"),
        ("showing.day_starts_at", "06:00:00"),
        ("showing.canceled", "no"),
        ("published_at", None),
        ("showing", None),
        ("snapshot", None),
        ("list_key_id", None),
    ],
)
def test_a_field_that_is_missing_or_wrong_is_no_manifest(new_manifest, path, value):
    with pytest.raises(ListFormatError, match="manifest"):
        decode_manifest(altered(new_manifest(), path, value))


@pytest.mark.parametrize(
    "path",
    [
        "published_at",
        "not_before",
        "refresh_by",
        "not_after",
        "showing.starts_at",
        "showing.admits_from",
        "showing.admits_until",
    ],
)
def test_an_instant_without_an_offset_is_no_instant(new_manifest, path):
    with pytest.raises(ListFormatError, match=f"{path} has no offset"):
        decode_manifest(altered(new_manifest(), path, "2026-07-14T12:00:00"))


def test_the_chain_of_a_list_without_segments_is_the_snapshots_digest(new_manifest):
    with pytest.raises(ListFormatError, match="chain"):
        decode_manifest(encode_manifest(new_manifest(chain="0" * 64)))


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "Europe", "../Europe/Paris", "/etc/localtime", "a\0b", "é", "x" * 200]
)
def test_a_time_zone_that_nobody_knows_is_an_error_in_the_manifest(new_manifest, zone):
    showing = Showing(name="The Show", timezone=zone)
    with pytest.raises(ListFormatError, match="unknown time zone"):
        performance_of(new_manifest(showing=showing))


@pytest.mark.parametrize(
    "row",
    [
        ClassRow(category="x", mode="season"),
        ClassRow(category="x", mode="multi", total=-1),
        ClassRow(category="x", mode="multi", per_day=-1),
    ],
)
def test_a_row_that_is_no_class_is_an_error_in_the_manifest(new_manifest, row):
    with pytest.raises(ListFormatError, match="classes"):
        classes_of(new_manifest(classes=(row,)))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
PATHS = [
    "performance",
    "version",
    "snapshot",
    "snapshot.size",
    "segments",
    "classes",
    "showing",
    "showing.timezone",
    "showing.starts_at",
    "published_at",
    "not_after",
    "list_key_id",
    "?",
]
paths = st.sampled_from(PATHS)


@half
@given(path=paths, value=values.filter(lambda value: value is not None))
def test_a_hostile_value_is_read_or_refused_and_nothing_else(new_manifest, path, value):
    try:
        manifest = decode_manifest(altered(new_manifest(), path, value))
        performance_of(manifest)
        classes_of(manifest)
    except ListError:
        pass


@half
@given(st.binary(max_size=80))
def test_hostile_bytes_are_no_manifest(raw):
    with pytest.raises(ListFormatError):
        decode_manifest(raw)


ISSUER = IssuerRow(
    format=IssuerFormat.PRETIX,
    public_key="ab" * 32,
    classes=(IssuerClassRow(code=1, class_index=0),),
)
ROTATING = RotationRow(
    pattern="{number}{totp_timestamp_millis}{totp_value_0}", period_ms=15_000, lengths=(8,)
)


def test_issuers_and_rotating_codes_travel_in_the_manifest(new_manifest):
    manifest = new_manifest(issuers=(ISSUER,), rotating=ROTATING)
    read = decode_manifest(encode_manifest(manifest))
    assert read == manifest
    (issuer,) = issuers_of(read.issuers, classes_of(read))
    assert issuer.class_of(1, 7) == classes_of(read)[0]
    assert issuer.class_of(2, 7) is None
    assert rotation_of(read.rotating).lengths == (8,)
    assert rotation_of(None) is None


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"classes": (IssuerClassRow(code=1, class_index=1),)}, "class"),
        ({"public_key": "ab"}, "public_key|pattern"),
        ({"public_key": "AB" * 32}, "public_key|pattern"),
        ({"format": "pretix_sig2"}, "format"),
        ({"subevents": (-1,)}, "subevents"),
    ],
)
def test_an_issuer_that_a_gate_could_not_judge_by_is_refused(new_manifest, fields, problem):
    issuer = msgspec.structs.replace(ISSUER, **fields)
    with pytest.raises(ListFormatError, match=problem):
        decode_manifest(encode_manifest(new_manifest(issuers=(issuer,))))


def test_more_issuers_than_a_gate_tries_are_refused(new_manifest):
    with pytest.raises(ListFormatError, match="issuers"):
        decode_manifest(encode_manifest(new_manifest(issuers=(ISSUER,) * 17)))


def test_rotating_codes_that_could_not_be_read_are_refused(new_manifest):
    rotating = msgspec.structs.replace(ROTATING, pattern="{number}")
    with pytest.raises(ListFormatError, match="rotating"):
        decode_manifest(encode_manifest(new_manifest(rotating=rotating)))
