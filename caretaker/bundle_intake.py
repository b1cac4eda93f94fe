"""Takes a bundle out of a folder that is somebody else's, as if a stranger had brought it.

The gate's folder belongs to the gate, which speaks with the network: it may put links, pipes or
devices in place of files, and change a file while it is read. So no link is followed below the
folders that are root's, and what is looked at afterwards is a copy of root's own.
"""

import hashlib
import json
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from caretaker.errors import FileError
from caretaker.kept_files import read_small
from caretaker.places import Places

REQUEST_FILE: Final = "update-request.json"
FORMAT: Final = 1
BUNDLES: Final = "bundles"
SUFFIX: Final = ".raucb"
BYTES_MAX: Final = 2 << 30  # a slot is half a gigabyte
BYTES_SPARE: Final = 64 << 20  # left for the journal
_CHUNK_BYTES: Final = 1 << 20
_NAME_MAX: Final = 200
_TEXT_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Request:
    """An update that is asked for.

    Attributes:
        path: of the bundle, as it was said.
        version: that it is said to hold.
        size: in bytes.
        sha256: of the file, in hex.
        by: "server", "usb" or "operator"; the last may take the gate away from people.
        digest: of the request itself, so that it is answered once.
    """

    path: Path
    version: str
    size: int
    sha256: str
    by: str
    digest: str


def read_request(places: Places) -> Request | None:
    """Give what the gate asks for; None for nothing.

    Raises:
        FileError: if it cannot be understood.
    """
    path = places.gate_run / REQUEST_FILE
    raw = read_small(path)
    if raw is None:
        return None
    try:
        return _request(json.loads(raw), hashlib.sha256(raw).hexdigest())
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise FileError(f"{path}: cannot be understood: {exc!r}") from exc


def _request(said: dict[str, Any], digest: str) -> Request:
    if said["format"] != FORMAT:
        raise ValueError(f"format {said['format']!r} is not known")
    return Request(
        Path(_text(said, "path")),
        _text(said, "version"),
        _size(said["size"]),
        _hex(_text(said, "sha256")),
        _text(said, "by"),
        digest,
    )


def take(request: Request, places: Places, copy: Path) -> None:
    """Copy the bundle that a request names, and check that it is that one.

    Raises:
        FileError: if it lies elsewhere than in the gate's folder of bundles, is no plain file, is
            another than was said, or there is no room; no copy is left.
    """
    folder = places.state / BUNDLES
    if request.path.parent != folder or not _is_name(request.path.name):
        raise FileError(f"{request.path}: is not in {folder}; bundles are taken from there alone")
    source = _open_below(places.state.parent, [places.state.name, BUNDLES, request.path.name])
    digest = _copy(source, request.path, copy, request.size)
    if digest != request.sha256:
        copy.unlink(missing_ok=True)
        raise FileError(f"{request.path.name}: is not what was asked for: its SHA-256 differs")


def take_from_stick(path: Path, copy: Path) -> str:
    """Copy a bundle that a person brought; its signature is all that speaks for it.

    Returns:
        its SHA-256, in hex.

    Raises:
        FileError: if it is no plain file, too large, or there is no room; no copy is left.
    """
    source = _open_below(path.parent, [path.name])
    return _copy(source, path, copy, None)


def bundles_on(stick: Path) -> list[Path]:
    """Give the bundles in the topmost folder of a stick, by name; links are none."""
    try:
        found = sorted(one for one in stick.iterdir() if one.suffix == SUFFIX)
    except OSError as exc:
        raise FileError(f"{stick}: cannot be read: {exc.strerror}") from exc
    return [one for one in found if one.is_file() and not one.is_symlink()]


def _open_below(trusted: Path, names: list[str]) -> int:
    """Open a file, following no link below a folder that is root's; gives its descriptor."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    where = trusted
    try:
        handle = os.open(trusted, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for place, name in enumerate(names, start=1):
            where /= name
            kind = os.O_DIRECTORY if place < len(names) else 0
            try:
                below = os.open(name, flags | kind, dir_fd=handle)
            finally:
                os.close(handle)
            handle = below
    except OSError as exc:
        raise FileError(f"{where}: cannot be opened: {exc.strerror}") from exc
    return handle


def _copy(source: int, path: Path, copy: Path, size: int | None) -> str:
    """Copy an open file and close it; gives its SHA-256."""
    with os.fdopen(source, "rb") as file:
        about = os.fstat(source)
        if not stat.S_ISREG(about.st_mode):
            raise FileError(f"{path}: is no plain file")
        if about.st_size > BYTES_MAX or size not in (None, about.st_size):
            raise FileError(f"{path.name}: has {about.st_size} bytes, not {size or BYTES_MAX}")
        copy.unlink(missing_ok=True)
        if shutil.disk_usage(copy.parent).free < about.st_size + BYTES_SPARE:
            raise FileError(f"{copy.parent}: has no room for {about.st_size} bytes more")
        digest = hashlib.sha256()
        left = about.st_size
        try:
            with copy.open("xb") as to:
                copy.chmod(0o600)
                while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
                    digest.update(chunk)
                    to.write(chunk)
                    left -= len(chunk)
        except OSError as exc:
            copy.unlink(missing_ok=True)
            raise FileError(f"{path}: cannot be copied: {exc.strerror}") from exc
    return digest.hexdigest()


def _is_name(name: str) -> bool:
    return name.endswith(SUFFIX) and len(name) <= _NAME_MAX and name.isprintable()


def _text(said: dict[str, Any], name: str) -> str:
    value = said[name]
    if not isinstance(value, str) or len(value) > _TEXT_MAX or "\0" in value:
        raise ValueError(f"{name} is no short text")
    return value


def _size(value: object) -> int:
    if type(value) is not int or not 0 < value <= BYTES_MAX:
        raise ValueError(f"size is not within 1 … {BYTES_MAX}")
    return value


def _hex(value: str) -> str:
    if len(value) != hashlib.sha256().digest_size * 2 or not set(value) <= set("0123456789abcdef"):
        raise ValueError("sha256 is no SHA-256 in hex")
    return value
