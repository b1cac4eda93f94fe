"""What editors make of a `gate.toml`: understood, or named by line and character."""

import codecs
import re
from pathlib import Path

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from caretaker import complaints
from caretaker.complaints import LANGUAGES, ComplaintError
from caretaker.persons_file import cleaned, is_half_cleaned
from caretaker.provisioning_text import read_text

PLAIN = '[machine]\nname = "porte-1"\n\n[machine.wifi]\nssid = "Café"\npassphrase = "hunter2 22"\n'
SAID = {"machine": {"name": "porte-1", "wifi": {"ssid": "Café", "passphrase": "hunter2 22"}}}


@pytest.mark.parametrize(
    "raw",
    [
        PLAIN.encode(),
        codecs.BOM_UTF8 + PLAIN.encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        codecs.BOM_UTF16_LE + PLAIN.replace("\n", "\r\n").encode("utf-16-le"),
        codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        PLAIN.replace(' "', " “").replace('"\n', "”\n").encode(),
        PLAIN.replace(' "', " « ").replace('"\n', "\u00a0»\n").encode(),
        PLAIN.replace(' "', " „").replace('"\n', "“\n").encode(),
        PLAIN.replace('"', "’").encode(),
        PLAIN.replace(" = ", "\u00a0=\u202f").encode(),
        ("\ufeff" + PLAIN.replace("[", "\u200b[")).encode(),
    ],
)
def test_what_editors_write_is_understood(raw: bytes):
    assert read_text(raw).document == SAID


def test_inside_of_straight_quotes_nothing_is_changed():
    text = 'a = "it’s\u00a0“so”\u200b"\nb = \'«x» \\\'\nc = "\\"“"  # don’t\n'
    said = {"a": "it’s\u00a0“so”\u200b", "b": "«x» \\", "c": '"“'}
    assert read_text(text.encode()).document == said


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b'name = "caf\xe9"', "Line 1, character 12: this character is no UTF-8"),
        (b'\r\n\r\na = 1\r\nb = "caf\xe9"', "Line 4, character 9: this character is no UTF-8"),
        (codecs.BOM_UTF16_LE + b"a\0\n\0\0\xd8a\0", "Line 2, character 1: this character is no"),
        (
            b'a = 1\nb = "no end',
            'Line 2, character 5: a text begins and does not end; end it with "',
        ),
        ('b = "no end”'.encode(), "Line 1, character 12: a text begins"),
        ('b = “no end"'.encode(), 'Line 1, character 12: quotes of two kinds; write "'),
        ("b = “no end".encode(), "Line 1, character 5: a text begins"),
        (b'a = """x"""', "Line 1, character 5: texts of several lines"),
        (b"a = 1\nb = = 2", "Line 2, character 5: this cannot be read (Invalid value)"),
        (b"a = 1\na = 2", "Line 2, character 6: this cannot be read (Cannot overwrite a value)"),
        (b"a", "Line 1, character 2: this cannot be read"),
        (b"a = \x00", "Line 1, character 5: this cannot be read"),
        (b"a = " + b"[" * 9000, "this cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_named_by_line_and_character(raw: bytes, told: str):
    with pytest.raises(ComplaintError) as caught:
        read_text(raw)
    assert caught.value.told("en")[0].startswith(told)
    assert all(caught.value.told(language) for language in LANGUAGES)


def test_keys_are_found_by_the_names_that_complaints_give_them():
    text = (
        "x = 1\n[[readers]]\nkind = 1\n[ machine . wifi ]\n ssid=2\n[[readers]]\nport = 3 # [no]\n"
    )
    file = read_text(text.encode())
    lines = {
        "x": 1, "readers[1].kind": 3, "readers[2].port": 7, "readers[2].kind": 6, "readers[3].k": 0,
        "machine.wifi.ssid": 5, "machine.wifi.country": 4, "y": 0, "kind": 0,
    }  # fmt: skip
    assert {key: file.line_of(key) for key in lines} == lines
    assert file.key_line("machine.wifi.country") == 0


# --- secrets come off it --------------------------------------------------------------------------

SECRET = (
    '[machine]\nenrol = “portillon:x”   # once\nname="a"\n'
    '[machine.wifi]\npassphrase = "é à bientôt"\n'
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_secrets_come_off_a_file_that_stays_as_long(encoding: str, end: str):
    raw = SECRET.replace("\n", end).encode(encoding)
    clean = cleaned(read_text(raw))
    assert len(clean) == len(raw)
    said = {"machine": {"enrol": "", "name": "a", "wifi": {"passphrase": ""}}}
    assert read_text(clean).document == said
    assert "bient" not in clean.decode(encoding)
    assert cleaned(read_text(clean)) == clean


@pytest.mark.parametrize(
    "text",
    [
        '[machine]\nwifi = { passphrase = "secret 12" }\n',
        'machine.wifi.passphrase = "secret 12"\n',
        '[machine.wifi]\n"passphrase" = "secret 12"\n',
    ],
)
def test_a_secret_that_shares_its_line_is_named(text: str):
    with pytest.raises(ComplaintError, match="on a line of its own"):
        cleaned(read_text(text.encode()))


def test_a_file_without_secrets_stays_as_it_is():
    raw = b'name = "x"\r\n'
    assert cleaned(read_text(raw)) == raw


@given(
    st.integers(0, 20), st.sampled_from(["utf-8", "utf-16"]), st.binary(min_size=21, max_size=21)
)
def test_a_cut_in_the_middle_of_cleaning_is_recognised(shift: int, encoding: str, kept: bytes):
    raw = (f"#{'x' * (40 * shift)}\n" + SECRET * 1).encode(encoding)
    clean = cleaned(read_text(raw))
    parts = range(0, len(raw), 64)
    half = b"".join(
        (raw if kept[place % 21] & 1 else clean)[at : at + 64] for place, at in enumerate(parts)
    )
    assert is_half_cleaned(half, clean)
    assert not is_half_cleaned(half.replace(b"n", b"m"), clean)
    assert not is_half_cleaned(half + b"\n", clean)


# --- its words ------------------------------------------------------------------------------------

CATALOGUES = Path(complaints.__file__).parent / "catalogues"


def words_of(language: str, kind: str) -> dict[str, str]:
    path = CATALOGUES / language / "LC_MESSAGES" / f"caretaker.{kind}"
    with path.open("rb") as file:
        read = read_po(file) if kind == "po" else read_mo(file)
    return {str(m.id): str(m.string) for m in read if m.id}


def test_the_compiled_words_are_those_that_were_written_and_both_languages_have_all():
    for language in LANGUAGES:
        assert words_of(language, "po") == words_of(language, "mo"), "run: make catalogues"
        assert all(words_of(language, "po").values())
    assert words_of("fr", "po").keys() == words_of("en", "po").keys()


def test_both_languages_have_the_same_places_to_fill_in():
    french, english = words_of("fr", "po"), words_of("en", "po")
    for key, words in french.items():
        assert set(re.findall(r"{\w+}", words)) == set(re.findall(r"{\w+}", english[key])), key


def test_every_complaint_has_its_words_and_no_words_have_no_complaint():
    code = "".join(path.read_text() for path in Path(complaints.__file__).parent.glob("*.py"))
    named = {key for key in words_of("en", "po") if key.startswith("complaint.")}
    for key in named:
        assert f'"{key.removeprefix("complaint.")}"' in code, key
    made = set(re.findall(r'Complaint\(\s*"(\w+)"', code))
    assert {f"complaint.{key}" for key in made} <= named
