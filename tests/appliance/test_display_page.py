"""The live page: the picture, its words, each change as an event, and nothing that could harm."""

import asyncio
import json
from contextlib import asynccontextmanager
from html.parser import HTMLParser

import pytest
from aiohttp import ClientSession, ClientTimeout, web

from admission.verdict import Answer
from appliance.local_page import display_page
from appliance.local_page.display_page import routes
from appliance.local_page.words import LANGUAGES, choose_language, text
from appliance.ports import Look, Screen
from appliance.simulator.picture_display import PictureDisplay

USED = Screen(Look.DENIED, answer=Answer.ALREADY_USED, detail="19:02 · Porte B")
LAST_EVENT_S_MAX = 5


class Page(HTMLParser):
    """What a page holds: tags with their attributes, and its text."""

    def __init__(self, body: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(body)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data

    def one(self, tag: str, **attributes: str) -> dict[str, str | None]:
        found = [
            held for name, held in self.tags if name == tag and attributes.items() <= held.items()
        ]
        assert len(found) == 1, (tag, attributes)
        return found[0]


@asynccontextmanager
async def served(source):
    """Serve the page on a free port of this machine; give a client that knows the address."""
    application = web.Application()
    application.add_routes(routes(source))
    runner = web.AppRunner(application, shutdown_timeout=0.01)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        timeout = ClientTimeout(total=LAST_EVENT_S_MAX)
        async with ClientSession(f"http://127.0.0.1:{port}", timeout=timeout) as client:
            yield client
    finally:
        await runner.cleanup()


async def next_event(response) -> dict:
    while True:
        line = await response.content.readline()
        if line.startswith(b"data: "):
            return json.loads(line.removeprefix(b"data: "))


async def body_of(client, path="/", **headers) -> str:
    async with client.get(path, headers=headers) as response:
        assert response.status == 200
        return await response.text()


async def test_the_page_shows_the_picture_and_tells_its_words():
    display = PictureDisplay("fr")
    await display.show(USED)
    async with served(display) as client:
        page = Page(await body_of(client))
        assert page.one("img")["src"] == "display.png?revision=1"
        assert page.one("img")["alt"]
        assert display.text in page.words
        async with client.get("/display.png?revision=1") as response:
            assert response.content_type == "image/png"
            assert await response.read() == display.png


async def test_the_answer_is_a_live_region_in_the_language_of_the_gate():
    display = PictureDisplay("fr")
    await display.show(USED)
    async with served(display) as client:
        page = Page(await body_of(client, "/?lang=en"))
        assert page.one("html")["lang"] == "en"
        answer = page.one("p", id="answer")
        assert (answer["role"], answer["lang"]) == ("status", "fr")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_page_speaks_the_language_of_its_visitor(language):
    async with served(PictureDisplay("fr")) as client:
        body = await body_of(client, **{"Accept-Language": f"xx, {language}-CA;q=0.9"})
        assert Page(body).one("html")["lang"] == language
        assert text("display.title", language) in body


async def test_before_the_first_picture_the_page_says_so():
    async with served(PictureDisplay("en")) as client:
        page = Page(await body_of(client))
        assert "src" not in page.one("img")
        assert "Nothing is shown yet." in page.words
        async with client.get("/display.png") as response:
            assert response.status == 404


async def test_each_new_picture_is_an_event():
    display = PictureDisplay("en")
    async with served(display) as client, client.get("/events") as response:
        assert response.content_type == "text/event-stream"
        assert await next_event(response) == {"revision": 0, "text": ""}
        await display.show(USED)
        event = await next_event(response)
        assert event == {"revision": 1, "text": display.text}
        assert "Already used" in event["text"]
        await display.show(Screen(Look.IDLE))
        assert (await next_event(response))["revision"] == 2


async def test_whoever_comes_later_is_told_what_is_shown_now():
    display = PictureDisplay("en")
    await display.show(USED)
    await display.show(Screen(Look.IDLE))
    async with served(display) as client, client.get("/events") as response:
        assert (await next_event(response))["revision"] == 2


async def test_a_slow_browser_skips_to_the_newest_picture():
    class Source(PictureDisplay):
        """Shows three pictures while each of the browser's events is on its way."""

        async def wait_after(self, revision):
            if self.revision > revision:
                return
            for screen in (USED, Screen(Look.IDLE), Screen(Look.READING)):
                await self.show(screen)

    async with served(Source("en")) as client, client.get("/events") as response:
        revisions = [(await next_event(response))["revision"] for _ in range(4)]
        assert revisions == [0, 3, 6, 9]


async def test_an_idle_stream_shows_signs_of_life(monkeypatch):
    monkeypatch.setattr(display_page, "_HEARTBEAT_S", 0.005)
    async with served(PictureDisplay("en")) as client, client.get("/events") as response:
        await next_event(response)
        assert await response.content.readline() == b"\n"
        assert await response.content.readline() == b":\n"


async def test_there_are_only_so_many_streams_and_each_is_given_back(monkeypatch):
    monkeypatch.setattr(display_page, "_STREAMS_MAX", 2)
    monkeypatch.setattr(display_page, "_HEARTBEAT_S", 0.005)
    async with served(PictureDisplay("en")) as client:
        async with client.get("/events") as one, client.get("/events") as other:
            await next_event(one)
            await next_event(other)
            async with client.get("/events") as refused:
                assert refused.status == 503
        for _ in range(500):  # the server notices at its next sign of life
            async with client.get("/events") as again:
                if again.status == 200:
                    return
            await asyncio.sleep(0.002)
        raise AssertionError("closed streams are still counted")


async def test_what_is_shown_is_text_and_never_markup():
    display = PictureDisplay("en")
    nasty = "</p><script>alert('x')</script><img src=x onerror=alert(1)>"
    await display.show(Screen(Look.IDLE, title=nasty, detail="\"'&"))
    async with served(display) as client:
        body = await body_of(client)
        page = Page(body)
        assert "<script>alert" not in body
        assert nasty in page.words
        assert page.one("script")["src"] == "display.js"
        page.one("img")


async def test_nothing_on_the_page_is_inline_or_from_elsewhere():
    display = PictureDisplay("en")
    await display.show(USED)
    async with served(display) as client:
        page = Page(await body_of(client))
        for tag, attributes in page.tags:
            assert tag != "style"
            assert not any(name == "style" or name.startswith("on") for name in attributes)
            for name in ("src", "href"):
                assert "//" not in (attributes.get(name) or "")
        for path in ("/display.css", "/display.js"):
            assert "http" not in await body_of(client, path)
        script = await body_of(client, "/display.js")
        assert "innerHTML" not in script
        assert "textContent" in script


@pytest.mark.parametrize(
    "path", ["/", "/display.png", "/display.css", "/display.js", "/events", "/favicon.ico"]
)
async def test_every_answer_forbids_whatever_the_page_does_not_need(path):
    display = PictureDisplay("en")
    await display.show(USED)
    async with served(display) as client, client.get(path) as response:
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "*" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"


async def test_nobody_can_do_anything_here():
    async with served(PictureDisplay("en")) as client:
        for method in ("POST", "PUT", "DELETE"):
            async with client.request(method, "/") as response:
                assert response.status == 405


async def test_motion_is_only_for_those_who_do_not_mind_it():
    async with served(PictureDisplay("en")) as client:
        style = await body_of(client, "/display.css")
    before, _, within = style.partition("@media (prefers-reduced-motion: no-preference)")
    assert "transition" in within
    for moving in ("transition", "animation", "@keyframes"):
        assert moving not in before


@pytest.mark.parametrize(
    ("asked", "accepted", "default", "chosen"),
    [
        ("en", "fr", "fr", "en"),
        ("xx", "fr", "en", "fr"),
        (None, "", "fr", "fr"),
        (None, "de,en;q=0.5,fr;q=0.9", "en", "fr"),
        (None, "en;q=0,de", "fr", "fr"),
        (None, "en;q=abc", "fr", "fr"),
        (None, "x," * 10_000 + "en", "fr", "fr"),
        (None, "", "xx", "en"),
    ],
)
def test_a_language_is_chosen_as_the_visitor_prefers(asked, accepted, default, chosen):
    assert choose_language(asked, accepted, default) == chosen


def test_a_word_that_is_missing_is_a_fault():
    with pytest.raises(KeyError):
        text("display.nonsense", "fr")
