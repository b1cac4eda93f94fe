"""What stands between a stranger and the pages: sessions, tokens, origins, bounds, headers."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sync_server.web.back_office.routes import add_back_office
from sync_server.web.rendering import TEMPLATES
from sync_server.web.security import HEADERS
from sync_server.web.sessions import Cookie


@pytest.mark.parametrize("path", ["/", "/?zone=Europe/Paris"])
async def test_without_a_session_pages_lead_to_the_login(browser, path):
    status, _ = await browser.get(path)
    assert status == 303


async def test_without_a_session_the_stream_says_so(browser):
    assert (await browser.get("/live/stream"))[0] == 401


async def test_a_made_up_cookie_opens_nothing(browser, lea):
    browser.client.session.cookie_jar.update_cookies({"portillon": "A" * 43})
    assert (await browser.get("/"))[0] == 303


async def test_a_form_of_another_site_is_refused_even_with_the_cookie(browser, lea):
    await browser.sign_in()
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        status, _ = await browser.post("/language", {"language": "en"}, headers=headers)
        assert status == 403, headers


async def test_a_login_form_of_another_site_is_refused(browser, lea):
    status, _ = await browser.post(
        "/login",
        {"login": "lea@theatre.example", "password": "correct horse battery"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert status == 403


async def test_our_own_forms_are_taken(browser, lea, server):
    await browser.sign_in()
    origin = f"http://{server.host}:{server.port}"
    status, _ = await browser.post(
        "/language", {"language": "en"}, headers={"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    )
    assert status == 303


async def test_a_token_of_another_session_does_not_fit(browser, lea, accounts):
    await browser.sign_in()
    status, text = await browser.post("/logout", {"csrf": "B" * 43})
    assert status == 403
    assert "data-summary" not in text


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"a=1", "text/plain", 400),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 400),
        (b"a=%ff", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a=1" for _ in range(300)), "application/x-www-form-urlencoded", 400),
        (b"a=" + b"x" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"{}", "application/json", 400),
    ],
)
async def test_what_is_no_form_is_refused_with_a_page(browser, lea, body, content_type, status):
    async with browser.client.post(
        "/login", data=body, headers={"Content-Type": content_type}
    ) as answer:
        assert answer.status == status
        assert answer.content_type == "text/html"


@pytest.mark.parametrize("path", ["/", "/login", "/nowhere", "/static/0/page.css", "/static/0/x"])
async def test_every_answer_carries_the_headers(browser, path):
    async with browser.client.get(path, allow_redirects=False) as answer:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value


def test_the_policy_allows_nothing_inline_and_nobody_to_frame_us():
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_no_template_needs_what_the_policy_forbids():
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text()
        assert " style=" not in text, path
        assert " onclick=" not in text, path
        assert "<style" not in text, path
        assert "javascript:" not in text, path
        assert "| safe" not in text, path
        assert text.count("<script") == text.count('<script type="module" src='), path
        assert "://" not in text, path
        assert '"//' not in text, path


async def test_static_files_are_kept_for_ever_under_their_digest_only(browser):
    _, text = await browser.get("/login")
    address = text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    async with browser.client.get(address) as answer:
        assert answer.status == 200
        assert "immutable" in answer.headers["Cache-Control"]
    async with browser.client.get("/static/000000000000/page.css") as answer:
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["..%2Fsessions.py", "nothing.css", "%2Fetc%2Fpasswd"])
async def test_nothing_but_static_files_is_served_as_one(browser, name):
    assert (await browser.get(f"/static/000000000000/{name}"))[0] == 404


async def test_pages_are_never_kept(browser, lea):
    await browser.sign_in()
    async with browser.client.get("/") as answer:
        assert answer.headers["Cache-Control"] == "no-store"


def test_behind_tls_the_cookie_is_bound_to_the_host_and_never_sent_in_the_clear():
    response = web.Response()
    Cookie(tls=True).put(response, "token")
    cookie = response.cookies["__Host-portillon"]
    assert cookie["secure"]
    assert cookie["path"] == "/"
    assert not cookie["domain"]


@pytest.mark.parametrize("proxied", [True, False])
async def test_behind_a_trusted_certificate_browsers_are_told_to_stay_there(
    accounts, desk, proxied
):
    app = web.Application()
    add_back_office(app, accounts=accounts, desk=desk, tls=True, proxied=proxied)
    async with TestClient(TestServer(app)) as client, client.get("/login") as answer:
        assert ("Strict-Transport-Security" in answer.headers) is proxied


@pytest.mark.parametrize(
    ("proxied", "said", "kept"),
    [
        (True, "203.0.113.7", "203.0.113.7"),
        (True, "10.0.0.1, 203.0.113.7", "203.0.113.7"),
        (True, "2001:db8::1", "2001:db8::1"),
        (True, "<script>", "127.0.0.1"),
        (True, "", "127.0.0.1"),
        (False, "203.0.113.7", "127.0.0.1"),
    ],
)
async def test_the_proxy_is_believed_about_the_client_and_only_where_there_is_one(
    accounts, desk, account_store, lea, proxied, said, kept
):
    app = web.Application()
    add_back_office(app, accounts=accounts, desk=desk, tls=True, proxied=proxied)
    fields = {"login": "lea@theatre.example", "password": "correct horse battery"}
    async with TestClient(TestServer(app)) as client:
        await client.post(
            "/login", data=fields, headers={"X-Forwarded-For": said}, allow_redirects=False
        )
    assert [session.address for session in account_store.sessions.values()] == [kept]
