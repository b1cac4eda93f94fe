"""What the pages say: how the gate is, what happened last, what it shows and sees; live."""

import asyncio
import json
import re

import pytest

from admission.verdict import Answer
from appliance.errors import StorageError
from appliance.local_page import live_stream
from appliance.page_ports import GateDesk, PageRole, SeenCode
from appliance.ports import Look, Screen
from appliance.simulator.picture_display import PictureDisplay
from appliance.simulator.virtual_clock import VirtualClock
from gate_states import BAD_NIGHT, GOOD_NIGHT, TAIL, StillCamera, glimpse
from gate_visitor import pages_of, visiting

LAST_S_MAX = 5


@pytest.fixture
def clock():
    return VirtualClock()


def desk_of(status=GOOD_NIGHT, tail=TAIL):
    async def last(count):
        return tail[:count]

    return GateDesk("Porte A", lambda: status, last)


def words_of(body: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body))


async def opened(visitor, path, role=PageRole.SUPERVISOR):
    await visitor.log_in(role)
    return words_of(await visitor.get(path))


async def test_a_good_night_says_so_and_names_its_figures(clock):
    async with visiting(pages_of(clock, desk_of())) as visitor:
        words = await opened(visitor, "/gate/", PageRole.STEWARD)
    for told in ("No faults", "Connected", "412", "version 41, confirmed 12 s ago", "9 ms",
                 "within 0.4 s", "52 °C", "2711 / 3791 MB", "2 d", "3 h 19", "1.2.3", "eth0",
                 "2026-05-01 20:32:07"):  # fmt: skip
        assert told in words, told


async def test_a_bad_night_says_what_is_wrong_and_what_to_do(clock):
    async with visiting(pages_of(clock, desk_of(BAD_NIGHT))) as visitor:
        words = await opened(visitor, "/gate/", PageRole.STEWARD)
        assert "Porte A &lt;b&gt;" in visitor.body
    for told in ("3 faults", "GT-RLY", "The relay does not answer", "for 2 min",
                 "run the wiring test", "no server, unsure clock", "12 min", "1204 · 1 h 03",
                 "GT-XYZ", "manual of faults", "Too weak", "83 °C", "Missing", "Gone"):  # fmt: skip
        assert told in words, told
    assert "a saved time" in words


async def test_a_gate_that_does_not_serve_says_so(clock):
    async with visiting(pages_of(clock)) as visitor:
        assert "not in service" in await opened(visitor, "/gate/")
        assert "not in service" in words_of(await visitor.get("/gate/journal"))


async def test_the_journals_tail_says_what_happened_and_shows_later_versions_as_they_are(clock):
    async with visiting(pages_of(clock, desk_of())) as visitor:
        words = await opened(visitor, "/gate/journal", PageRole.STEWARD)
        assert "<reader>" not in visitor.body
    for told in ("1207", "Passed", "Granted", "Already used", "Forced", "GT-RLY begun",
                 "of_tomorrow", "Exit", "Last 6 events"):  # fmt: skip
        assert told in words, told


async def test_a_journal_that_cannot_be_read_is_told(clock):
    async def failing(count):
        raise StorageError("no card")

    desk = GateDesk("A", lambda: GOOD_NIGHT, failing)
    async with visiting(pages_of(clock, desk)) as visitor:
        assert "cannot be read" in await opened(visitor, "/gate/journal")


async def test_a_camera_shows_what_it_saw_and_never_what_stands_in_it(clock):
    read = SeenCode("QRCode", ((1, 2), (30, 2), (30, 40), (1, 40)), 12)
    found = SeenCode("Aztec", ((50, 60), (70, 60), (70, 80)))
    desk = desk_of()
    desk.cameras = {"outside & in": StillCamera(glimpse(read, found))}
    async with visiting(pages_of(clock, desk)) as visitor:
        words = await opened(visitor, "/gate/picture")
        assert "QRCode: read, 12 bytes" in words
        assert "Aztec: seen, not read" in words
        assert 'points="1,2 30,2 30,40 1,40" class="read"' in visitor.body
        address = re.search(r'src="(/gate/picture/camera[^"]*)"', visitor.body)[1]
        async with visitor.client.get(visitor.address + address.replace("&amp;", "&")) as picture:
            assert (picture.status, picture.content_type) == (200, "image/png")
            assert await picture.read() == b"\x89PNG"


async def test_a_camera_without_a_picture_and_one_that_is_not_there(clock):
    desk = desk_of()
    desk.cameras = {"outside": StillCamera(None)}
    async with visiting(pages_of(clock, desk)) as visitor:
        assert "No picture yet" in await opened(visitor, "/gate/picture")
        for name in ("outside", "other"):
            await visitor.get(f"/gate/picture/camera?name={name}")
            assert visitor.status == 404


async def test_pictures_of_people_are_for_supervisors(clock):
    desk = desk_of()
    desk.cameras = {"outside": StillCamera(glimpse())}
    async with visiting(pages_of(clock, desk)) as visitor:
        await visitor.log_in(PageRole.STEWARD)
        for path in ("/gate/picture", "/gate/picture/camera?name=outside", "/gate/picture/live"):
            await visitor.get(path)
            assert visitor.status == 403


async def test_the_display_is_shown_with_its_words(clock):
    display = PictureDisplay("fr")
    await display.show(Screen(Look.DENIED, answer=Answer.ALREADY_USED))
    async with visiting(pages_of(clock, desk_of(), picture=display), display) as visitor:
        await opened(visitor, "/gate/picture")
        assert 'src="/display.png?revision=1"' in visitor.body


# --- live -----------------------------------------------------------------------------------------


async def next_event(response) -> tuple[str, dict]:
    name = "message"
    while True:
        line = (await response.content.readline()).decode().strip()
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            return name, json.loads(line.removeprefix("data: "))


async def pass_time(clock, seconds: float) -> None:
    """Let the stream come to its wait, then let that pass."""
    for _ in range(20):
        await asyncio.sleep(0.001)
    await clock.run(seconds)


async def test_only_what_changed_is_sent(clock):
    shown = [GOOD_NIGHT]
    desk = GateDesk("A", lambda: shown[0])
    async with asyncio.timeout(LAST_S_MAX), visiting(pages_of(clock, desk)) as visitor:
        await visitor.log_in()
        async with visitor.client.get(visitor.address + "/gate/live") as stream:
            _, first = await next_event(stream)
            assert set(first) == {"faults", "service", "lists", "clock", "devices", "tested"}
            shown[0] = BAD_NIGHT
            await pass_time(clock, 2)
            _, second = await next_event(stream)
            assert "GT-RLY" in second["faults"]
            stream.close()


async def test_a_stream_ends_with_its_session(clock):
    async with asyncio.timeout(LAST_S_MAX), visiting(pages_of(clock, desk_of())) as visitor:
        await visitor.log_in()
        async with visitor.client.get(visitor.address + "/gate/live") as stream:
            await next_event(stream)
            await visitor.get("/gate/")
            await visitor.post("/gate/logout")
            await pass_time(clock, 2)
            assert (await next_event(stream))[0] == "ended"


async def test_watching_is_not_doing_something(clock):
    """A page that is left open does not keep its session for ever."""
    pages = pages_of(clock, desk_of(), idle_s={PageRole.SUPERVISOR: 60.0, PageRole.STEWARD: 60.0})
    async with asyncio.timeout(LAST_S_MAX), visiting(pages) as visitor:
        await visitor.log_in()
        async with visitor.client.get(visitor.address + "/gate/live") as stream:
            await next_event(stream)
            await pass_time(clock, 61)
            assert (await next_event(stream))[0] == "ended"


async def test_streams_are_bounded(clock, monkeypatch):
    monkeypatch.setattr(live_stream, "STREAMS_MAX", 1)
    async with asyncio.timeout(LAST_S_MAX), visiting(pages_of(clock, desk_of())) as visitor:
        await visitor.log_in()
        async with visitor.client.get(visitor.address + "/gate/live") as stream:
            await next_event(stream)
            await visitor.get("/gate/live")
            assert visitor.status == 503
            stream.close()


async def test_the_address_without_its_last_stroke_leads_to_the_first_page(clock):
    async with visiting(pages_of(clock, desk_of())) as visitor:
        await visitor.log_in(PageRole.STEWARD)
        assert "No faults" in words_of(await visitor.get("/gate"))


async def test_a_french_visitor_reads_french_figures_and_words(clock):
    async with visiting(pages_of(clock, desk_of())) as visitor:
        await visitor.log_in(PageRole.STEWARD)
        assert "0,4 s" in words_of(await visitor.get("/gate/?lang=fr"))
        assert "GT-RLY commencée" in words_of(await visitor.get("/gate/journal?lang=fr"))
