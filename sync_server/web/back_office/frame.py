"""What every page has around it: language, navigation, who is signed in. Called by all handlers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from sync_server.accounts import Current, Right
from sync_server.web.languages import choose
from sync_server.web.rendering import Pages, Words, page
from sync_server.web.sessions import LANGUAGE_COOKIE, who

PAGES: Final = web.AppKey("pages", Pages)
NEXT_CHARACTERS_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Flash:
    """One sentence at the head of a page.

    Attributes:
        kind: `good`, `warn` or `bad`.
        text: in the reader's language.
    """

    kind: str
    text: str


async def language_of(request: web.Request) -> str:
    """Give the language of a request: the user's own, else the cookie's, else the browser's."""
    found = await who(request)
    chosen = found.user.language if isinstance(found, Current) else None
    return choose(
        chosen or request.cookies.get(LANGUAGE_COOKIE), request.headers.get("Accept-Language", "")
    )


async def words_of(request: web.Request) -> Words:
    """Give the words of a request's language."""
    return Words(await language_of(request))


async def show(
    request: web.Request,
    current: Current,
    template: str,
    here: str,
    context: Mapping[str, object],
    *,
    status: int = 200,
    path: str | None = None,
    flashes: Sequence[Flash] = (),
) -> web.Response:
    """Show a page of the back office.

    Args:
        request: what is answered.
        current: who reads it.
        template: its name.
        here: which entry of the navigation it belongs to.
        context: what the template needs.
        status: of the answer.
        path: where a change of language leads back to; the request's own unless it was a form.
        flashes: sentences at its head.
    """
    language = await language_of(request)
    words = Words(language)
    text = request.config_dict[PAGES].text(
        language,
        template,
        {
            "user": current.user,
            "csrf": current.session.csrf,
            "places": _places(words, current),
            "here": here,
            "path": path or request.path_qs,
            "flashes": flashes,
            **context,
        },
    )
    return page(text, status)


async def show_bare(
    request: web.Request,
    template: str,
    context: Mapping[str, object],
    *,
    status: int = 200,
    path: str = "/",
) -> web.Response:
    """Show a page that stands before the login: no navigation."""
    found = await who(request)
    language = await language_of(request)
    csrf = found.session.csrf if isinstance(found, Current) else ""
    values = {"csrf": csrf, "path": path, **context}
    return page(request.config_dict[PAGES].text(language, template, values), status)


def local_path(text: str) -> str:
    """Give an address of this server to go on to; "/" for anything that could lead elsewhere."""
    is_plain = text.isprintable() and "\\" not in text and len(text) <= NEXT_CHARACTERS_MAX
    parts = urlsplit(text) if is_plain else None
    if parts is None or parts.scheme or parts.netloc or not text.startswith("/"):
        return "/"
    return "/" if text.startswith("//") else text


def _places(words: Words, current: Current) -> list[tuple[str, str, str]]:
    """Name the entries of the navigation that the user may open (B56)."""
    places = [
        ("live", "/", words("Live")),
        ("performances", "/performances", words("Performances")),
        ("fleet", "/fleet", words("Fleet")),
    ]
    if current.may(Right.SET_UP):
        places.append(("set_up", "/set-up", words("Set-up")))
    return places
