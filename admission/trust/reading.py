"""Reading the JSON of a trust document: a failure is one error that names document and field."""

from datetime import datetime
from typing import Annotated, TypeVar

import msgspec

from admission.errors import ListFormatError

T = TypeVar("T")
Version = Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Text = Annotated[str, msgspec.Meta(max_length=200)]
Key = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


def read_document(what: str, body: bytes, kind: type[T]) -> T:
    """Read a document whose envelope was checked.

    Args:
        what: its name, for the message.
        body: its JSON.
        kind: the struct that it must be.

    Raises:
        ListFormatError: if a field is missing or wrong, or a time has no offset.
    """
    try:
        document = msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ListFormatError(f"{what}: {exc}") from exc
    for field in msgspec.structs.fields(kind):  # type: ignore[arg-type]
        at = getattr(document, field.name)
        if isinstance(at, datetime) and at.tzinfo is None:
            raise ListFormatError(f"{what}: {field.name} has no offset")
    return document
