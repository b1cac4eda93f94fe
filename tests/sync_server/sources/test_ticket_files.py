"""What spreadsheets and ticketing systems do to a list of tickets, and what is said about it."""

import codecs
import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admission.ticket import EntryExit, Multi, Single, TicketClass, TicketState
from sync_server.errors import TicketFileError
from sync_server.ticket_ports import FileNote, RowProblem, TicketRow
from ticket_file_items import items_of, notes_of, numbers_of, problems_of, rows_of


def test_the_canonical_columns_are_read():
    rows = rows_of(
        "number,category,rule,total_passes,daily_passes,status\n"
        "A1,vip,multi,10,2,valid\n"
        "A2,,entry_exit,,,canceled\n"
        "A3,standard,,,,\n"
    )
    assert rows == [
        TicketRow(2, "A1", TicketClass("vip", Multi(10, 2)), TicketState.VALID),
        TicketRow(3, "A2", TicketClass("standard", EntryExit()), TicketState.CANCELED),
        TicketRow(4, "A3", TicketClass("standard", Single()), TicketState.VALID),
    ]


@pytest.mark.parametrize(
    "header",
    [
        "Code barre",
        "CODE-BARRES",
        "codebarre",
        "N° billet",
        "Nº billet",
        "Numéro",
        "numero de billet",
        "Barcode",
        "secret",
        "QR",
        "Ticket Number",
        "  Number  ",
        "QR-Code",
    ],
)
def test_a_number_column_is_known_by_its_french_and_english_names(header):
    assert numbers_of(f"Nom;{header}\nDupont;A1\n") == ["A1"]


@pytest.mark.parametrize("header", ["Tarif", "Catégorie", "TYPE", "product", "Ticket type"])
def test_a_category_column_is_known_by_its_names(header):
    assert rows_of(f"number;{header}\nA1;Plein tarif\n")[0].ticket_class.category == "Plein tarif"


@pytest.mark.parametrize("header", ["Statut", "état", "STATUS", "state"])
@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("Valide", "valid"),
        ("OK", "valid"),
        ("payé", "valid"),
        ("1", "valid"),
        ("TRUE", "valid"),
        ("active", "valid"),
        ("Annulé", "canceled"),
        ("remboursé", "canceled"),
        ("Voided", "canceled"),
        ("cancelled", "canceled"),
        ("refunded", "canceled"),
        ("Dupliqué", "reissued"),
        ("duplicata", "reissued"),
        ("réédité", "reissued"),
        ("remplacé", "reissued"),
        ("impayé", "unpaid"),
        ("En attente", "unpaid"),
        ("opposition", "blocked"),
        ("bloqué", "blocked"),
        ("incomplete", "incomplete"),
        ("reissued", "reissued"),
        ("unpaid", "unpaid"),
        ("blocked", "blocked"),
    ],
)
def test_a_status_is_known_by_its_french_and_english_words(header, word, state):
    assert rows_of(f"number;{header}\nA1;{word}\n")[0].state == state


@pytest.mark.parametrize("header", ["Annulé", "voided", "disabled"])
@pytest.mark.parametrize(
    ("word", "state"),
    [("oui", "canceled"), ("1", "canceled"), ("true", "canceled"), ("", "valid"), ("0", "valid")],
)
def test_a_column_of_cancellations_says_yes_or_no(header, word, state):
    assert rows_of(f"number;{header}\nA1;{word}\n")[0].state == state


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_accents_survive_in_every_encoding_taken(encoding):
    rows = rows_of("Numéro;Catégorie\nA1;Élève – 12 €\n".encode(encoding))
    assert rows[0].ticket_class.category == "Élève – 12 €"


@pytest.mark.parametrize("byte_order", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_taken_in_either_byte_order(byte_order):
    bom = codecs.BOM_UTF16_LE if byte_order.endswith("le") else codecs.BOM_UTF16_BE
    assert numbers_of(bom + "number\nA1\n".encode(byte_order)) == ["A1"]


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_the_delimiter_is_found(delimiter):
    data = f"number{delimiter}price{delimiter}category\nA1{delimiter}12.5{delimiter}vip\n"
    assert rows_of(data)[0].ticket_class.category == "vip"


def test_a_decimal_comma_does_not_pass_for_a_delimiter():
    data = "numéro;prix;tarif\nA1;12,50;réduit\nA2;8,00;réduit\n"
    assert [row.ticket_class.category for row in rows_of(data)] == ["réduit", "réduit"]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_of_three_ways(ending):
    assert numbers_of(ending.join(["number;category", "A1;vip", "A2;vip"])) == ["A1", "A2"]


def test_titles_above_the_headers_and_blank_rows_are_passed_over():
    data = "Export du 12/03;;\n\nnumber;category;status\n\n;;\nA1;vip;valid\n  ;;\nA2;vip;valid\n"
    assert [(row.line, row.number) for row in rows_of(data)] == [(6, "A1"), (8, "A2")]


def test_one_column_of_numbers_is_enough():
    assert numbers_of("barcode\n0001\n0002\n") == ["0001", "0002"]


def test_leading_zeros_and_inner_signs_stay():
    assert numbers_of("number\n000123\n12+5\nAB-12/4\n2000000000A^0^1\n") == [
        "000123",
        "12+5",
        "AB-12/4",
        "2000000000A^0^1",
    ]


def test_what_exports_put_around_a_number_is_taken_off_and_nothing_else():
    data = "number;x\n A1 ;\n\u00a0A2\u202f;\n'0123;\nA 4;\nÉ5;\n"
    assert numbers_of(data) == ["A1", "A2", "0123", "A 4", "É5"]


@pytest.mark.parametrize("cell", ['="0123"', '"=""0123"""'])
def test_a_formula_that_guards_zeros_is_its_text(cell):
    assert numbers_of(f"number;x\n{cell};1\n") == ["0123"]


def test_a_quoted_cell_may_hold_a_line_break():
    data = 'number;name;category\nA1;"Dupont\nJean";vip\nA2;x;vip\n'
    assert [(row.line, row.number) for row in rows_of(data)] == [(2, "A1"), (4, "A2")]


@pytest.mark.parametrize("cell", ["1,23457E+17", "1.23457e+17", "2E+12", "123456789012.0", "12,00"])
def test_a_number_that_a_spreadsheet_rounded_is_refused_and_explained(cell):
    (problem,) = problems_of(f"category;number\nvip;{cell}\nvip;A2\n")
    assert (problem.line, problem.column, problem.field) == (2, 2, "number")
    assert problem.code == "number_rounded"
    assert problem.message == (
        "a spreadsheet has turned the ticket number into a decimal number and lost digits;"
        " export again with the column formatted as text"
    )
    assert problem.number is None


@pytest.mark.parametrize(
    ("cell", "code", "message"),
    [
        ("", "number_missing", "the row has no ticket number"),
        ("x" * 513, "number_too_long", "the ticket number has over 512 characters"),
        (
            "1\u00a0234\u00a0567",
            "number_grouped",
            "a spreadsheet has put spaces between the digits; export the column as text",
        ),
        (
            "A\x01B",
            "number_unreadable",
            "the ticket number holds a character that no reader yields",
        ),
        (
            '"A\nB"',
            "number_unreadable",
            "the ticket number holds a character that no reader yields",
        ),
        ("Total", "total_row", "this looks like a row of totals, not a ticket"),
        ("Sous-total : 3", "total_row", "this looks like a row of totals, not a ticket"),
    ],
)
def test_an_unusable_number_is_refused_alone_with_its_reason(cell, code, message):
    items = items_of(f"category;number\nvip;A1\nvip;{cell}\nvip;A3\n")
    numbers = [item.number for item in items if isinstance(item, TicketRow)]
    (problem,) = [item for item in items if isinstance(item, RowProblem)]
    assert numbers == ["A1", "A3"]
    assert (problem.line, problem.code, problem.message) == (3, code, message)


def test_a_number_of_512_characters_is_taken():
    assert numbers_of("number\n" + "x" * 512 + "\n") == ["x" * 512]


@pytest.mark.parametrize(
    ("row", "field", "code", "message"),
    [
        (
            "A1;vip;single;;;perdu",
            "status",
            "status_unknown",
            (
                "the status “perdu” is unknown; use valid, canceled, reissued, blocked, unpaid or"
                " incomplete"
            ),
        ),
        (
            "A1;vip;double;;;",
            "rule",
            "rule_unknown",
            "the rule “double” is unknown; use single, entry_exit or multi",
        ),
        (
            "A1;vip;multi;dix;;",
            "total_passes",
            "count_unreadable",
            "“dix” is no number of passages; use digits or leave it empty",
        ),
        (
            "A1;vip;multi;;-1;",
            "daily_passes",
            "count_unreadable",
            "“-1” is no number of passages; use digits or leave it empty",
        ),
        (
            "A1;vip;single;3;;",
            "total_passes",
            "count_without_multi",
            "a number of passages goes with the rule multi only, here it is single",
        ),
        (
            "A1;v\x07p;;;;",
            "category",
            "category_unusable",
            "a category has at most 200 printable characters",
        ),
        (
            "A1;" + "v" * 201 + ";;;;",
            "category",
            "category_unusable",
            "a category has at most 200 printable characters",
        ),
    ],
)
def test_a_cell_that_means_nothing_is_refused_and_its_number_still_counts_as_present(
    row, field, code, message
):
    header = "number;category;rule;total_passes;daily_passes;status\n"
    (problem,) = problems_of(f"{header}{row}\n")
    assert (problem.field, problem.code, problem.message) == (field, code, message)
    assert problem.number == "A1"
    assert header.split(";")[problem.column - 1].strip() == field


def test_passes_without_limit_and_of_zero_are_different():
    data = "number;rule;total_passes;daily_passes\nA1;multi;;\nA2;multi;0;1\n"
    assert [row.ticket_class.rule for row in rows_of(data)] == [Multi(None, None), Multi(0, 1)]


def test_a_row_with_too_many_cells_is_refused_for_its_columns_have_shifted():
    (problem,) = problems_of("number;name;status\nA1;Dupont;Jean;valid\n")
    assert (problem.code, problem.number) == ("row_long", None)
    assert problem.message == (
        "the row has 4 cells under 3 headers: put quotation marks around the cell that holds the"
        " separator"
    )


def test_empty_cells_beyond_the_headers_are_no_fault():
    assert numbers_of("number;category\nA1;vip;;;\n") == ["A1"]


def test_a_row_that_is_cut_off_is_refused_and_its_number_still_counts_as_present():
    (problem,) = problems_of("number;category;status\nA1;vip;valid\nA2;v")
    assert (problem.line, problem.code, problem.number) == (3, "row_short", "A2")
    assert problem.message == "the row has 2 of 3 cells: it is cut off"


def test_quotes_that_do_not_fit_spoil_their_row_only():
    data = 'number;category\nA1;vip\n"A2" x;vip\nA3;vip\n'
    (problem,) = problems_of(data)
    assert (problem.line, problem.code) == (3, "bad_quotes")
    assert problem.message.startswith("the quotation marks of the row do not fit")
    assert numbers_of(data) == ["A1", "A3"]


def test_numbers_that_may_have_lost_zeros_are_noted():
    rows = "".join(f"{n}\n" for n in range(100_000_000, 100_000_000 + 5_000_000, 50_000))
    notes = notes_of(f"number\n{rows}7654321\n")
    assert notes["zeros_lost"] == (
        "1 ticket numbers are shorter than the other 100: a spreadsheet may have removed zeros at"
        " their beginning"
    )
    assert "zeros_lost" not in notes_of(f"number\n{rows}076543210\n7654321\n")


def test_no_message_ever_holds_the_number():
    secret = "SECRET77"
    data = f"number;status;rule\n{secret};perdu;\n{secret};;double\n{secret}\x01;;\n{secret}\n"
    problems = problems_of(data)
    assert len(problems) == 4
    assert all(secret not in problem.message for problem in problems)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_and_nothing_else(data):
    try:
        items = items_of(data)
    except TicketFileError:
        return
    assert all(isinstance(item, TicketRow | RowProblem | FileNote) for item in items)


@given(
    st.lists(
        st.text(
            st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20
        ),
        min_size=1,
        max_size=20,
    ).filter(
        lambda numbers: not any(n.lower().lstrip("sub-o").startswith("total") for n in numbers)
    )
)
def test_every_number_written_by_a_csv_writer_comes_back_or_is_named_as_refused(numbers):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";")
    writer.writerow(["number", "category"])
    writer.writerows([number, "vip"] for number in numbers)
    try:
        items = items_of(text.getvalue())
    except TicketFileError as refusal:
        if refusal.code in ("garbled", "digits_lost"):
            return
        raise
    rows = [item for item in items if not isinstance(item, FileNote)]
    assert len(rows) == len(numbers)
    for number, item in zip(numbers, rows, strict=True):
        if isinstance(item, TicketRow) and not number.startswith(("=", "'")):
            assert item.number == number
