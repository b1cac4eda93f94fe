"""Whatever is shown to a reader is refused, told in no log, drawn on no display, kept nowhere."""

import hashlib
import unicodedata
from io import BytesIO
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application
from PIL import Image

from admission import journal
from admission.journal import Kind
from admission.ticketlist.manifest import Showing
from admission.verdict import Answer
from appliance.displays.isolating import isolated
from appliance.displays.screens import draw
from appliance.displays.words import spoken
from appliance.local_page.display_page import routes
from appliance.ports import Look, Screen
from appliance.readers.flood import BYTES_PER_S_MAX, SCANS_PER_S_MAX, BytePace, TokenBucket
from appliance.readers.noise import NoiseGate
from appliance.simulator.box_office import ListedNumber
from appliance.simulator.picture_display import PictureDisplay
from appliance.simulator.virtual_turnstile import Motion
from hostile_texts import MARK, PAYLOADS, TEXTS

NEVER_SEEN = Screen(Look.DENIED, answer=Answer.UNKNOWN_TICKET)
NO_NUMBER = Screen(Look.DENIED, answer=Answer.MALFORMED)
LEFT = [MARK, MARK.encode("utf-16-le").decode("latin-1"), "\u202e", "\x1b", "<script", "DROP TABLE"]


def _traces(text: str) -> list[str]:
    return [trace for trace in LEFT if trace in text]


def _logged(caplog) -> str:
    """Give everything that any logger was told, fields and arguments included, on every level."""
    return "\n".join(repr(vars(record)) + record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("name", PAYLOADS)
async def test_it_is_refused_and_leaves_no_trace(open_gate, tmp_path: Path, caplog, name: str):
    payload = PAYLOADS[name]
    caplog.set_level(1)
    async with open_gate(["T1"]) as gate:
        screen = await gate.scan(payload)
        assert screen in (NEVER_SEEN, NO_NUMBER)
        assert gate.turnstile.count(Motion.RELEASED) == 0
        (record,) = await gate.records()
        assert Kind(record.kind) is Kind.DENIED
        assert record.identifier in (b"", None)
        assert (await gate.scan("T1")).answer is Answer.GRANTED  # the gate is as it was
        rows = await gate.journal.rows(0, 1_000)
        chain = journal.genesis(gate.journal.id)
        for row in rows:
            chain = journal.chain(chain, row.blob)
            assert row.chain == chain
    told = _logged(caplog)
    assert _traces(told) == []
    if payload.strip():
        assert repr(payload) not in told
        assert repr(payload.decode("utf-8", "replace"))[1:-1] not in told
        assert payload.hex() not in told
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert MARK.encode() not in file.read_bytes()


@pytest.mark.parametrize("name", TEXTS)
async def test_as_the_number_of_a_ticket_it_admits_once_and_is_shown_nowhere(
    open_gate, caplog, name: str
):
    """No importer lets most of them through; a list that is signed may hold any."""
    caplog.set_level(1)
    text = TEXTS[name]
    async with open_gate([ListedNumber(text.strip(" \t\r\n"))]) as gate:
        first, second = await gate.scan(text.encode()), None
        await gate.later(10)
        second = await gate.scan(text.encode())
        if first.answer is Answer.GRANTED:
            assert second.answer is Answer.ALREADY_USED
        else:
            assert first == second == NO_NUMBER
        assert _traces(f"{first!r}{second!r}") == []
    assert _traces(_logged(caplog)) == []


def _picture(screen: Screen, size=(320, 240), mode="RGB") -> str:
    return hashlib.sha256(draw(screen, "fr", size, mode).tobytes()).hexdigest()


@pytest.mark.parametrize("size", [(128, 64), (800, 480)])
def test_what_a_refusal_looks_like_depends_on_nothing_that_was_read(size):
    """The screens are the same for every payload (above), so their pictures are."""
    mode = "1" if size[0] == 128 else "RGB"
    pictures = {_picture(screen, size, mode) for screen in (NEVER_SEEN, NO_NUMBER)}
    assert len(pictures) == 2


# --- names: of events, categories, seats ----------------------------------------------------------


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("size", [(128, 64), (800, 480)])
def test_any_name_is_drawn_within_its_picture(name: str, size):
    text = TEXTS[name][:200]
    for screen in (
        Screen(Look.IDLE, title=text, detail=text),
        Screen(Look.GRANTED, answer=Answer.GRANTED, detail=text),
        Screen(Look.DENIED, answer=Answer.WRONG_PERFORMANCE, detail=text),
    ):
        for mode in ("1", "RGB"):
            assert draw(screen, "fr", size, mode).size == size


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_told_as_text_no_name_turns_or_breaks_the_words_around_it(name: str, language: str):
    text = TEXTS[name][:200]
    for screen in (
        Screen(Look.IDLE, title=text, detail=text, occupancy=3),
        Screen(Look.DENIED, answer=Answer.WRONG_PERFORMANCE, detail=text),
    ):
        told = spoken(screen, language)
        marks = {sign for sign in told if unicodedata.category(sign) in {"Cc", "Cf"}}
        assert marks <= {"\u2068", "\u2069"}
        assert told.count("\u2068") == told.count("\u2069")


def test_a_name_from_right_to_left_ends_where_it_ends():
    assert isolated("הקוסם") == "\u2068הקוסם\u2069"
    assert isolated("ab\u202ec\u2066\x07d") == "abcd"
    assert isolated("a\nb") == "a b"
    assert isolated("Théâtre") == "Théâtre"


@pytest.mark.parametrize(
    "name", ["script", "event handler", "markup end", "right-to-left override"]
)
async def test_the_gates_own_page_shows_a_name_and_runs_nothing(name: str):
    text = TEXTS[name]
    display = PictureDisplay("fr")
    await display.show(Screen(Look.IDLE, title=text, detail=text))
    app = Application()
    app.add_routes(routes(display))
    async with TestClient(TestServer(app)) as client:
        page = await (await client.get("/")).text()
        picture = await (await client.get("/display.png")).read()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<svg/onload" not in page
    assert "\u202e" not in page
    assert MARK in page  # it is a name, after all
    assert Image.open(BytesIO(picture)).size == (800, 480)


async def test_a_hostile_event_name_stands_on_a_gate_that_works(open_gate):
    name = TEXTS["right-to-left override"] + TEXTS["script"]
    async with open_gate(["T1"], showing=Showing(name=name, event=name, timezone="UTC")) as gate:
        assert gate.display.last.title == name
        told = spoken(gate.display.last, "fr")
        assert "\u202e" not in told
        assert (await gate.scan("T1")).answer is Answer.GRANTED


# --- too much -------------------------------------------------------------------------------------


def test_a_serial_flood_is_cut_to_what_a_reader_may_bring():
    bucket = TokenBucket()
    passed = sum(bucket.admit(now_ns=at * 1_000_000) for at in range(10_000))
    assert passed <= SCANS_PER_S_MAX * (10 + 1)
    assert bucket.dropped == 10_000 - passed


def test_a_line_may_bring_two_long_codes_at_once_and_then_no_more_than_it_may():
    pace = BytePace()
    assert pace.pause_s(2 * 4096, 0) == 0.0
    now_ns, read = 0, 0
    while now_ns < 10_000_000_000:
        read += 1024
        now_ns += max(1, round(pace.pause_s(1024, now_ns) * 1e9))
    assert 0.99 < read / (10 * BYTES_PER_S_MAX) < 1.01
    assert pace.pause_s(1024, now_ns + 1_000_000_000) == 0.0


async def test_a_flood_of_hostile_codes_fills_neither_memory_nor_keeps_a_person_out(
    open_gate, caplog
):
    async with open_gate(["T1"]) as gate:
        for number in range(500):
            gate.entry.present(PAYLOADS["4 kB of noise"][:-4] + b"%04d" % number)
        await gate.settle()
        assert len(await gate.records()) <= 500
        assert (await gate.scan("T1")).answer is Answer.GRANTED
    assert _traces(_logged(caplog)) == []


@pytest.mark.parametrize("name", PAYLOADS)
def test_the_watch_for_a_wrong_speed_takes_any_bytes(name: str):
    gate = NoiseGate()
    admitted = [gate.admit(PAYLOADS[name], now_ns=at) for at in range(5)]
    assert (gate.garbled, sum(admitted)) in {(0, 5), (5, 2)}
