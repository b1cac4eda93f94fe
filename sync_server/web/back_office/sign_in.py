"""Signing in and out, the notice of a session that ended, and the choice of language."""

from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from sync_server.account_ports import SessionEnd
from sync_server.accounts import Current, Ended, Refused, SignedIn, Throttled
from sync_server.web.back_office.forms import Form, read_form
from sync_server.web.back_office.frame import language_of, local_path, show_bare, words_of
from sync_server.web.formats import Formats
from sync_server.web.languages import LANGUAGES
from sync_server.web.rendering import Words
from sync_server.web.sessions import (
    ACCOUNTS,
    COOKIE,
    CSRF_FIELD,
    ForgedRequestError,
    check_csrf,
    who,
)

_SECOND_MS: Final = 1000


def add_routes(app: web.Application) -> None:
    """Serve the pages before the login."""
    app.router.add_get("/login", login_page)
    app.router.add_post("/login", login)
    app.router.add_post("/logout", logout)
    app.router.add_post("/language", choose_language)
    app.router.add_get("/session", session_state)


async def login_page(request: web.Request) -> web.StreamResponse:
    """Show the login, with why an earlier session is over; who is signed in goes on."""
    found = await who(request)
    goal = local_path(request.query.get("next", "/"))
    if isinstance(found, Current):
        raise web.HTTPSeeOther(goal)
    return await _show_login(request, goal, ended=found)


async def login(request: web.Request) -> web.StreamResponse:
    """Sign somebody in, and go on to where they wanted to go."""
    form = await read_form(request)
    goal = local_path(form.raw("next"))
    words = await words_of(request)
    missing = _missing(form, words)
    if missing:
        return await _show_login(request, goal, form.text("login"), missing, 422)
    outcome = await request.config_dict[ACCOUNTS].sign_in(
        form.raw("login"),
        form.raw("password"),
        request.remote or "",
        request.headers.get("User-Agent", ""),
    )
    match outcome:
        case SignedIn():
            response = web.HTTPSeeOther(goal)
            request.config_dict[COOKIE].put(response, outcome.token)
            raise response
        case Refused():
            wrong = words("Login or password is not right. Check both, and the capitals lock.")
            return await _show_login(request, goal, form.text("login"), [("login", wrong)], 401)
        case Throttled():
            text = _wait(words, outcome)
            refusal = await _show_login(request, goal, form.text("login"), [("", text)], 429)
            refusal.headers["Retry-After"] = str(-(-outcome.wait_ms // _SECOND_MS))
            return refusal


async def logout(request: web.Request) -> web.StreamResponse:
    """Sign the user out; without a live session there is nothing left to do."""
    found = await who(request)
    if isinstance(found, Current):
        form = await read_form(request)
        check_csrf(request, found, form.raw(CSRF_FIELD))
        await request.config_dict[ACCOUNTS].sign_out(found.session)
    response = web.HTTPSeeOther("/login")
    request.config_dict[COOKIE].drop(response)
    raise response


async def choose_language(request: web.Request) -> web.StreamResponse:
    """Keep the language of the browser, and of the user who is signed in."""
    form = await read_form(request)
    language = form.text("language")
    if language not in LANGUAGES:
        raise web.HTTPBadRequest(text="there is no such language")
    found = await who(request)
    if isinstance(found, Current):
        if form.raw(CSRF_FIELD) == "":
            raise ForgedRequestError
        check_csrf(request, found, form.raw(CSRF_FIELD))
        await request.config_dict[ACCOUNTS].set_language(found.user, language)
    response = web.HTTPSeeOther(local_path(form.raw("back")))
    request.config_dict[COOKIE].put_language(response, language)
    raise response


async def session_state(request: web.Request) -> web.StreamResponse:
    """Tell a script whether its session lives: 204, or 401."""
    return web.Response(status=204 if isinstance(await who(request), Current) else 401)


async def _show_login(
    request: web.Request,
    goal: str,
    typed: str = "",
    errors: list[tuple[str, str]] | None = None,
    status: int = 200,
    ended: Current | Ended | None = None,
) -> web.Response:
    notice = await _notice(request, ended) if isinstance(ended, Ended) else None
    return await show_bare(
        request,
        "login.html",
        {"next": goal, "login": typed, "errors": errors or [], "ended": notice},
        status=status,
        path=request.path_qs,
    )


async def _notice(request: web.Request, ended: Ended) -> dict[str, str] | None:
    """Say why a session is over: when, and for another login from where."""
    words = await words_of(request)
    form = Formats(await language_of(request))
    at = datetime.fromtimestamp(ended.at_ms / _SECOND_MS, UTC)
    if ended.end is SessionEnd.ELSEWHERE:
        return {
            "title": words("You were signed out: this login was used elsewhere."),
            "text": words(
                "Somebody signed in with it on %(day)s at %(time)s UTC, from %(address)s."
                " If that was not you, tell your administrator.",
                day=form.day(at, UTC),
                time=form.clock(at, UTC),
                address=ended.address or words("an unknown address"),
            ),
        }
    if ended.end is SessionEnd.EXPIRED:
        return {
            "title": words("Your session is over."),
            "text": words("It was not used for a long time. Sign in again to go on."),
        }
    if ended.end is SessionEnd.DISABLED:
        return {
            "title": words("Your account was disabled."),
            "text": words("Your administrator can tell you why."),
        }
    return None


def _missing(form: Form, words: Words) -> list[tuple[str, str]]:
    missing = []
    if not form.text("login"):
        missing.append(("login", words("Enter your login.")))
    if not form.raw("password"):
        missing.append(("password", words("Enter your password.")))
    return missing


def _wait(words: Words, throttled: Throttled) -> str:
    seconds = -(-throttled.wait_ms // _SECOND_MS)
    return words.plural(
        "Too many attempts. Try again in %(num)s second.",
        "Too many attempts. Try again in %(num)s seconds.",
        seconds,
    )
