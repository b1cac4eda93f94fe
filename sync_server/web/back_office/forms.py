"""Reads forms. Called by handlers; bounded, and never trusting what a browser sends."""

from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from sync_server.accounts import Current, Right
from sync_server.web.sessions import CSRF_FIELD, check_csrf, require_user

FIELDS_MAX: Final = 200
FORM_BYTES_MAX: Final = 64 * 1024


class Form:
    """The fields of a form; one that is absent is "", as a browser leaves unticked boxes out."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def text(self, name: str) -> str:
        """Give a field without the blanks around it."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """Give a field as it was typed: passwords and ticket numbers."""
        return next((value for key, value in self._pairs if key == name), "")

    def every(self, name: str) -> list[str]:
        """Give all values of a field that may be ticked many times."""
        return [value for key, value in self._pairs if key == name]


async def read_form(request: web.Request) -> Form:
    """Read a form.

    Raises:
        web.HTTPBadRequest: if it is none.
        web.HTTPRequestEntityTooLarge: if it is over FORM_BYTES_MAX.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPBadRequest(text="this address takes a form")
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            raise web.HTTPRequestEntityTooLarge(FORM_BYTES_MAX, len(body))
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"
        )
    except ValueError as exc:
        raise web.HTTPBadRequest(text="this form cannot be read") from exc
    return Form(pairs)


async def read_own_form(request: web.Request, right: Right) -> tuple[Current, Form]:
    """Read a form that a signed-in user sent from a page of the same session.

    Raises:
        NotSignedInError: without a live session.
        RightMissingError: if the user's role lacks the right.
        ForgedRequestError: without the session's token.
        web.HTTPException: as `read_form`.
    """
    current = await require_user(request, right)
    form = await read_form(request)
    check_csrf(request, current, form.raw(CSRF_FIELD))
    return current, form
