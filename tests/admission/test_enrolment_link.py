"""The link that enrols: read exactly, or not at all, and never told again in a complaint."""

import contextlib
from urllib.parse import parse_qs

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from admission.errors import RemoteProtocolError
from admission.sync.enrolment_link import (
    LINK_CHARACTERS_MAX,
    EnrolmentLink,
    read_link,
    write_link,
)

PIN, NEXT, ROOT = b"p" * 32, b"n" * 32, "ab" * 32
LINK = EnrolmentLink(
    ("https://10.0.0.5:8080", "https://tickets.example.org"), "ABCD-EFGH", (PIN, NEXT), ROOT
)
TEXT = write_link(LINK)
LEAST = "portillon:enrol?v=1&server=https://a&code=ABCD"


def test_a_link_is_read_as_it_was_written():
    assert read_link(TEXT) == LINK
    assert read_link(LEAST) == EnrolmentLink(("https://a",), "ABCD")
    assert parse_qs(TEXT.partition("?")[2])["code"] == ["ABCD-EFGH"]  # a plain query


addresses = st.from_regex(r"\Ahttps://[a-z0-9]{1,20}(:[1-9][0-9]{0,3})?\Z", fullmatch=True)


@given(
    st.lists(addresses, min_size=1, max_size=4).map(tuple),
    st.from_regex(r"\A[0-9A-Z-]{4,64}\Z", fullmatch=True),
    st.lists(st.binary(min_size=32, max_size=32), max_size=4).map(tuple),
    st.binary(min_size=32, max_size=32).map(bytes.hex) | st.just(""),
)
def test_every_link_comes_back_whole(servers, code, pins, root):
    link = EnrolmentLink(servers, code, pins, root)
    assert read_link(write_link(link)) == link


@given(st.text(max_size=300) | st.text(alphabet="&=portilnenrolv1s:?/.-_A", max_size=300))
@example("\x1b[31mportillon:enrol?")
def test_whatever_is_read_is_a_link_or_refused(text):
    for one in (text, "portillon:enrol?v=1&" + text, LEAST + "&" + text):
        with contextlib.suppress(RemoteProtocolError):
            assert read_link(write_link(read_link(one))) == read_link(one)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://a",
        "PORTILLON:ENROL?v=1&server=https://a&code=ABCD",
        LEAST.replace("v=1&", ""),
        LEAST.replace("v=1", "v=2"),
        LEAST + "&v=1",
        LEAST.replace("&code=ABCD", ""),
        LEAST + "&code=ABCD",
        LEAST + "&more=1",
        LEAST + "&",
        LEAST.replace("https://a", "https://a/path"),
        LEAST.replace("https://a", "https://user@a"),
        LEAST.replace("https://a", "https://a:0"),
        LEAST.replace("https://a", "https://a:70000"),
        LEAST.replace("https://a", "ftp://a"),
        LEAST.replace("https://a", "https://a b"),
        LEAST.replace("https://a", "https://%61"),
        LEAST.replace("server=https://a&", ""),
        LEAST.replace("ABCD", "ab;rm -rf"),
        LEAST.replace("ABCD", "A" * 65),
        LEAST.replace("ABCD", "ABC"),
        LEAST + "&server=https://b" * 4,
        LEAST + f"&pin={'A' * 42}",
        LEAST + f"&pin={'A' * 42}B",  # two bits that mean nothing
        LEAST + f"&pin={'A' * 43}=",
        LEAST + f"&pin={'A' * 43}" * 5,
        LEAST.replace("https://a", "http://a") + f"&pin={'A' * 43}",
        LEAST + f"&root={'A' * 43}&root={'A' * 43}",
        LEAST + "&root=abc",
        LEAST + "\n",
        LEAST + "é",
    ],
)
def test_what_is_not_exactly_a_link_is_refused(text):
    with pytest.raises(RemoteProtocolError):
        read_link(text)


def test_a_link_that_is_too_long_is_not_even_looked_at():
    with pytest.raises(RemoteProtocolError, match="over 1200 characters"):
        read_link(LEAST + "&" * LINK_CHARACTERS_MAX)


def test_a_complaint_does_not_hold_the_code():
    for text in (LEAST + "&more=1", LEAST + "&code=ABCD", LEAST.replace("v=1", "v=3")):
        with pytest.raises(RemoteProtocolError) as caught:
            read_link(text)
        assert "ABCD" not in str(caught.value)


@pytest.mark.parametrize(
    "parts",
    [
        ((), "ABCD", (), ""),
        (("https://a",) * 5, "ABCD", (), ""),
        (("https://a",), "ABCD", (b"short",), ""),
        (("https://a",), "ABCD", (), "ab"),
        (("http://a",), "ABCD", (PIN,), ""),
    ],
)
def test_a_link_that_nobody_could_read_is_not_written(parts):
    with pytest.raises(ValueError, match=r"."):
        EnrolmentLink(*parts)
