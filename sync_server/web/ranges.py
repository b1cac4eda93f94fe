"""Answers with a part of a large file that never changes, as RFC 9110 has it. For `device_api`.

aiohttp's own file answer compares `If-Range` with dates only. Here an entity is known by its
digest, and a request for a part that cannot be read is refused: whoever sends one is on a poor
line, and would get all of a bundle instead.
"""

import asyncio
import os
import re
from pathlib import Path
from typing import BinaryIO, Final

from aiohttp import web

CHUNK_BYTES: Final = 256 * 1024
_RANGE: Final = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)


def read_range(header: str, size: int) -> tuple[int, int] | None:
    """Read a `Range` header.

    Args:
        header: as it came.
        size: of the whole file, bytes.

    Returns:
        First byte and the first one after the last; None where there is no such part.
    """
    found = _RANGE.fullmatch(header.strip())
    first, last = found.groups() if found is not None else ("", "")
    if first:
        start, end = int(first), min(int(last) + 1 if last else size, size)
    elif last:
        start, end = max(size - int(last), 0), size
    else:
        return None
    return (start, end) if start < end else None


async def send_file(
    request: web.Request, path: Path, sha256: str, cache_control: str
) -> web.StreamResponse:
    """Answer with a file, or the part of it that is asked for.

    Args:
        request: what is answered.
        path: of the file.
        sha256: of all its bytes; its entity tag.
        cache_control: what caches may do with it.

    Raises:
        web.HTTPNotFound: if the file is not there.
        web.HTTPRequestRangeNotSatisfiable: if there is no such part.
    """
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except OSError:
        raise web.HTTPNotFound(text="the file is not here any more") from None
    try:
        return await _send(request, file, os.fstat(file.fileno()).st_size, sha256, cache_control)
    finally:
        file.close()


async def _send(
    request: web.Request, file: BinaryIO, size: int, sha256: str, cache_control: str
) -> web.StreamResponse:
    etag = f'"{sha256}"'
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": cache_control}
    start, end, status = 0, size, 200
    asked = request.headers.get("Range", "")
    if asked and request.headers.get("If-Range", etag) == etag:
        part = read_range(asked, size)
        if part is None:
            headers["Content-Range"] = f"bytes */{size}"
            raise web.HTTPRequestRangeNotSatisfiable(headers=headers, text="no such part")
        (start, end), status = part, 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    response = web.StreamResponse(status=status, headers=headers)
    response.content_type = "application/octet-stream"
    response.content_length = end - start
    try:
        await response.prepare(request)
        if request.method != "HEAD":
            await _write(response, file, start, end)
        await response.write_eof()
    except ConnectionError:  # who asked has gone, as gates do; it asks for the rest another day
        response.force_close()
    return response


async def _write(response: web.StreamResponse, file: BinaryIO, start: int, end: int) -> None:
    """Send bytes as fast as they are taken, and no faster: memory holds a chunk."""
    await asyncio.to_thread(file.seek, start)
    left = end - start
    while left:
        chunk = await asyncio.to_thread(file.read, min(CHUNK_BYTES, left))
        if not chunk:
            raise ConnectionResetError("the file became shorter while it was sent")
        await response.write(chunk)
        left -= len(chunk)
