"""From a reader's payload to a ticket number, without changing what it says or telling it on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admission.errors import PayloadError
from admission.limits import SCAN_PAYLOAD_BYTES_MAX
from admission.scan import is_well_formed, mask, normalise, strip

half = settings(max_examples=settings.default.max_examples // 2)  # of what the profile says


def test_a_payload_is_utf_8_stripped_of_four_characters_and_of_nothing_else():
    assert normalise(b" \t\r\nT 1\n\r\t ") == "T 1"
    assert normalise("\ufeffÉ1\xa0".encode()) == "\ufeffÉ1\xa0"
    assert normalise(b"") == ""


def test_a_payload_has_a_greatest_size_in_bytes():
    assert normalise(b"x" * SCAN_PAYLOAD_BYTES_MAX) == "x" * SCAN_PAYLOAD_BYTES_MAX
    with pytest.raises(PayloadError, match="4097 bytes is over the limit of 4096"):
        normalise(b"x" * (SCAN_PAYLOAD_BYTES_MAX + 1))


@pytest.mark.parametrize("payload", [b"SECRET\xff", b"SECRET\xc3", b"SECRET\xed\xa0\x80"])
def test_what_is_not_utf_8_is_no_number_and_is_not_quoted(payload):
    with pytest.raises(PayloadError, match="not UTF-8 at byte 6 of") as caught:
        normalise(payload)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@half
@given(st.binary(max_size=60))
def test_any_payload_is_a_text_or_refused(payload):
    try:
        number = normalise(payload)
    except PayloadError:
        return
    assert number == strip(number)
    assert number.encode() in payload


@half
@given(st.text(" \t\r\n\x0b\xa0ab", max_size=8))
def test_stripping_takes_from_the_ends_only(text):
    stripped = strip(text)
    assert stripped in text
    assert not stripped or (stripped[0] not in " \t\r\n" and stripped[-1] not in " \t\r\n")
    assert set(text.replace(stripped, "", 1)) <= set(" \t\r\n") or not stripped


@pytest.mark.parametrize(
    ("number", "is_good"),
    [
        ("", False),
        ("x" * 512, True),
        ("🎫" * 512, True),
        ("x" * 513, False),
        ("a b", True),
        ("a\x1fb", False),
        ("\x7f", False),
        ("\x80", True),
    ],
)
def test_a_number_is_looked_up_only_if_it_is_well_formed(number, is_good):
    assert is_well_formed(number) is is_good


def test_people_are_shown_the_last_characters_only():
    assert mask("0123456789") == "•••789"
    assert mask("012345") == "•••"
    assert mask("") == "•••"
    assert mask("0123456\x00\u202e9") == "•••··9"


@given(st.text(min_size=1, max_size=30))
def test_a_masked_number_never_shows_half_of_it(number):
    shown = mask(number).removeprefix("•••")
    assert len(shown) * 2 < max(len(number), 1) or not shown
