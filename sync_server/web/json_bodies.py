"""JSON that programs send: read within bounds, checked field by field. Used by `public_api`."""

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar

from aiohttp import web

from sync_server.entities import microseconds
from sync_server.errors import InvalidError, ServerError

JSON_BYTES_MAX: Final = 256 * 1024  # a checkpoint with a thousand categories
TEXT_CHARACTERS_MAX: Final = 4096
LIST_ITEMS_MAX: Final = 1000
_MISSING: Final = object()
Choice = TypeVar("Choice", bound=StrEnum)


class BodyError(ServerError):
    """The body is not what this address takes.

    Attributes:
        status: of the answer.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code, message)
        self.status = status


async def read_bounded(request: web.Request, bytes_max: int) -> bytes:
    """Read a body, and not one byte more than allowed.

    Raises:
        BodyError: if it is longer.
    """
    parts, size = [], 0
    async for part in request.content.iter_chunked(64 * 1024):
        size += len(part)
        if size > bytes_max:
            break
        parts.append(part)
    if size > bytes_max:
        raise BodyError(413, "too_large", f"the body is over {bytes_max} bytes")
    return b"".join(parts)


async def read_body(request: web.Request) -> "Body":
    """Read a JSON object; no body at all is an empty one.

    Raises:
        BodyError: if it is too long, or no JSON object.
    """
    raw = await read_bounded(request, JSON_BYTES_MAX)
    if not raw.strip():
        return Body({})
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise BodyError(400, "not_json", "the body is not JSON") from None
    if not isinstance(document, dict):
        raise BodyError(400, "not_json", "the body is not a JSON object")
    return Body(document)


class Body:
    """The fields of a JSON object; each is asked for once, by its kind."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = fields
        self._known: set[str] = set()

    def has(self, name: str) -> bool:
        """Tell whether a field is given, be it null."""
        self._known.add(name)
        return name in self._fields

    def text(self, name: str, default: str | None = None) -> str:
        """Give a text."""
        value = self._get(name, _MISSING if default is None else default)
        if not isinstance(value, str) or len(value) > TEXT_CHARACTERS_MAX:
            raise InvalidError(name, f"{name} is a text")
        return value

    def optional_text(self, name: str) -> str | None:
        """Give a text, None where it is null or missing."""
        return None if self._get(name, None) is None else self.text(name)

    def flag(self, name: str) -> bool:
        """Give true or false."""
        value = self._get(name, _MISSING)
        if not isinstance(value, bool):
            raise InvalidError(name, f"{name} is true or false")
        return value

    def optional_integer(self, name: str) -> int | None:
        """Give a whole number, None where it is null or missing."""
        value = self._get(name, None)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidError(name, f"{name} is a whole number or null")
        return value

    def optional_instant_us(self, name: str) -> int | None:
        """Give an instant in microseconds, None where it is null or missing."""
        value = self._get(name, None)
        if value is None:
            return None
        try:
            at = datetime.fromisoformat(value if isinstance(value, str) else "")
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            example = "2026-05-01T19:30:00+02:00"
            raise InvalidError(name, f"{name} is an instant with its offset, such as {example}")
        return microseconds(at)

    def texts(self, name: str) -> list[str]:
        """Give a list of texts."""
        value = self._get(name, _MISSING)
        if not isinstance(value, list) or len(value) > LIST_ITEMS_MAX:
            raise InvalidError(name, f"{name} is a list of at most {LIST_ITEMS_MAX} texts")
        texts = [item for item in value if isinstance(item, str)]
        if len(texts) != len(value) or any(len(one) > TEXT_CHARACTERS_MAX for one in texts):
            raise InvalidError(name, f"{name} is a list of texts")
        return texts

    def optional_texts(self, name: str) -> list[str] | None:
        """Give a list of texts, None where it is null or missing."""
        return None if self._get(name, None) is None else self.texts(name)

    def choice(self, name: str, allowed: type[Choice], default: Choice | None = None) -> Choice:
        """Give one of an enumeration."""
        value = self.text(name, None if default is None else default.value)
        try:
            return allowed(value)
        except ValueError:
            words = ", ".join(item.value for item in allowed)
            raise InvalidError(name, f"{name} is one of {words}") from None

    def finish(self) -> None:
        """Refuse fields that nobody asked for: a misspelt one must not be lost in silence."""
        for name in self._fields:
            if name not in self._known:
                raise InvalidError(name[:100], f"{name[:100]} is not a field of this request")

    def _get(self, name: str, default: object) -> object:
        self._known.add(name)
        value = self._fields.get(name, default)
        if value is _MISSING:
            raise InvalidError(name, f"{name} is missing")
        return value
