"""Names, numbers and what gates say, shown on pages and in files: escaped, isolated, never run."""

import csv
import io
import re
from dataclasses import replace

import pytest

from admission.ticketlist.guessability import Guessability
from hostile_texts import MARK, TEXTS
from sync_server.entities import ImportMode
from sync_server.web.back_office.desk import Upload
from sync_server.web.back_office.imports import spreadsheet
from sync_server.web.formats import isolated

PATHS = [
    "/",
    "/performances",
    "/performances/p1",
    "/performances/p1/imports/i1",
    "/set-up",
    "/set-up/venues/v1",
]
RUNS = ("<script>alert", "<img src=x", "<svg/onload", "</title></style>")
MARKS_OF_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
ISOLATED_BY_MARKUP = re.compile(r"<bdi>.*?</bdi>|<input [^>]*>", re.DOTALL)


@pytest.fixture
async def signed_in(browser, lea):
    await browser.sign_in()
    return browser


async def _name_everything(desk, text: str) -> None:
    """Go past what the services refuse: as if the database held it."""
    await desk.import_file(None, "p1", Upload(b"", "a.csv", "shop", ImportMode.ADD))
    (one,) = desk.runs
    problem = {"line": 1, "column": 1, "field": "number", "code": "number_invisible"}
    run = replace(one.run, filename=text, problems=(problem | {"detail": text},))
    desk.runs = [replace(one, run=run, source=text)]
    desk.venues = [replace(one, name=text) for one in desk.venues]
    desk.events = [replace(one, name=text) for one in desk.events]
    desk.performances = [
        replace(
            one,
            name=text,
            key_storage_reason=text,
            guessability=Guessability(10.0, 5.0, 10.0, (), 9, 9),
            excluded_categories=(text,),
        )
        for one in desk.performances
    ]
    desk.checkpoints = [replace(one, name=text) for one in desk.checkpoints]
    said = {"mode": text, "software": text, "faults": [text], "causes": [text]}
    desk.gates = [
        replace(one, name=text, enrolled_ms=1, last_status=said | {"keys": {"p1": text}})
        for one in desk.gates
    ]
    report = desk.report
    desk.report = replace(
        report,
        performances=tuple(replace(one, name=text, event=text) for one in report.performances),
        checkpoints=tuple(replace(one, name=text) for one in report.checkpoints),
        gates=tuple(replace(one, name=text, checkpoint=text) for one in report.gates),
        last_passages=tuple(
            replace(one, gate=text, checkpoint=text, performance=text)
            for one in report.last_passages
        ),
        anomalies=tuple(
            replace(one, performance=text, checkpoint=text) for one in report.anomalies
        ),
    )


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", TEXTS)
async def test_any_name_is_shown_and_neither_runs_nor_turns_the_page(
    signed_in, desk, path: str, name: str
):
    await _name_everything(desk, TEXTS[name])
    status, page = await signed_in.get(path)
    assert status == 200
    assert [one for one in RUNS if one in page] == []
    assert "\x1b" not in ISOLATED_BY_MARKUP.sub("", page) or name.startswith("ANSI")
    for mark in MARKS_OF_DIRECTION.findall(ISOLATED_BY_MARKUP.sub("", page)):
        assert mark in "\u2068\u2069"  # ours, around a name where no element can stand
    if name == "Jinja":
        assert "49" not in re.sub(r"\{\{7\*7\}\}", "", page) or path != "/set-up"


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_of_arabic_names_keeps_its_own_direction(signed_in, desk, path: str):
    await _name_everything(desk, "مسرح (5)")
    _, page = await signed_in.get(path)
    outside = ISOLATED_BY_MARKUP.sub("", page)
    assert outside.count("\u2068") == outside.count("\u2069")
    for found in re.finditer("مسرح", outside):
        assert outside[found.start() - 1] == "\u2068"


def test_a_name_is_isolated_where_no_element_can_stand():
    assert isolated("Porte A") == "Porte A"
    assert isolated("\u202eA\u2066B") == "AB"
    assert isolated("שער 1") == "\u2068שער 1\u2069"


@pytest.mark.parametrize("name", TEXTS)
async def test_a_downloaded_file_holds_no_formula(signed_in, desk, name: str):
    await _name_everything(desk, TEXTS[name])
    async with signed_in.client.get("/performances/p1/imports/i1/problems.csv") as answer:
        assert answer.headers["Content-Type"].startswith("text/csv")
        assert "filename=" in answer.headers["Content-Disposition"]
        assert MARK not in answer.headers["Content-Disposition"]
        text = (await answer.read()).decode("utf-8-sig")
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=";"):
        assert len(row) == 4
        assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]


@pytest.mark.parametrize("start", list("=+-@\t\r\n"))
def test_no_cell_begins_as_a_formula(start: str):
    (row,) = csv.reader(
        io.StringIO(spreadsheet([[start + "1+1", "plain"]]).decode("utf-8-sig"), newline=""),
        delimiter=";",
    )
    assert row == ["'" + start + "1+1", "plain"]


@pytest.mark.parametrize("name", TEXTS)
async def test_what_is_typed_comes_back_escaped_and_in_no_log(signed_in, desk, caplog, name: str):
    caplog.set_level(1)
    text = TEXTS[name]
    for form, fields in (
        ("state", {"number": text, "state": text}),
        ("reset", {"number": text, "checkpoint": text, "reason": text}),
        ("key-storage", {"key_storage": text, "key_storage_reason": text}),
    ):
        status, page = await signed_in.post(f"/performances/p1/{form}", fields)
        assert status == 422
        assert [one for one in RUNS if one in page] == []
    logged = "\n".join(repr(vars(one)) + one.getMessage() for one in caplog.records)
    assert MARK not in logged
