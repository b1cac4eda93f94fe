"""Bringing a ticket file in: the upload, its result, and its problems as a file."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from aiohttp import BodyPartReader, MultipartReader, web

from sync_server.accounts import Current, Right
from sync_server.entities import ImportMode
from sync_server.errors import NotFoundError, ServerError, TicketFileError
from sync_server.web.back_office.desk import ImportRun, Taken, Upload
from sync_server.web.back_office.drafts import NAME_CHARACTERS_MAX, Check
from sync_server.web.back_office.forms import Form
from sync_server.web.back_office.frame import language_of, show, words_of
from sync_server.web.back_office.live import BOARD
from sync_server.web.back_office.performances import Shown, find, show_performance
from sync_server.web.back_office.set_up import DESK, UNPROCESSABLE
from sync_server.web.number_risk import number_risk
from sync_server.web.rendering import Words
from sync_server.web.sessions import CSRF_FIELD, CSRF_HEADER, check_csrf, require_user

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
FIELD_BYTES_MAX: Final = 4096
PARTS_MAX: Final = 10
SOURCE_DEFAULT: Final = "file"
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def add_routes(app: web.Application) -> None:
    """Serve uploads and their results."""
    app.router.add_post("/performances/{performance}/imports", upload)
    app.router.add_get("/performances/{performance}/imports/{run}", result_page)
    app.router.add_get("/performances/{performance}/imports/{run}/problems.csv", problems_csv)


@dataclass(slots=True)
class _Parts:
    """An upload's fields and its file."""

    form: Form
    filename: str
    data: bytes | None


async def upload(request: web.Request) -> web.StreamResponse:
    """Take a file in and go on to what came of it; a script is told where that is."""
    current = await require_user(request, Right.BACK_OFFICE)
    shown = await find(request, current)
    parts = await _read_parts(request, current)
    words = await words_of(request)
    check = Check("import", parts.form, words)
    source = parts.form.text("source") or SOURCE_DEFAULT
    if len(source) > NAME_CHARACTERS_MAX or not source.isprintable():
        check.wrong("source", words("A source's name is one line."))
    if not parts.data:
        check.wrong("file", words("Choose a file that is not empty."))
    mode = ImportMode.REPLACE if parts.form.text("mode") == "replace" else ImportMode.ADD
    taken = Taken("", ())
    if check.is_good:
        file = Upload(parts.data or b"", _filename(parts.filename), source, mode)
        try:
            taken = await request.config_dict[DESK].import_file(
                current.user, shown.performance.id, file
            )
        except TicketFileError as exc:
            check.wrong("file", _told(words, exc))
        except ServerError as exc:
            check.refused(exc)
    if not check.is_good:
        return await _refuse(request, current, shown, check)
    request.config_dict[BOARD].changed()
    goal = f"/performances/{shown.performance.id}/imports/{taken.run_id}"
    if taken.notes:
        goal += f"?notes={quote(','.join(taken.notes))}"
    if _is_script(request):
        return web.json_response({"goal": goal})
    raise web.HTTPSeeOther(goal)


async def result_page(request: web.Request) -> web.StreamResponse:
    """Show what an import came to, with every row that was not applied."""
    current = await require_user(request, Right.BACK_OFFICE)
    shown, one = await _run(request, current)
    words = await words_of(request)
    notes = [words.known("note", code) for code in request.query.get("notes", "").split(",")]
    context = {
        "shown": shown,
        "zone": shown.zone,
        "run": one.run,
        "source": one.source,
        "notes": [note for note in notes if note],
        "risk": number_risk(words, await language_of(request), one.run.guessability),
    }
    return await show(request, current, "import.html", "performances", context)


async def problems_csv(request: web.Request) -> web.StreamResponse:
    """Give the rows that were not applied as a file for spreadsheets."""
    current = await require_user(request, Right.BACK_OFFICE)
    _, one = await _run(request, current)
    words = await words_of(request)
    rows = [[words("Line"), words("Column"), words("Field"), words("What is wrong")]]
    for problem in one.run.problems:
        told = words.known("problem", str(problem["code"])) or str(problem["code"])
        if problem.get("detail"):
            told = f"{told} ({problem['detail']})"
        rows.append([str(problem["line"]), str(problem["column"]), str(problem["field"]), told])
    name = f"problems-{one.run.id}.csv"
    return web.Response(
        body=spreadsheet(rows),
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def spreadsheet(rows: Iterable[Iterable[str]]) -> bytes:
    """Write rows as CSV that spreadsheets open rightly and never run.

    A cell that a spreadsheet would take for a formula gets an apostrophe before it; the mark at
    the head tells the encoding, the semicolon suits both a French and an English one.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    for row in rows:
        writer.writerow(["'" + cell if cell.startswith(_FORMULA_STARTS) else cell for cell in row])
    return ("\ufeff" + text.getvalue()).encode()


async def _read_parts(request: web.Request, current: Current) -> _Parts:
    """Read an upload; its token must stand before its file, or in the header.

    Raises:
        ForgedRequestError: without the session's token.
        web.HTTPBadRequest: if it is no upload.
        web.HTTPRequestEntityTooLarge: if the file is over FILE_BYTES_MAX.
    """
    if request.content_type != "multipart/form-data":
        raise web.HTTPBadRequest(text="this address takes a file")
    if request.headers.get(CSRF_HEADER):
        check_csrf(request, current)
    pairs: list[tuple[str, str]] = []
    filename, data = "", None
    try:
        reader = await request.multipart()
        for _ in range(PARTS_MAX):
            part = await reader.next()
            if part is None:
                break
            if isinstance(part, MultipartReader) or part.name is None:
                raise web.HTTPBadRequest(text="this upload cannot be read")
            if part.name == "file":
                check_csrf(request, current, Form(pairs).raw(CSRF_FIELD))
                filename, data = part.filename or "", await _read(part, FILE_BYTES_MAX)
            else:
                value = await _read(part, FIELD_BYTES_MAX)
                pairs.append((part.name, value.decode("utf-8")))
    except ValueError as exc:
        raise web.HTTPBadRequest(text="this upload cannot be read") from exc
    form = Form(pairs)
    check_csrf(request, current, form.raw(CSRF_FIELD))
    return _Parts(form, filename, data)


async def _read(part: BodyPartReader, bytes_max: int) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(256 * 1024):
        data += chunk
        if len(data) > bytes_max:
            raise web.HTTPRequestEntityTooLarge(bytes_max, len(data))
    return bytes(data)


async def _refuse(
    request: web.Request, current: Current, shown: Shown, check: Check
) -> web.StreamResponse:
    if _is_script(request):
        return web.json_response(
            {"errors": [text for _, text in check.draft.errors]}, status=UNPROCESSABLE
        )
    return await show_performance(request, current, shown, check.draft)


async def _run(request: web.Request, current: Current) -> tuple[Shown, ImportRun]:
    shown = await find(request, current)
    for one in await request.config_dict[DESK].imports(current.user, shown.performance.id):
        if one.run.id == request.match_info["run"]:
            return shown, one
    raise NotFoundError("import")


def _told(words: Words, exc: TicketFileError) -> str:
    text = words.known("file", exc.code) or exc.message
    if exc.line is None:
        return text
    return words("Line %(line)s: %(text)s", line=exc.line, text=text)


def _filename(name: str) -> str:
    """Keep a file's name fit for a line of a page; some browsers send a whole path."""
    plain = "".join(c for c in name.replace("\\", "/").rpartition("/")[2] if c.isprintable())
    return plain.strip()[:NAME_CHARACTERS_MAX] or "tickets.csv"


def _is_script(request: web.Request) -> bool:
    return request.headers.get("Accept", "") == "application/json"
