"""Characters in ticket numbers that nobody sees are named, with their row and column."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admission.scan import is_well_formed
from sync_server.sources.cells import BadCell, read_number
from sync_server.sources.file import read_tickets
from sync_server.sources.invisible import find_invisible
from sync_server.ticket_ports import RowProblem

UNSEEN = {
    "U+202E RIGHT-TO-LEFT OVERRIDE": "A1\u202e2B",
    "U+2066 LEFT-TO-RIGHT ISOLATE": "A1\u20662B",
    "U+200F RIGHT-TO-LEFT MARK": "A1\u200f2B",
    "U+200B ZERO WIDTH SPACE": "A1\u200b2B",
    "U+200D ZERO WIDTH JOINER": "A1\u200d2B",
    "U+FEFF ZERO WIDTH NO-BREAK SPACE": "A1\ufeff2B",
    "U+00AD SOFT HYPHEN": "A1\u00ad2B",
    "U+00A0 NO-BREAK SPACE": "A1\u00a02B",
    "U+034F COMBINING GRAPHEME JOINER": "A1\u034f2B",
    "U+3164 HANGUL FILLER": "A1\u31642B",
    "U+2800 BRAILLE PATTERN BLANK": "A1\u28002B",
    "U+FE0F VARIATION SELECTOR-16": "A1\ufe0f2B",
    "U+E0041 TAG LATIN CAPITAL LETTER A": "A1\U000e00412B",
    "U+2028 LINE SEPARATOR": "A1\u20282B",
    "U+0085 control character": "A1\u00852B",
}


@pytest.mark.parametrize(("name", "number"), UNSEEN.items())
def test_a_number_with_one_is_refused_by_row_column_and_the_characters_name(name, number):
    data = f"category;number\nvip;A1\nvip;{number}\n".encode()
    (problem,) = [item for item in read_tickets(data) if isinstance(item, RowProblem)]
    assert (problem.line, problem.column, problem.field) == (3, 2, "number")
    assert (problem.code, problem.detail) == ("number_invisible", name)
    assert name in problem.message
    assert number not in problem.message
    assert "A1" not in problem.message


def test_what_exports_leave_around_a_number_is_still_taken_off():
    assert read_number("\ufeff\u200b A1 2B\u00a0") == "A1 2B"


@pytest.mark.parametrize("number", ["A1 2B", "É-12", "票12", "א12", "e\u0301 1", "a/b+c=d"])
def test_what_can_be_seen_is_no_problem(number):
    assert find_invisible(number) == ""
    assert read_number(number) == number


@given(st.characters())
def test_every_format_character_and_odd_space_is_found_and_nothing_that_is_drawn(sign):
    is_found = find_invisible(f"A{sign}B") != ""
    kind = unicodedata.category(sign)
    if sign > "\x7f" and kind in {"Cf", "Cc", "Zl", "Zp"}:
        assert is_found
    if kind == "Zs" and sign != " ":
        assert is_found
    if kind in {"Lu", "Ll", "Nd", "Po", "Pd", "Sm", "Sc", "Mc"}:
        assert not is_found


@given(st.text(min_size=1, max_size=30))
def test_a_number_that_is_taken_holds_none(text):
    number = read_number(text)
    if not isinstance(number, BadCell):
        assert find_invisible(number) == ""
        assert is_well_formed(number)
