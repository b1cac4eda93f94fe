"""From a request to the user who sent it. Called by every page and call behind the login.

The cookie holds a random token and nothing else; scripts cannot read it. Whatever changes
something also needs the session's own token, in the header `X-CSRF-Token` or the form field
`csrf`, beside the check of the origin in `security`.
"""

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from sync_server.accounts import SESSION_LIFE_MS, Accounts, Current, Ended, Right, same_token

CSRF_HEADER: Final = "X-CSRF-Token"
CSRF_FIELD: Final = "csrf"
LANGUAGE_COOKIE: Final = "portillon_language"

ACCOUNTS: Final = web.AppKey("accounts", Accounts)
COOKIE: Final[web.AppKey["Cookie"]] = web.AppKey("cookie")

_WHO: Final[web.RequestKey[Current | Ended | None]] = web.RequestKey("who")
_YEAR_S: Final = 365 * 24 * 3600


class NotSignedInError(Exception):
    """The request comes from nobody we know, or no longer.

    Attributes:
        ended: the session that was, and why it is over, or None.
    """

    def __init__(self, ended: Ended | None) -> None:
        super().__init__("not signed in")
        self.ended = ended


class RightMissingError(Exception):
    """The user's role does not allow what was asked for."""


class ForgedRequestError(Exception):
    """A changing request without its session's token: it may not be the user's own wish."""


@dataclass(frozen=True, slots=True)
class Cookie:
    """How the token travels.

    Attributes:
        tls: whether browsers reach the server by HTTPS only. The name's prefix then binds the
            cookie to this host, and browsers refuse to send it in the clear.
    """

    tls: bool

    @property
    def name(self) -> str:
        """The cookie's name."""
        return "__Host-portillon" if self.tls else "portillon"

    def put(self, response: web.StreamResponse, token: str) -> None:
        """Have the browser keep a token. Lax: a link in an e-mail finds its reader signed in."""
        response.set_cookie(
            self.name,
            token,
            max_age=SESSION_LIFE_MS // 1000,
            path="/",
            secure=self.tls,
            httponly=True,
            samesite="Lax",
        )

    def drop(self, response: web.StreamResponse) -> None:
        """Have the browser forget the token."""
        response.del_cookie(self.name, path="/", secure=self.tls, httponly=True, samesite="Lax")

    def put_language(self, response: web.StreamResponse, language: str) -> None:
        """Have the browser keep the language of pages before the login."""
        response.set_cookie(
            LANGUAGE_COOKIE,
            language,
            max_age=_YEAR_S,
            path="/",
            secure=self.tls,
            httponly=True,
            samesite="Lax",
        )

    def token(self, request: web.Request) -> str:
        """Give the token that a request carries, "" without one."""
        return request.cookies.get(self.name, "")


async def who(request: web.Request) -> Current | Ended | None:
    """Tell who sent a request; asked once for each request."""
    if _WHO not in request:
        token = request.config_dict[COOKIE].token(request)
        request[_WHO] = await request.config_dict[ACCOUNTS].who(token) if token else None
    return request[_WHO]


async def require_user(request: web.Request, right: Right) -> Current:
    """Give the user who sent a request.

    Raises:
        NotSignedInError: without a live session.
        RightMissingError: if the user's role lacks the right.
    """
    found = await who(request)
    if not isinstance(found, Current):
        raise NotSignedInError(found)
    if not found.may(right):
        raise RightMissingError
    return found


def check_csrf(request: web.Request, current: Current, field: str = "") -> None:
    """Make sure that a changing request was sent by a page or program of this very session.

    Args:
        request: it may carry the token in CSRF_HEADER.
        current: who sent it.
        field: what the form had in CSRF_FIELD, "" without a form.

    Raises:
        ForgedRequestError: if neither holds the session's token.
    """
    given = request.headers.get(CSRF_HEADER, "") or field
    if not same_token(given, current.session.csrf):
        raise ForgedRequestError


def reached_by(request: web.Request) -> str:
    """Give the base address under which a request's sender reached this server."""
    scheme = "https" if request.config_dict[COOKIE].tls else "http"
    return f"{scheme}://{request.host}"
