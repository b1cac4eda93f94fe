"""Signed requests, messages as bytes, and a gate's duty: who may say what, and only once."""

import base64
from contextlib import suppress
from functools import partial

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from admission.errors import (
    ForeignListError,
    ListError,
    ListFormatError,
    RemoteProtocolError,
    RollbackError,
    SignatureError,
)
from admission.limits import FEED_ITEMS_MAX, JOURNAL_BATCH_RECORDS_MAX, MESSAGE_BYTES_MAX
from admission.rules import ExitPolicy
from admission.sync import codec
from admission.sync.assignment import (
    Assignment,
    CheckpointRow,
    accept_assignment,
    checkpoint_of,
    decode_assignment,
    encode_assignment,
)
from admission.sync.messages import (
    Ack,
    Batch,
    Beat,
    Enrol,
    Enrolled,
    Feed,
    FeedItem,
    Lists,
    Malformed,
    Moment,
    Status,
    Subscribe,
)
from admission.sync.request_signing import (
    ReplayWindow,
    authorization,
    check_request,
    read_authorization,
)
from admission.ticket import Checkpoint
from admission.trust.envelope import ASSIGNMENT_TYPE, MANIFEST_TYPE, seal_envelope
from admission.trust.keys import public_key, sign
from admission.trust.root import Signers

half = settings(max_examples=settings.default.max_examples // 2)  # of what the profile says

KEY, STRANGER = bytes([1] * 32), bytes([2] * 32)
SIGNERS = Signers((public_key(KEY),), 1)
REQUEST = {"method": "POST", "target": "/sync/v1/journals/j?wait=1", "body": b"records"}


def header(counter=1, *, key=KEY, **fields):
    asked = {**REQUEST, "gate": "north", "nonce": "n1", **fields}
    return authorization(partial(sign, key), counter=counter, **asked)


def check(raw, *, window=None, **fields):
    asked = {**REQUEST, "nonce": "n1", "public_key": public_key(KEY), **fields}
    check_request(read_authorization(raw), window=window or ReplayWindow(), **asked)


# --- signed requests --------------------------------------------------------------------------


def test_a_request_of_a_gate_is_believed_once():
    window = ReplayWindow()
    check(header(1), window=window)
    check(header(2), window=window)
    for counter in (1, 2):
        with pytest.raises(SignatureError, match="used before"):
            check(header(counter), window=window)


@pytest.mark.parametrize(
    "fields",
    [
        {"target": "/sync/v1/journals/k?wait=1"},
        {"target": "/sync/v1/journals/j?wait=2"},
        {"target": "/sync/v1/journals/j"},
        {"body": b"other records"},
        {"body": b""},
        {"method": "PUT"},
        {"nonce": "n2"},
        {"public_key": public_key(STRANGER)},
        {"public_key": b"no key"},
    ],
)
def test_a_signature_does_not_fit_another_request(fields):
    with pytest.raises(SignatureError):
        check(header(), **fields)


def test_a_request_for_a_nonce_of_before_is_told_so():
    with pytest.raises(SignatureError, match="another nonce"):
        check(header(nonce="n0"))


def test_a_window_tells_how_far_a_gate_has_counted():
    window = ReplayWindow()
    assert window.highest == 0
    for counter in (4, 2):
        window.take(counter)
    assert window.highest == 4


def test_a_request_signed_for_another_nonce_is_refused_though_it_claims_this_one():
    signed = read_authorization(header(nonce="n2"))
    claimed = header(nonce="n2").replace('nonce="n2"', 'nonce="n1"')
    assert signed.nonce == "n2"
    with pytest.raises(SignatureError, match="does not fit"):
        check(claimed)


@pytest.mark.parametrize(
    ("written", "instead"), [('gate="north"', 'gate="south"'), ('counter="1"', 'counter="2"')]
)
def test_a_field_of_the_header_cannot_be_exchanged(written, instead):
    with pytest.raises(SignatureError, match="does not fit"):
        check(header().replace(written, instead))


def test_a_refused_request_uses_no_counter_up():
    window = ReplayWindow()
    with pytest.raises(SignatureError):
        check(header(5, key=STRANGER), window=window)
    check(header(5), window=window)


def test_requests_may_overtake_each_other_within_the_window():
    window = ReplayWindow()
    for counter in (3, 1, 2, 1500, 477):
        window.take(counter)
    for counter in (3, 2, 1, 476, 477, 1500, 0, -1):
        with pytest.raises(SignatureError):
            window.take(counter)


@half
@given(st.lists(st.integers(-3, 3000), max_size=30))
def test_no_counter_is_ever_good_twice(counters):
    window, taken = ReplayWindow(), []
    for counter in counters:
        try:
            window.take(counter)
        except SignatureError:
            continue
        taken.append(counter)
    assert len(taken) == len(set(taken))
    assert all(counter > 0 for counter in taken)


def test_a_header_is_read_as_it_was_written():
    read = read_authorization(header(7))
    assert (read.gate, read.nonce, read.counter, len(read.signature)) == ("north", "n1", 7, 64)


GOOD = header()


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "Portillon",
        "Bearer abc",
        "portillon " + GOOD.partition(" ")[2],
        GOOD.replace('nonce="n1", ', ""),
        GOOD.replace('counter="1"', 'counter="one"'),
        GOOD.replace('signature="', 'signature="!'),
        GOOD.replace('gate="north"', 'gate="nörth"'),
        GOOD.replace('gate="north"', 'gate="\udcff"'),
        GOOD + " " * 1024,
        GOOD.replace('counter="1"', f'counter="{"9" * 800}x"'),
    ],
)
def test_a_header_of_another_make_is_a_fault_of_the_other_side(raw):
    with pytest.raises(RemoteProtocolError):
        read_authorization(raw)


@half
@given(st.text(max_size=60), st.integers(0, len(GOOD)), st.integers(0, len(GOOD)))
def test_a_hostile_header_is_refused_and_nothing_else(text, start, end):
    for raw in (text, "Portillon " + text, GOOD[:start] + text + GOOD[end:]):
        try:
            check(raw)
        except (RemoteProtocolError, SignatureError):
            continue
        assert read_authorization(raw) == read_authorization(GOOD)


# --- messages as bytes ------------------------------------------------------------------------

MOMENT = Moment(1_784_030_400_000, 5_000, bytes(16))
ITEM = FeedItem(1, 12, "north", 1, 0, "door", "show", b"T1", 1, 0, ("vip", "multi", 3, None))
LIVE = (
    Feed("show", 0, [ITEM], 1),
    Lists({"show": 4}, 2),
    Subscribe({"show": 3}),
    Status("degraded", ["link"], 3, {"show": 4}, MOMENT, "1.0", ["GT-DISK"]),
    Beat(77),
)
MESSAGES = (
    *LIVE,
    Batch("j", 1, bytes(32), [b"one", b""], MOMENT),
    Ack("j", 2, bytes(32), 77, True, [Malformed(1, "why")]),
    Enrol("code", bytes(32), bytes([1] * 32)),
    Enrolled("north", "Nord", b"root", "012345", 77),
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_is_read_as_it_was_written_and_as_no_other(message):
    raw = codec.encode(message)
    assert codec.decode(raw, type(message)) == message
    for other in MESSAGES:
        if type(other) is not type(message):
            with pytest.raises(RemoteProtocolError, match=f"expected {type(other).__name__}"):
                codec.decode(raw, type(other))


@pytest.mark.parametrize("message", LIVE, ids=lambda message: type(message).__name__)
def test_a_live_message_tells_itself_what_it_is(message):
    assert codec.decode_live(codec.encode(message)) == message


@pytest.mark.parametrize("message", MESSAGES[5:], ids=lambda message: type(message).__name__)
def test_other_messages_do_not_come_on_a_live_connection(message):
    with pytest.raises(RemoteProtocolError, match="not a live message"):
        codec.decode_live(codec.encode(message))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_fields_of_later_formats_are_passed_over(message):
    document = msgspec.msgpack.decode(codec.encode(message)) | {"later": [1, "thing"]}
    assert codec.decode(msgspec.msgpack.encode(document), type(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        Batch("j", 0, bytes(32), [], MOMENT),
        Batch("j", 1, bytes(31), [], MOMENT),
        Batch("j", 1, bytes(32), [bytes(4097)], MOMENT),
        Batch("j", 1, bytes(32), [b""] * (JOURNAL_BATCH_RECORDS_MAX + 1), MOMENT),
        Batch("x" * 201, 1, bytes(32), [], MOMENT),
        Batch("j", 1, bytes(32), [], Moment(0, 0, bytes(17))),
        Ack("j", -1, bytes(32), 0),
        Ack("j", 1, b"", 0),
        Feed("show", 0, [ITEM] * (FEED_ITEMS_MAX + 1), 1),
        Feed("show", -1, [], 0),
        Subscribe({str(number): 0 for number in range(1001)}),
        Subscribe({"show": -1}),
        Enrol("code", bytes(31), bytes(32)),
    ],
)
def test_what_is_beyond_its_bounds_is_a_fault_of_the_other_side(message):
    with pytest.raises(RemoteProtocolError):
        codec.decode(codec.encode(message), type(message))


def test_a_message_is_bounded_before_it_is_read():
    raw = bytes(MESSAGE_BYTES_MAX + 1)
    for read in (codec.decode_live, lambda blob: codec.decode(blob, Batch)):
        with pytest.raises(RemoteProtocolError, match="is over"):
            read(raw)


@half
@given(st.binary(max_size=120))
@example(b"\x81\xa4type\xa3\xff\xff\xff")
@example(b"\x82\xa4type\xa3ack\xa7journal\xa3\xff\xff\xff")
@example(b"\x81\xa5later" + b"\x91" * 100_000)
@example(b"\x82\xa4type\xa5batch\xa5blobs\xdd\xff\xff\xff\xff")
@example(b"\xdf\xff\xff\xff\xff")
def test_hostile_bytes_are_no_message(raw):
    with pytest.raises(RemoteProtocolError):
        codec.decode_live(raw)
    for message in MESSAGES[5:]:  # those that are read on their own
        with pytest.raises(RemoteProtocolError):
            codec.decode(raw, type(message))


@half
@given(st.sampled_from(MESSAGES), st.data())
def test_an_altered_message_is_read_or_refused_and_nothing_else(message, data):
    raw = bytearray(codec.encode(message))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(RemoteProtocolError):
        codec.decode(bytes(raw), type(message))


# --- a gate's duty ----------------------------------------------------------------------------

DOOR = CheckpointRow(
    id="door", name="Door", performances=("show", "matinee"), allowed_categories=(), capacity=0
)
DUTY = Assignment(gate="north", gate_name="Nord", version=3, checkpoint=DOOR, held=("gala", "show"))


def accept(assignment=DUTY, *, kind=ASSIGNMENT_TYPE, key=KEY, gate="north", installed=0):
    raw = seal_envelope(kind, encode_assignment(assignment), [key])
    return accept_assignment(raw, gate=gate, trusted=SIGNERS, version_installed=installed)


def test_a_duty_by_a_trusted_key_is_believed():
    assert accept() == DUTY
    assert accept(installed=3) == DUTY
    assert DUTY.performances == ("show", "matinee", "gala")


def test_a_duty_without_names_of_gates_is_read_as_before():
    """From a server of before there were any."""
    named = msgspec.structs.replace(DUTY, gate_names={"journal-n": "Nord"})
    assert accept(named).gate_names == {"journal-n": "Nord"}
    older = msgspec.json.decode(encode_assignment(named))
    del older["gate_names"]
    assert decode_assignment(msgspec.json.encode(older), "north") == DUTY


def test_a_duty_with_names_without_number_is_refused():
    crowd = msgspec.structs.replace(DUTY, gate_names={f"g{n}": "" for n in range(65)})
    with pytest.raises(ListFormatError):
        accept(crowd)


def test_a_duty_describes_the_checkpoint_as_the_rules_see_it():
    assert checkpoint_of(DUTY.checkpoint) == Checkpoint(
        "door", ("show", "matinee"), frozenset(), capacity=0, name="Door"
    )
    free = msgspec.structs.replace(DOOR, allowed_categories=None, capacity=None)
    checkpoint = checkpoint_of(free)
    assert (checkpoint.allowed_categories, checkpoint.capacity) == (None, None)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"key": STRANGER}, SignatureError),
        ({"gate": "south"}, ForeignListError),
        ({"installed": 4}, RollbackError),
        ({"kind": MANIFEST_TYPE}, ListFormatError),
    ],
)
def test_each_refusal_of_a_duty_has_its_own_class(fields, error):
    with pytest.raises(error):
        accept(**fields)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"\xff\xfe", b"[" * 5000, b'{"gate":"\xff"}', b'{"a":' + b"[" * 5000]
)
def test_a_hostile_duty_is_no_duty_though_it_is_signed(body):
    raw = seal_envelope(ASSIGNMENT_TYPE, body, [KEY])
    with pytest.raises(ListError):
        accept_assignment(raw, gate="north", trusted=SIGNERS, version_installed=0)


def test_the_exit_policy_is_one_of_three():
    for policy in ExitPolicy:
        duty = msgspec.structs.replace(DUTY, exit_policy=policy)
        assert accept(duty).exit_policy is policy
    body = encode_assignment(DUTY).replace(b'"listed"', b'"sometimes"')
    raw = seal_envelope(ASSIGNMENT_TYPE, body, [KEY])
    with pytest.raises(ListFormatError, match="assignment"):
        accept_assignment(raw, gate="north", trusted=SIGNERS, version_installed=0)


def test_the_signature_in_a_header_is_base64_of_64_bytes():
    text = header().rpartition('signature="')[2].rstrip('"')
    assert len(base64.b64decode(text, validate=True)) == 64
