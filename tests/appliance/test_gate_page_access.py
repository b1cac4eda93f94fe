"""The gate's own page: nobody comes in without a PIN, and nobody else can send its forms."""

import pytest

from appliance.local_page import framework
from appliance.local_page.framework import Access, GatePages
from appliance.local_page.log_in import HOME, LOG_IN
from appliance.local_page.markup import element
from appliance.local_page.visits import NavigationEntry, Page, Redirect, Route
from appliance.page_ports import PageRole
from appliance.simulator.virtual_clock import VirtualClock
from gate_visitor import (
    STEWARD_PIN,
    SUPERVISOR_PIN,
    QuickPins,
    both_pins,
    pages_of,
    visiting,
)


@pytest.fixture
def clock():
    return VirtualClock()


def small_pages(clock, pins=None, **access):
    """Give pages of one for each role, and a form that counts what was done."""
    done: list[str] = []

    async def show(visit):
        form = visit.form_to("/gate/deed", element("button", "Do it"))
        return Page("A page", element("div", form, id="here"))

    async def do(visit):
        done.append(visit.form.get("what", ""))
        visit.tell("<done>")
        return Redirect("/gate/")

    routes = [
        Route("GET", "/gate/", PageRole.STEWARD, show),
        Route("GET", "/gate/inner", PageRole.SUPERVISOR, show),
        Route("POST", "/gate/deed", PageRole.STEWARD, do),
    ]
    navigation = [
        NavigationEntry("/gate/", "nav.overview", PageRole.STEWARD),
        NavigationEntry("/gate/inner", "role.supervisor", PageRole.SUPERVISOR),
    ]
    known = both_pins() if pins is None else pins
    return GatePages(Access(known, clock, "en", **access), routes, navigation), done


async def test_whoever_has_no_session_is_asked_for_a_pin(clock):
    pages, _ = small_pages(clock)
    async with visiting(pages) as visitor:
        await visitor.get("/gate/")
        assert visitor.path == LOG_IN
        assert 'type="password"' in visitor.body


async def test_the_right_pin_opens_the_page_that_was_wanted(clock):
    pages, _ = small_pages(clock)
    async with visiting(pages) as visitor:
        await visitor.get("/gate/inner")
        await visitor.post(LOG_IN, role="supervisor", pin=SUPERVISOR_PIN, then="/gate/inner")
        assert (visitor.status, visitor.path) == (200, "/gate/inner")


@pytest.mark.parametrize(
    "then", ["https://elsewhere.example/", "//elsewhere.example", "/gate//x", "/other", "/gate/\\x"]
)
async def test_nobody_is_sent_elsewhere_after_the_log_in(clock, then):
    pages, _ = small_pages(clock)
    async with visiting(pages) as visitor:
        await visitor.get("/gate/")
        await visitor.post(LOG_IN, role="steward", pin=STEWARD_PIN, then=then)
        assert visitor.path == HOME


async def test_a_wrong_pin_opens_nothing(clock):
    pages, _ = small_pages(clock)
    async with visiting(pages) as visitor:
        await visitor.log_in(pin="000000")
        assert visitor.status == 403
        assert "not right" in visitor.body
        await visitor.get("/gate/")
        assert visitor.path == LOG_IN


async def test_the_pin_of_one_role_does_not_open_the_other(clock):
    pages, _ = small_pages(clock)
    async with visiting(pages) as visitor:
        await visitor.log_in(PageRole.SUPERVISOR, STEWARD_PIN)
        assert visitor.status == 403


async def test_an_empty_pin_opens_nothing_where_none_is_set(clock):
    pages, _ = small_pages(clock, QuickPins(supervisor=SUPERVISOR_PIN))
    async with visiting(pages) as visitor:
        await visitor.get(LOG_IN)
        await visitor.post(LOG_IN, role="steward", pin="")
        assert visitor.status == 403


async def test_a_steward_sees_and_does_nothing_of_a_supervisor(clock):
    pages, _ = small_pages(clock)
    async with visiting(pages) as visitor:
        await visitor.log_in(PageRole.STEWARD)
        assert visitor.path == HOME
        assert "/gate/inner" not in visitor.body
        await visitor.get("/gate/inner")
        assert visitor.status == 403
        assert "supervisors only" in visitor.body


async def test_a_form_is_done_once_and_told_escaped(clock):
    pages, done = small_pages(clock)
    async with visiting(pages) as visitor:
        await visitor.log_in(PageRole.STEWARD)
        await visitor.post("/gate/deed", what="this")
        assert done == ["this"]
        assert "&lt;done&gt;" in visitor.body
        assert "<done>" not in visitor.body
        await visitor.get("/gate/")
        assert "done" not in visitor.body.replace("done=", "")


@pytest.mark.parametrize("token", ["", "made up", "é"])
async def test_a_form_without_its_token_does_nothing(clock, token):
    pages, done = small_pages(clock)
    async with visiting(pages) as visitor:
        await visitor.log_in()
        await visitor.post("/gate/deed", token, what="this")
        assert (visitor.status, done) == (403, [])


async def test_the_token_of_another_session_does_nothing(clock):
    pages, done = small_pages(clock)
    async with visiting(pages) as visitor:
        await visitor.log_in()
        old = visitor.token
        await visitor.post("/gate/logout")
        await visitor.log_in()
        await visitor.post("/gate/deed", old, what="this")
        assert (visitor.status, done) == (403, [])


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_a_form_of_another_site_does_nothing(clock, headers):
    pages, done = small_pages(clock)
    async with visiting(pages) as visitor:
        await visitor.log_in()
        form = {"csrf": visitor.token, "what": "this"}
        address = visitor.address + "/gate/deed"
        async with visitor.client.post(address, data=form, headers=headers) as response:
            assert (response.status, done) == (403, [])


async def test_a_log_in_form_wants_its_token_too(clock):
    pages, _ = small_pages(clock)
    async with visiting(pages) as visitor:
        await visitor.get(LOG_IN)
        await visitor.post(LOG_IN, "made up", role="supervisor", pin=SUPERVISOR_PIN)
        assert visitor.status == 403
        assert "no longer good" in visitor.body


async def test_a_name_that_is_not_the_gates_is_refused(clock):
    pages, _ = small_pages(clock)
    async with visiting(pages) as visitor:
        for path in ("/", "/gate/login"):
            await visitor.get(path, Host="gate.elsewhere.example")
            assert visitor.status == 421
        await visitor.get("/", Host="localhost:8080")
        assert visitor.status == 200


async def test_too_long_a_form_is_refused(clock):
    pages, done = small_pages(clock)
    async with visiting(pages) as visitor:
        await visitor.log_in()
        await visitor.post("/gate/deed", what="x" * 9000)
        assert (visitor.status, done) == (413, [])


async def test_a_form_in_many_pieces_without_a_length_is_bounded_too(clock):
    async def pieces():
        for _ in range(100):
            yield b"x" * 1000

    pages, done = small_pages(clock)
    async with visiting(pages) as visitor:
        await visitor.log_in()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        address = visitor.address + "/gate/deed"
        async with visitor.client.post(address, data=pieces(), headers=headers) as response:
            assert (response.status, done) == (413, [])


async def test_an_idle_session_ends_and_says_so(clock):
    pages, _ = small_pages(clock, idle_s={PageRole.SUPERVISOR: 60.0, PageRole.STEWARD: 600.0})
    async with visiting(pages) as visitor:
        await visitor.log_in()
        clock.advance(59)
        await visitor.get("/gate/inner")
        assert visitor.path == "/gate/inner"  # and that counted as doing something
        clock.advance(59)
        await visitor.get("/gate/inner")
        assert visitor.path == "/gate/inner"
        clock.advance(60)
        await visitor.get("/gate/inner")
        assert visitor.path == LOG_IN
        assert "session is over" in visitor.body


async def test_another_pin_ends_the_sessions_of_the_one_before(clock):
    pins = both_pins()
    pages, _ = small_pages(clock, pins)
    async with visiting(pages) as visitor:
        await visitor.log_in()
        pins.pins[PageRole.SUPERVISOR] = "993377"
        await visitor.get("/gate/")
        assert visitor.path == LOG_IN


async def test_logging_out_ends_the_session_also_for_whoever_kept_the_cookie(clock):
    pages, _ = small_pages(clock)
    async with visiting(pages) as visitor:
        await visitor.log_in()
        held = {cookie.key: cookie.value for cookie in visitor.client.cookie_jar}
        await visitor.post("/gate/logout")
        visitor.client.cookie_jar.update_cookies(held)
        await visitor.get("/gate/")
        assert visitor.path == LOG_IN


async def test_cookies_are_for_this_browser_and_these_pages_alone(clock):
    pages, _ = small_pages(clock, is_tls=True)
    async with visiting(pages) as visitor, visitor.client.get(visitor.address + LOG_IN) as response:
        (cookie,) = response.headers.getall("Set-Cookie")
    assert cookie.startswith("__Host-gate-visit=")
    assert {"HttpOnly", "Secure", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


async def test_every_answer_forbids_what_the_pages_do_not_need(clock):
    pages, _ = small_pages(clock)
    async with visiting(pages) as visitor:
        for path in ("/gate/login", "/gate/static/gate.css", "/gate/"):
            async with visitor.client.get(visitor.address + path) as response:
                policy = response.headers["Content-Security-Policy"]
                assert policy.startswith("default-src 'none'")
                assert "unsafe" not in policy
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert response.headers["Cache-Control"] == "no-store"


async def test_who_sits_at_the_gate_chooses_the_first_pin(clock):
    pins = QuickPins()
    pages, _ = small_pages(clock, pins)
    async with visiting(pages) as visitor:
        await visitor.get("/gate/")
        assert visitor.path == "/gate/first"
        await visitor.post("/gate/first", pin="123456", again="123456")
        assert (visitor.status, pins.pins) == (400, {})
        await visitor.post("/gate/first", pin="80462", again="80462")
        assert "at least 6" in visitor.body
        await visitor.post("/gate/first", pin="804627", again="804628")
        assert "not the same" in visitor.body
        await visitor.post("/gate/first", pin="804627", again="804627")
        assert (visitor.path, pins.pins) == (HOME, {PageRole.SUPERVISOR: "804627"})
        await visitor.get("/gate/first")
        assert visitor.path == LOG_IN  # there is a first time only once


async def test_from_the_network_nobody_chooses_the_first_pin(clock, monkeypatch):
    monkeypatch.setattr(framework, "is_loopback", lambda address: False)
    pins = QuickPins()
    pages, _ = small_pages(clock, pins)
    async with visiting(pages) as visitor:
        await visitor.get("/gate/first")
        assert "portillon gate pin" in visitor.body
        await visitor.post("/gate/first", visitor.token, pin="804627", again="804627")
        assert pins.pins == {}


async def test_at_a_kiosk_whoever_stands_there_is_a_steward(clock):
    pages, done = small_pages(clock, QuickPins(supervisor=SUPERVISOR_PIN), is_kiosk=True)
    async with visiting(pages) as visitor:
        await visitor.get("/gate/")
        assert (visitor.status, visitor.path) == (200, HOME)
        await visitor.post("/gate/deed", what="this")
        assert done == ["this"]
        await visitor.get("/gate/inner")
        assert visitor.status == 403


async def test_a_kiosk_with_a_stewards_pin_asks_for_it(clock):
    pages, _ = small_pages(clock, is_kiosk=True)
    async with visiting(pages) as visitor:
        await visitor.get("/gate/")
        assert visitor.path == LOG_IN


async def test_a_kiosk_is_none_for_the_network(clock, monkeypatch):
    monkeypatch.setattr(framework, "is_loopback", lambda address: False)
    pages, _ = small_pages(clock, QuickPins(supervisor=SUPERVISOR_PIN), is_kiosk=True)
    async with visiting(pages) as visitor:
        await visitor.get("/gate/")
        assert visitor.path == LOG_IN


async def test_guessing_is_held_back_also_with_the_right_pin(clock):
    pages, _ = small_pages(clock)
    async with visiting(pages) as visitor:
        for _ in range(5):
            await visitor.log_in(pin="000000")
        await visitor.log_in()
        assert visitor.status == 429
        clock.advance(15)
        await visitor.log_in()
        assert visitor.path == HOME


async def test_the_language_is_the_one_that_was_chosen(clock):
    pages, _ = small_pages(clock)
    async with visiting(pages) as visitor:
        assert "Log in" in await visitor.get(LOG_IN)
        assert "Connexion" in await visitor.get(LOG_IN + "?lang=fr")
        assert "Connexion" in await visitor.get(LOG_IN)


async def test_the_pages_of_the_gate_are_served_as_main_makes_them(clock):
    async with visiting(pages_of(clock)) as visitor:
        await visitor.log_in()
        assert (visitor.status, visitor.path) == (200, HOME)
