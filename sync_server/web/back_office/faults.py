"""What a person sees when a page cannot be shown. A middleware, added by `routes`.

Programs (the paths of PROGRAM_PATHS) get their own answers from their own rooms.
"""

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from yarl import URL

from sync_server.errors import ForbiddenError, NotFoundError
from sync_server.web.back_office.frame import show_bare, words_of
from sync_server.web.rendering import Words
from sync_server.web.sessions import ForgedRequestError, NotSignedInError, RightMissingError

PROGRAM_PATHS: Final = ("/api/", "/sync/", "/static/")


@web.middleware
async def tell_people(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn a refusal into the login, or into a page that says what is wrong."""
    if request.path.startswith(PROGRAM_PATHS):
        return await handler(request)
    try:
        return await handler(request)
    except NotSignedInError:
        return await _to_login(request)
    except (RightMissingError, ForbiddenError):
        return await _page(request, 403)
    except ForgedRequestError:
        return await _forged(request)
    except NotFoundError:
        return await _page(request, 404)
    except web.HTTPException as exc:
        if exc.status < web.HTTPBadRequest.status_code:
            raise
        return await _page(request, exc.status)


async def _to_login(request: web.Request) -> web.StreamResponse:
    if request.path == "/live/stream":  # an event stream cannot show a login
        return web.Response(status=401)
    goal = request.path_qs if request.method == "GET" else "/"
    raise web.HTTPSeeOther(URL("/login") if goal == "/" else URL("/login").with_query(next=goal))


async def _forged(request: web.Request) -> web.Response:
    words = await words_of(request)
    text = words(
        "The form was made by an earlier session, or by another site. Go back, load the page"
        " again, and send it once more."
    )
    context = {"title": words("This was not sent"), "text": text}
    return await show_bare(request, "error.html", context, status=403)


async def _page(request: web.Request, status: int) -> web.Response:
    title, text = _told(await words_of(request), status)
    return await show_bare(request, "error.html", {"title": title, "text": text}, status=status)


def _told(words: Words, status: int) -> tuple[str, str]:
    match status:
        case 403:
            return words("Not allowed"), words("Your role does not allow this.")
        case 404:
            return words("Not found"), words("There is no such page, or it is not yours to see.")
        case 413:
            return words("Too large"), words("What was sent is larger than the server takes.")
        case 503:
            return words("Too busy"), words("The server is very busy. Try again in a moment.")
        case _:
            return (
                words("This did not work"),
                words("The server does not understand what was sent."),
            )
