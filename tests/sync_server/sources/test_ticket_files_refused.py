"""Ticket files that are refused whole, and the ones that only look as if they had to be."""

import pytest

from sync_server.sources import file as ticket_file
from ticket_file_items import numbers_of, refusal_of, rows_of


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b" \r\n\t\n", "\ufeff".encode("utf-16")])
def test_an_empty_file_is_refused(data):
    refusal = refusal_of(data)
    assert (refusal.code, refusal.message) == ("empty", "the file is empty")


def test_headers_without_tickets_are_refused():
    refusal = refusal_of("number;category\n;\n")
    assert refusal.code == "empty"
    assert refusal.message == "the file has headers, but not one ticket below them"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"PK\x03\x04\x14\x00", "a spreadsheet or an archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an old spreadsheet"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\x1f\x8b\x08", "a compressed file"),
        (b"\x89PNG\r\n", "a picture"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_its_name(data, kind):
    refusal = refusal_of(data)
    assert refusal.code == "foreign"
    assert refusal.message == f"the file is {kind}, not CSV; save the list as “CSV UTF-8”"


@pytest.mark.parametrize(
    ("data", "kind"), [("\n<!doctype html>", "a web page or XML"), ('[{"number": 1}]', "JSON")]
)
def test_text_of_another_kind_is_refused_by_its_name(data, kind):
    message = f"the file looks like {kind}, not CSV; save the list as “CSV UTF-8”"
    assert refusal_of(data).message == message


@pytest.mark.parametrize(
    "data", [b"number\nA\x00B\n", "number\nA1\n".encode("utf-16-le"), b"number\n\x00\x81\x8d\n"]
)
def test_bytes_that_are_no_text_are_refused(data):
    refusal = refusal_of(data)
    assert refusal.code == "binary"
    assert refusal.message == (
        "the file is not text; save the list as “CSV UTF-8” and send that file"
    )


@pytest.mark.parametrize("data", [b"number\nA\x81\n", "number\né\n".encode("utf-8-sig") + b"\xe9 "])
def test_an_unknown_encoding_is_refused(data):
    refusal = refusal_of(data)
    assert refusal.code == "undecodable"
    assert "neither UTF-8 nor Windows-1252" in refusal.message


def test_a_file_cut_off_within_a_character_is_refused():
    refusal = refusal_of("number;category\nA1;é".encode()[:-1])
    assert refusal.code == "cut_off"
    assert refusal.message == "the file ends in the middle of a character: it is cut off"


def test_a_file_cut_off_within_quotes_is_refused_and_the_line_named():
    refusal = refusal_of('number;name\nA1;x\nA2;"Dup')
    assert (refusal.code, refusal.line) == ("cut_off", 3)
    assert refusal.message == (
        "the quotation mark opened in the row at line 3 is never closed: the file is cut off or"
        " damaged; export it again"
    )


def test_a_quote_that_swallows_the_rest_of_a_large_file_is_refused():
    rows = "".join(f"{n:07d};Dupont\n" for n in range(20_000))
    refusal = refusal_of(f'number;name\nA1;"Dupont\n{rows}')
    assert (refusal.code, refusal.line) == ("cut_off", 2)


def test_a_file_without_a_number_column_is_refused():
    refusal = refusal_of("nom;prénom\nDupont;Jean\n")
    assert refusal.code == "no_number_column"
    assert refusal.message == (
        "no column is headed as the ticket number; name one of the headers “number”, “barcode” or"
        " “code-barres”"
    )


def test_two_columns_under_one_header_are_refused():
    refusal = refusal_of("barcode;barcode\nA1;A2\n")
    assert (refusal.code, refusal.line) == ("column_twice", 1)
    assert refusal.message == "two columns are headed 'barcode'; keep one of them"


def test_of_two_possible_number_columns_the_plainer_word_wins():
    assert numbers_of("code;barcode\n75001;A1\n") == ["A1"]


@pytest.mark.parametrize(
    "data",
    [
        "number;catÃ©gorie\nA1;vip\n".encode(),
        "number;category\nA1;Ã©lÃ¨ve\n".encode(),
        "number;category\nA1;\ufffdl\ufffdve\n".encode(),
        "number;category\nA1;30 â‚¬\n".encode(),
        "number;catégorie\nA1;élève réduit\n".encode("cp850"),
        "number;catégorie\nA1;vip\n".encode("mac_roman"),
    ],
)
def test_accents_garbled_by_an_earlier_export_are_refused(data):
    refusal = refusal_of(data)
    assert refusal.code == "garbled"
    assert "garbled at line" in refusal.message
    assert refusal.line in (1, 2)


@pytest.mark.parametrize("text", ["NÃO", "Âge", "Châlons — « Été »", "Dvořák", "50 €…"])
def test_honest_accents_are_not_taken_for_garbled_ones(text):
    assert rows_of(f"number;category\nA1;{text}\n")[0].ticket_class.category == text


def test_long_numbers_that_all_end_in_zeros_are_refused_whole():
    rows = "".join(f"12345678901{n:04d}000\n" for n in range(5))
    refusal = refusal_of(f"number\n{rows}")
    assert refusal.code == "digits_lost"
    assert "a spreadsheet has rounded them" in refusal.message


def test_long_numbers_are_taken_where_one_of_them_keeps_its_last_digits():
    rows = "".join(f"12345678901{n:04d}000\n" for n in range(5))
    assert len(numbers_of(f"number\n{rows}123456789012345678\n")) == 6


def test_a_column_of_names_is_not_taken_for_the_category(monkeypatch):
    monkeypatch.setattr(ticket_file, "CLASSES_MAX", 3)
    rows = "".join(f"A{n};name {n}\n" for n in range(4))
    assert refusal_of(f"number;type\n{rows}").code == "too_many_categories"


def test_size_and_rows_are_bounded(monkeypatch):
    monkeypatch.setattr(ticket_file, "ROWS_MAX", 2)
    assert refusal_of("number\nA1\nA2\nA3\n").code == "too_many_rows"
    monkeypatch.setattr(ticket_file, "FILE_BYTES_MAX", 10)
    assert refusal_of("number\nA1\nA2\n").code == "too_large"
