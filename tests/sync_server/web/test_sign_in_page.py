"""The login, the notice of a session that ended, logging out, the choice of language."""

import pytest

from sync_server.web.back_office.frame import local_path

LOGIN = "lea@theatre.example"
PASSWORD = "correct horse battery"


async def test_the_login_suits_a_password_manager(browser):
    status, text = await browser.get("/login")
    assert status == 200
    assert 'autocomplete="username"' in text
    assert 'autocomplete="current-password"' in text
    assert '<label for="login">' in text


async def test_signing_in_leads_to_where_one_wanted_to_go(browser, lea):
    status, goal = await browser.get("/?zone=Europe/Paris")
    assert (status, goal) == (303, "/login?next=/?zone%3DEurope/Paris")
    status, goal = await browser.post(
        "/login", {"login": LOGIN, "password": PASSWORD, "next": "/?zone=Europe/Paris"}
    )
    assert (status, goal) == (303, "/?zone=Europe/Paris")


async def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(browser, lea):
    async with browser.client.post(
        "/login", data={"login": LOGIN, "password": PASSWORD}, allow_redirects=False
    ) as answer:
        cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("portillon=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie


async def test_a_wrong_password_is_told_in_a_summary_and_keeps_the_login(browser, lea):
    status, text = await browser.post("/login", {"login": LOGIN, "password": "wrong"})
    assert status == 401
    assert "data-summary" in text
    assert '<a href="#login">' in text
    assert f'value="{LOGIN}"' in text
    assert "wrong" not in text


async def test_empty_fields_are_named_each(browser, lea):
    status, text = await browser.post("/login", {"login": " ", "password": ""})
    assert status == 422
    assert 'href="#login"' in text
    assert 'href="#password"' in text


async def test_too_many_attempts_are_told_when_to_come_back(browser, lea):
    for _ in range(5):
        await browser.post("/login", {"login": LOGIN, "password": "wrong"})
    async with browser.client.post("/login", data={"login": LOGIN, "password": PASSWORD}) as answer:
        assert answer.status == 429
        assert answer.headers["Retry-After"] == "1"


async def test_whoever_is_signed_out_by_a_later_login_is_told_when_and_from_where(
    browser, accounts, lea
):
    await browser.sign_in()
    await accounts.sign_in(LOGIN, PASSWORD, "198.51.100.9", "another browser")
    status, goal = await browser.get("/")
    assert (status, goal) == (303, "/login")
    _, text = await browser.get("/login", headers={"Accept-Language": "fr"})
    assert "cet identifiant a été utilisé ailleurs" in text
    assert "198.51.100.9" in text


async def test_signing_out_ends_the_session_on_the_server_too(browser, lea, account_store):
    await browser.sign_in()
    assert await browser.post("/logout", {}) == (303, "/login")
    assert [session.end for session in account_store.sessions.values()] == ["logout"]
    status, _ = await browser.get("/")
    assert status == 303


async def test_another_site_cannot_sign_anybody_out(browser, lea, account_store):
    await browser.sign_in()
    status, _ = await browser.post("/logout", {"csrf": "guessed"})
    assert status == 403
    assert [session.end for session in account_store.sessions.values()] == [None]


async def test_the_language_is_chosen_by_the_browser_until_somebody_says_otherwise(browser, lea):
    _, text = await browser.get("/login", headers={"Accept-Language": "en-GB,fr;q=0.5"})
    assert '<html lang="en">' in text
    await browser.post("/language", {"language": "fr", "back": "/login"})
    _, text = await browser.get("/login", headers={"Accept-Language": "en-GB,fr;q=0.5"})
    assert '<html lang="fr">' in text


async def test_the_language_of_a_user_is_kept_with_the_user(browser, lea, account_store):
    await browser.sign_in()
    status, goal = await browser.post("/language", {"language": "en", "back": "/?zone=x"})
    assert (status, goal) == (303, "/?zone=x")
    assert account_store.users[lea.id].language == "en"
    _, text = await browser.get("/")
    assert '<html lang="en">' in text


async def test_there_is_no_third_language(browser, lea):
    status, _ = await browser.post("/language", {"language": "../../etc", "back": "/"})
    assert status == 400


async def test_a_script_learns_whether_its_session_lives(browser, lea):
    assert (await browser.get("/session"))[0] == 401
    await browser.sign_in()
    assert (await browser.get("/session"))[0] == 204


async def test_what_was_typed_comes_back_escaped(browser, lea):
    hostile = '"><script>alert(1)</script>{{ 7 * 7 }}'
    _, text = await browser.post("/login", {"login": hostile, "password": "x"})
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "{{ 7 * 7 }}" in text


@pytest.mark.parametrize(
    "goal",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "\\\\evil",
        "evil",
        "",
        "/" + "x" * 600,
    ],
)
def test_no_address_of_another_site_is_ever_gone_on_to(goal):
    assert local_path(goal) == "/"


@pytest.mark.parametrize("goal", ["/", "/performances/1?a=b#c", "/é"])
def test_addresses_of_this_server_are_gone_on_to(goal):
    assert local_path(goal) == goal
