"""Reading what a server answers, bounded, and telling what is wrong with it.

Called by the client. Every complaint is an error of the gate's tree, in words for people.
"""

from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import aiohttp

from admission.errors import ProtocolError
from admission.sync import codec
from admission.sync.messages import Ack, Enrolled, Feed, Heads, Polled, Renewed
from appliance.errors import (
    LinkAnswerError,
    LinkBusyError,
    LinkError,
    LinkRefusedError,
    StorageError,
)

LIBRARY_ERRORS: Final = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
HTTP_BUSY: Final = 503
HTTP_PARTIAL: Final = 206
_CHUNK_BYTES: Final = 64 * 1024
_COMPLAINT_BYTES_MAX: Final = 200  # of what a server says beside an error

M = TypeVar("M", Ack, Feed, Heads, Enrolled, Polled, Renewed)


async def read(response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    """Read an answer's body.

    Raises:
        LinkError: if the status is an error, or the body is a web page, too large or broken off.
    """
    await check_status(response)
    try:
        raw = await response.content.read(bytes_max + 1)
        while len(raw) <= bytes_max and (more := await response.content.read(bytes_max)):
            raw += more
    except LIBRARY_ERRORS as exc:
        raise LinkError(f"answer broke off: {words_of(exc)}") from exc
    if len(raw) > bytes_max:
        raise LinkError(f"answer is over {bytes_max} bytes")
    return raw


async def write_to(response: aiohttp.ClientResponse, size: int, to: Path) -> None:
    """Write an answer's body into a file, never more than `size` bytes.

    Raises:
        LinkError: if the status is an error, or the body is a web page, too long or broken off.
        StorageError: if the file cannot be written.
    """
    await check_status(response)
    written = 0
    with _opened(to) as file:
        try:
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                written += len(chunk)
                if written > size:
                    raise LinkError(f"snapshot is over the {size} bytes that were signed")
                _write(file, chunk)
        except LIBRARY_ERRORS as exc:
            raise LinkError(f"snapshot broke off: {words_of(exc)}") from exc


async def read_part(response: aiohttp.ClientResponse, start: int, length: int, size: int) -> bytes:
    """Read the part of a file that was asked for; where it breaks off, what came before that.

    Args:
        response: to a request with a range.
        start: of the part, bytes from the file's beginning.
        length: of the part.
        size: of the whole file.

    Raises:
        LinkError: if the status is an error, it is another part or another file, or nothing came.
    """
    if response.status != HTTP_PARTIAL:
        await check_status(response)
        raise LinkError("the server sends all of a file of which a part was asked for")
    told, wanted = (
        response.headers.get("Content-Range"),
        f"bytes {start}-{start + length - 1}/{size}",
    )
    if told != wanted:
        raise LinkError(f"the server sends another part than {wanted}")
    raw = b""
    try:
        while len(raw) < length and (more := await response.content.read(length - len(raw))):
            raw += more
    except LIBRARY_ERRORS as exc:
        if not raw:
            raise LinkError(f"answer broke off: {words_of(exc)}") from exc
    return raw


async def check_status(response: aiohttp.ClientResponse) -> None:
    """Look at an answer's head.

    Raises:
        LinkError: if its status is an error, or it is a web page.
    """
    if response.status not in {200, 201, 409}:  # 409: an acknowledgement that says conflict
        after = response.headers.get("Retry-After", "")
        raise answer_error(response.status, await _complaint(response), after)
    if response.content_type == "text/html":
        raise LinkError("what answers is a web page, not a sync server; is there a login portal?")


def answer_error(status: int, said: str, after: str = "") -> LinkError:
    """Make the error of a status.

    Args:
        status: HTTP's.
        said: what the server says beside it, "" for nothing.
        after: its `Retry-After`, "" for none; a date there, or nonsense, says nothing.
    """
    complaint = f": {said}" if said else ""
    if status in {401, 403}:
        return LinkRefusedError(f"the server refuses this gate ({status}){complaint}")
    told = f"the server answers {status}{complaint}"
    if status == HTTP_BUSY and after.isascii() and after.isdecimal() and len(after) < 10:
        return LinkBusyError(told, float(after))
    return LinkAnswerError(told)


def decoded(raw: bytes, kind: type[M]) -> M:
    """Read a message.

    Raises:
        LinkError: if it is none of that kind.
    """
    try:
        return codec.decode(raw, kind)
    except ProtocolError as exc:
        raise LinkError(f"what answers is no sync server: {exc}") from exc


def words_of(exc: BaseException) -> str:
    """Say what a library's error means, also where it says nothing itself."""
    silent = "no answer in time" if isinstance(exc, TimeoutError) else type(exc).__name__
    return str(exc) or silent


async def _complaint(response: aiohttp.ClientResponse) -> str:
    """Read what a server says beside an error, for people; "" if it is nothing to be read."""
    if response.content_type != "text/plain":
        return ""
    try:
        raw = await response.content.read(_COMPLAINT_BYTES_MAX)
    except LIBRARY_ERRORS:
        return ""  # the status says enough
    return "".join(c if c.isprintable() else " " for c in raw.decode("utf-8", "replace")).strip()


def _opened(to: Path) -> BinaryIO:
    try:
        return to.open("wb", buffering=0)
    except OSError as exc:
        raise StorageError(f"{to.name}: cannot be written: {exc.strerror}") from exc


def _write(file: BinaryIO, chunk: bytes) -> None:
    left = memoryview(chunk)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as exc:
        raise StorageError(f"snapshot cannot be written: {exc.strerror}") from exc
