"""Our own signed ticket: one text each, for one performance, small enough for a small code."""

import base64
import hashlib
from datetime import UTC, datetime

import pytest
import segno
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from admission.proof import base45
from admission.proof.compact import (
    CompactTicket,
    hint_of,
    message_of,
    number_of,
    read_ticket,
    ticket_number,
    write_ticket,
)
from admission.scan import is_well_formed, strip
from admission.trust.keys import public_key, verify

KEY = bytes(range(32))
NUMBER = number_of(bytes(range(10)))
SUMMER = datetime(2026, 7, 14, 18, 0, tzinfo=UTC)
INSTANTS = st.none() | st.integers(0, 2**32 - 1).map(lambda s: datetime.fromtimestamp(s, UTC))
TICKETS = st.builds(
    CompactTicket,
    st.binary(min_size=10, max_size=10).map(number_of),
    st.integers(0, 0xFFFF),
    INSTANTS,
    INSTANTS,
)


@pytest.mark.parametrize(  # the examples of RFC 9285, section 4.3
    ("data", "text"), [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581")]
)
def test_base_45_is_that_of_its_rfc(data, text):
    assert base45.encode(data) == text
    assert base45.decode(text) == data


@given(st.binary(max_size=100))
def test_base_45_goes_there_and_back_and_never_ends_in_a_space(data):
    text = base45.encode(data)
    assert base45.decode(text) == data
    assert not text.endswith(" ")


@given(st.text(alphabet=base45.ALPHABET, max_size=12))
def test_no_two_texts_of_base_45_are_the_same_bytes(text):
    data = base45.decode(text)
    assert data is None or base45.encode(data) == text


@pytest.mark.parametrize("text", ["A", "ABCD", ":::", "::", "bb8", "BB8\u0660", "BB\n"])
def test_what_is_not_base_45_is_none(text):
    assert base45.decode(text) is None


@given(TICKETS)
def test_a_ticket_that_was_written_is_read_as_it_was(ticket):
    text = write_ticket(KEY, "show", ticket)
    read = read_ticket(text)
    assert read.ticket == ticket
    assert read.hint == hint_of(public_key(KEY), "show")
    verify(public_key(KEY), read.signature, message_of("show", read.body))


@given(TICKETS)
def test_a_scan_hands_a_ticket_over_unharmed(ticket):
    text = write_ticket(KEY, "show", ticket)
    assert strip(f" {text}\r\n") == text
    assert is_well_formed(text)


def test_the_bytes_of_the_format_are_final():
    text = write_ticket(KEY, "show", CompactTicket(NUMBER, 7, SUMMER, None))
    raw = base45.decode(text[3:])
    assert raw[:1] == b"\x01"
    assert raw[3:5] == b"\x00\x07"
    assert raw[5:15] == bytes(range(10))
    assert raw[15:19] == int(SUMMER.timestamp()).to_bytes(4, "big")
    key = Ed25519PrivateKey.from_private_bytes(KEY)
    performance = hashlib.sha256(b"show").digest()
    hint = hashlib.sha256(b"portillon-ticket-hint-1\0" + public_key(KEY) + performance).digest()
    assert raw[1:3] == hint[:2]
    assert raw[19:] == key.sign(b"portillon-ticket-1\0" + performance + raw[:19])
    assert len(raw) == 83


def test_a_ticket_fits_a_smaller_code_than_the_same_bytes_in_base_32_or_64():
    text = write_ticket(KEY, "show", CompactTicket(NUMBER, 7))
    raw = base45.decode(text[3:])
    others = [
        "PT1" + base64.b32encode(raw).decode().rstrip("="),
        "PT1" + base64.b64encode(raw).decode(),
    ]

    def version(content):
        return segno.make(content, error="m", micro=False, boost_error=False).version

    assert version(text) == 5
    assert [version(other) for other in others] == [6, 7]


@given(TICKETS, st.data())
def test_no_other_text_is_read_as_the_same_ticket(ticket, data):
    text = write_ticket(KEY, "show", ticket)
    place = data.draw(st.integers(0, len(text)))
    how = data.draw(st.sampled_from(["change", "insert", "drop", "lower"]))
    character = data.draw(st.sampled_from(base45.ALPHABET + "abc=\u212a"))
    other = {
        "change": text[:place] + character + text[place + 1 :],
        "insert": text[:place] + character + text[place:],
        "drop": text[:place] + text[place + 1 :],
        "lower": text[:place] + text[place:].lower(),
    }[how]
    read = read_ticket(other)
    original = read_ticket(text)
    if other != text and read is not None:
        assert (read.body, read.signature) != (original.body, original.signature)


@pytest.mark.parametrize("flags", [4, 8, 128])
def test_flags_that_nobody_knows_are_no_ticket(flags):
    text = write_ticket(KEY, "show", CompactTicket(NUMBER, 7))
    raw = bytearray(base45.decode(text[3:]))
    raw[0] = flags
    assert read_ticket("PT1" + base45.encode(bytes(raw))) is None


def test_a_flag_without_its_instant_is_no_ticket():
    text = write_ticket(KEY, "show", CompactTicket(NUMBER, 7))
    raw = bytearray(base45.decode(text[3:]))
    raw[0] = 1
    assert read_ticket("PT1" + base45.encode(bytes(raw))) is None


@pytest.mark.parametrize(
    "text",
    ["", "PT1", "PT1" + "0" * 119, "PT2" + "0" * 119, "PT1" + ":" * 119, "PT1" * 40, "A" * 122],
)
def test_junk_of_the_right_look_is_no_ticket_or_an_unsigned_one(text):
    read = read_ticket(text)
    assert read is None or read.signature == bytes(64)


def test_a_number_stands_for_itself_and_a_ticket_for_the_number_in_it():
    assert ticket_number(NUMBER) == NUMBER
    assert ticket_number(write_ticket(KEY, "show", CompactTicket(NUMBER, 7))) == NUMBER


@pytest.mark.parametrize(
    ("ticket", "problem"),
    [
        (CompactTicket("AAAA", 1), "80 bits"),
        (CompactTicket("AAAAAAAAAAAAAAA=", 1), "80 bits"),
        (CompactTicket(NUMBER, 65536), "class_code"),
        (CompactTicket(NUMBER, 1, datetime(1969, 1, 1, tzinfo=UTC)), "1970"),
        (CompactTicket(NUMBER, 1, None, datetime(2200, 1, 1, tzinfo=UTC)), "2106"),
    ],
)
def test_what_does_not_fit_the_format_is_not_issued(ticket, problem):
    with pytest.raises(ValueError, match=problem):
        write_ticket(KEY, "show", ticket)
