"""Tickets of pretix's signature scheme 1, made independently and taken from pretix's own tests."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pretix_tokens
from admission.errors import SignatureError
from admission.proof.pretix import PretixTicket, read_payload, read_text
from admission.proof.protobuf import int64, read_fields
from admission.proof.public_keys import read_public_key
from admission.trust.keys import verify
from pretix_tokens import DEMO_FORGED, DEMO_KEY, DEMO_KEY_2, DEMO_PADDED, DEMO_TICKET, PUBLIC_KEY

IDS = st.integers(0, 2**63 - 1)
SECONDS = st.integers(0, 250_000_000_000)
PEM = base64.b64decode(DEMO_KEY).decode()


@given(item=IDS, variation=IDS, subevent=IDS, since=SECONDS, until=SECONDS)
def test_a_ticket_is_read_as_pretix_means_it(item, variation, subevent, since, until):
    signed = pretix_tokens.payload(
        item=item, variation=variation, subevent=subevent, since=since, until=until
    )
    read = read_text(pretix_tokens.text(pretix_tokens.raw(signed)))
    assert read.payload == signed
    verify(PUBLIC_KEY, read.signature, read.payload)
    bounds = [datetime.fromtimestamp(at, UTC) if at else None for at in (since, until)]
    assert read_payload(signed) == PretixTicket(item, variation, subevent, *bounds)


@pytest.mark.parametrize(
    ("text", "ticket"),
    [
        (DEMO_TICKET, PretixTicket(1, 0, 14, None, None)),
        (DEMO_PADDED, PretixTicket(42, 0, 0, None, None)),
        (
            pretix_tokens.DEMO_FROM,
            PretixTicket(1, 0, 0, datetime(2023, 2, 3, 23, tzinfo=UTC), None),
        ),
        (
            pretix_tokens.DEMO_UNTIL,
            PretixTicket(1, 0, 0, None, datetime(2023, 2, 3, 11, tzinfo=UTC)),
        ),
        (pretix_tokens.DEMO_OTHER_PRODUCT, PretixTicket(100, 0, 14, None, None)),
    ],
)
def test_the_tickets_of_pretixs_own_tests_are_read_and_verified(text, ticket):
    read = read_text(text)
    assert read_payload(read.payload) == ticket
    keys = [read_public_key(key) for key in (DEMO_KEY, DEMO_KEY_2)]
    fits = []
    for key in keys:
        try:
            verify(key, read.signature, read.payload)
            fits.append(key)
        except SignatureError:
            pass
    assert len(fits) == 1


def test_the_forgery_of_pretixs_own_tests_is_none():
    read = read_text(DEMO_FORGED)
    for key in (DEMO_KEY, DEMO_KEY_2):
        with pytest.raises(SignatureError):
            verify(read_public_key(key), read.signature, read.payload)


def _texts_that_pretix_would_take_for_the_same():
    """Yield what Python's lenient base 64, and a reader that looks at lengths only, let through."""
    raw = pretix_tokens.raw(pretix_tokens.payload(item=1))
    yield "bytes behind the signature", pretix_tokens.text(raw + b"\0")
    yield "bytes behind the signature, in threes", pretix_tokens.text(raw + b"abc")
    text = pretix_tokens.token(item=1, seed="x" * 8)
    padded = next(
        token
        for token in (pretix_tokens.token(item=1, seed="x" * size) for size in (8, 9, 10))
        if token.startswith("=")
    )
    yield "padding left out", padded.lstrip("=")
    yield "padding doubled", "==" + padded
    place = len(padded) - len(padded.lstrip("="))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    spare = alphabet[alphabet.index(padded[place]) ^ 1]
    yield "spare bits set", padded[:place] + spare + padded[place + 1 :]
    yield "a space within", text[:50] + " " + text[50:]
    yield "a character of no alphabet within", text[:50] + "é" + text[50:]
    yield "the alphabet for addresses", text.replace("+", "-").replace("/", "_") + "-"


@pytest.mark.parametrize(
    "text",
    [pytest.param(text, id=name) for name, text in _texts_that_pretix_would_take_for_the_same()],
)
def test_another_text_of_the_same_ticket_is_no_ticket(text):
    assert read_text(text) is None


@given(st.data())
def test_no_text_but_the_one_that_was_written_is_read_as_that_ticket(data):
    text = pretix_tokens.token(item=1, subevent=data.draw(st.integers(0, 300)))
    original = read_text(text)
    place = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.sampled_from("AZaz09+/= \t-_é"))
    for other in (
        text[:place] + character + text[place + 1 :],
        text[:place] + character + text[place:],
    ):
        if other != text:
            assert read_text(other) != original


@pytest.mark.parametrize("size", [0, 4, 68, 69])
def test_what_is_too_short_is_no_ticket(size):
    assert (
        read_text(pretix_tokens.text(b"\x01\x00\x00\x00\x40" + bytes(size))[-120:]) is None
        or size == 64
    )


@pytest.mark.parametrize(
    "head", ["0200050040", "0100050041", "0100050040ff", "01ffff0040", "0100000040"]
)
def test_a_frame_that_does_not_add_up_is_no_ticket(head):
    assert read_text(pretix_tokens.text(bytes.fromhex(head) + bytes(70))) is None


@given(st.binary(max_size=200))
def test_any_bytes_as_payload_are_a_ticket_or_none(payload):
    read = read_payload(payload)
    assert read is None or isinstance(read, PretixTicket)


@given(st.text(max_size=400))
def test_any_text_is_a_ticket_or_none(text):
    assert read_text(text) is None


@pytest.mark.parametrize(
    "message",
    [
        "08",
        "0a05616161",
        "0aff",
        "0affffffffffffffffff0f",
        "07",
        "03",
        "00",
        "80" * 11,
        "0d000000",
        "08ffffffffffffffffffff01",
        "08ffffffffffffffffff7f",
    ],
)
def test_what_is_no_message_is_none(message):
    assert read_fields(bytes.fromhex(message)) is None


def test_unknown_fields_are_passed_over_and_the_last_of_two_counts():
    message = bytes.fromhex("1001100239" + "00" * 8 + "45" + "00" * 4 + "4a026162")
    fields = read_fields(message)
    assert int64(fields, 2) == 2
    assert fields[9] == b"ab"


def test_a_field_of_another_type_is_no_number():
    assert int64(read_fields(bytes.fromhex("120161")), 2) is None
    assert read_payload(bytes.fromhex("120161")) is None


def test_a_negative_number_is_read_as_such_and_is_no_instant():
    assert int64(read_fields(b"\x10" + pretix_tokens.varint(-5)), 2) == -5
    assert read_payload(pretix_tokens.payload(since=-5)).valid_from is None


def test_an_instant_that_no_calendar_has_is_no_ticket():
    assert read_payload(pretix_tokens.payload(until=2**62)) is None


@pytest.mark.parametrize(
    "text",
    [
        DEMO_KEY,
        PEM,
        f"  {PEM}\r\n",
        "MCowBQYDK2VwAyEA7AD7/vFA33EsY4z2PHr7iZPsZ8n5dh0ajP8gyzNmmIs=",
        "7AD7/vFA33EsY4z2PHr7iZPsZ8n5dh0ajP8gyzNmmIs=",
        "ec00fbfef140df712c638cf63c7afb8993ec67c9f9761d1a8cff20cb3366988b",
    ],
)
def test_a_public_key_is_read_in_each_of_its_forms(text):
    assert read_public_key(text).hex().startswith("ec00fbfef140df71")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "AAAA",
        "A" * 2000,
        PEM.replace("PUBLIC", "PRIVATE"),
        PEM[:60],
        "MCowBQYDK2VuAyEA7AD7/vFA33EsY4z2PHr7iZPsZ8n5dh0ajP8gyzNmmIs=",
    ],
)
def test_what_is_no_public_key_is_refused(text):
    with pytest.raises(ValueError, match="public key"):
        read_public_key(text)
