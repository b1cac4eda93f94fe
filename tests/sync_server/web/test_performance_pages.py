"""A performance's page: files in, lists out, one ticket put right."""

import csv
import io

import pytest
from aiohttp import FormData

from admission.ticket import TicketState
from sync_server.entities import ImportMode
from sync_server.errors import NotFoundError, TicketFileError
from sync_server.web.back_office import imports
from sync_server.web.back_office.imports import spreadsheet

CSV = b"number;category\n0001;standard\n"


@pytest.fixture
async def signed_in(browser, lea):
    await browser.sign_in()
    return browser


def form(browser, data=CSV, *, filename="tickets.csv", **fields) -> FormData:
    sent = FormData(default_to_multipart=True, quote_fields=False)
    sent.add_field("csrf", fields.pop("csrf", browser.csrf))
    for name, value in {"source": "shop", "mode": "add", **fields}.items():
        sent.add_field(name, value)
    if data is not None:
        sent.add_field("file", data, filename=filename, content_type="text/csv")
    return sent


async def send(browser, sent, **headers) -> tuple[int, str]:
    async with browser.client.post(
        "/performances/p1/imports", data=sent, headers=headers, allow_redirects=False
    ) as answer:
        return answer.status, answer.headers.get("Location", "") or await answer.text()


async def test_the_list_of_performances_leads_to_each(signed_in):
    _, text = await signed_in.get("/performances")
    assert '<a href="/performances/p1">' in text
    assert "516 / 548" in text


async def test_a_file_is_taken_in_and_its_result_shown(signed_in, desk):
    status, goal = await send(signed_in, form(signed_in, mode="replace"))
    assert (status, goal) == (303, "/performances/p1/imports/i1?notes=zeros_lost")
    [(_, performance, upload)] = desk.asked
    assert performance == "p1"
    assert upload.data == CSV
    assert (upload.filename, upload.source) == ("tickets.csv", "shop")
    assert upload.mode is ImportMode.REPLACE
    _, text = await signed_in.get(goal)
    assert "2 lignes n’ont pas été appliquées" in text
    assert "un tableur a peut-être retiré des zéros" in text
    assert "Un tableur a changé le numéro en nombre décimal" in text
    assert "numéro" in text


async def test_a_script_is_told_where_the_result_is(signed_in):
    status, text = await send(signed_in, form(signed_in), Accept="application/json")
    assert status == 200
    assert text == '{"goal": "/performances/p1/imports/i1?notes=zeros_lost"}'


async def test_a_refused_file_says_why_and_at_which_line(signed_in, desk):
    desk.refusal = TicketFileError("cut_off", "the file is cut off", 17)
    status, text = await send(signed_in, form(signed_in))
    assert status == 422
    assert "Ligne 17\u00a0: Le fichier est coupé" in text
    assert 'href="#import-file"' in text
    status, text = await send(signed_in, form(signed_in), Accept="application/json")
    assert status == 422
    assert "Ligne 17" in text


@pytest.mark.parametrize("data", [b"", None])
async def test_a_file_must_be_chosen(signed_in, desk, data):
    status, _ = await send(signed_in, form(signed_in, data))
    assert status == 422
    assert desk.asked == []


async def test_a_file_over_the_bound_is_refused(signed_in, desk, monkeypatch):
    monkeypatch.setattr(imports, "FILE_BYTES_MAX", 100_000)
    status, text = await send(signed_in, form(signed_in, b"x" * 300_000))
    assert status == 413
    assert "Trop volumineux" in text
    assert desk.asked == []


async def test_an_upload_without_its_token_is_refused_before_its_file_is_read(signed_in, desk):
    for token in ("", "x" * 43):
        status, _ = await send(signed_in, form(signed_in, csrf=token))
        assert status == 403
    late = FormData()
    late.add_field("file", CSV, filename="a.csv")
    late.add_field("csrf", signed_in.csrf)
    assert (await send(signed_in, late))[0] == 403
    assert desk.asked == []


async def test_the_header_may_carry_the_token_of_an_upload(signed_in, desk):
    sent = form(signed_in, csrf="")
    status, _ = await send(signed_in, sent, **{"X-CSRF-Token": signed_in.csrf})
    assert status == 303


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"nonsense", "multipart/form-data; boundary=x"),
        (b"--x\r\n\r\n\r\nhello\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Disposition: form-data; name=", "multipart/form-data; boundary=x"),
        (b"--x--", "multipart/form-data"),
        (b"a=1", "application/x-www-form-urlencoded"),
        (
            b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n\xff\xfe\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::aiohttp.multipart.BadContentDispositionHeader")
async def test_what_is_no_upload_is_refused(signed_in, desk, body, content_type):
    status, _ = await send(signed_in, body, **{"Content-Type": content_type})
    assert status in (400, 403)
    assert desk.asked == []


async def test_a_path_in_a_file_name_is_cut_off(signed_in, desk):
    await send(signed_in, form(signed_in, filename="C:/billets de léa/billets <b>.csv"))
    assert desk.asked[0][2].filename == "billets <b>.csv"
    _, text = await signed_in.get("/performances/p1")
    assert "billets &lt;b&gt;.csv" in text


async def test_problems_come_as_a_file_for_spreadsheets(signed_in):
    await send(signed_in, form(signed_in))
    async with signed_in.client.get("/performances/p1/imports/i1/problems.csv") as answer:
        assert answer.content_type == "text/csv"
        assert answer.headers["Content-Disposition"].startswith("attachment")
        data = await answer.read()
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig")), delimiter=";"))
    assert rows[0] == ["Ligne", "Colonne", "Champ", "Ce qui ne va pas"]
    assert rows[1][:3] == ["17", "1", "number"]


@pytest.mark.parametrize("cell", ["=1+1", "+33", "-2", "@x", "\tx", "\rx", '=HYPERLINK("x")'])
def test_no_cell_is_taken_for_a_formula(cell):
    [row] = csv.reader(io.StringIO(spreadsheet([[cell]]).decode("utf-8-sig"), newline=""))
    assert row == ["'" + cell]


async def test_publishing_says_which_list_it_is(signed_in, desk):
    status, goal = await signed_in.post("/performances/p1/publish", {})
    assert (status, goal) == (303, "/performances/p1?done=published&version=8")
    _, text = await signed_in.get(goal)
    assert "La liste 8 est publiée" in text


async def test_a_made_up_version_in_the_address_is_escaped(signed_in):
    _, text = await signed_in.get("/performances/p1?done=published&version=<script>%25")
    assert "&lt;script&gt;%" in text


async def test_one_ticket_is_blocked(signed_in, desk):
    status, goal = await signed_in.post(
        "/performances/p1/state", {"number": "0001 ", "state": "blocked"}
    )
    assert (status, goal) == (303, "/performances/p1?done=state")
    assert desk.asked == [("state", "p1", "0001 ", TicketState.BLOCKED)]


async def test_a_number_that_is_not_listed_is_said_to_be_so(signed_in, desk):
    desk.refusal = NotFoundError("ticket")
    status, text = await signed_in.post(
        "/performances/p1/state", {"number": "nope", "state": "blocked"}
    )
    assert status == 422
    assert "Aucun billet de cette représentation ne porte ce numéro" in text


async def test_a_state_is_one_of_six(signed_in, desk):
    status, _ = await signed_in.post("/performances/p1/state", {"number": "1", "state": "maybe"})
    assert status == 422
    assert desk.asked == []


async def test_a_reset_needs_a_number_a_checkpoint_and_a_reason(signed_in, desk):
    fields = {"number": "0001", "checkpoint": "c1", "reason": "sorti par erreur"}
    for missing in fields:
        status, text = await signed_in.post("/performances/p1/reset", {**fields, missing: ""})
        assert status == 422
        assert f'href="#reset-{missing}"' in text
    assert desk.asked == []
    status, _ = await signed_in.post("/performances/p1/reset", fields)
    assert status == 303
    assert desk.asked == [("reset", "p1", "c1", "0001", "sorti par erreur")]


async def test_a_checkpoint_that_does_not_control_it_cannot_reset_it(signed_in, desk):
    fields = {"number": "0001", "checkpoint": "c9", "reason": "why"}
    assert (await signed_in.post("/performances/p1/reset", fields))[0] == 422
