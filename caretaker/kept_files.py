"""Files that the caretaker reads and writes: bounded, through no link, whole after a power cut.

On a filesystem with a journal a new file is put in the old one's place (`write_whole`). On FAT that
leaves names that point at freed clusters, and a file is written over where it lies, at its own
size (`write_in_place`): see docs/adr/0036-first-boot.md.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

from caretaker.errors import FileError

SMALL_BYTES_MAX: Final = 64 * 1024  # of what one of the two sides, or a person, writes


def read_small(path: Path, bytes_max: int = SMALL_BYTES_MAX) -> bytes | None:
    """Give a small file's bytes; None where there is none.

    Raises:
        FileError: if it is a link, no plain file, too long, or cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise FileError(f"{path}: is a link; put the file itself there") from None
        raise FileError(f"{path}: cannot be read: {exc.strerror}") from exc
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise FileError(f"{path}: is no plain file; put a file there")
        try:
            raw = file.read(bytes_max + 1)
        except OSError as exc:
            raise FileError(f"{path}: cannot be read: {exc.strerror}") from exc
    if len(raw) > bytes_max:
        raise FileError(f"{path}: is over {bytes_max} bytes; shorten it")
    return raw


def write_whole(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put a file in the place of the one of that name; its owner is that of its folder.

    So root can leave something in the gate's own folder for the gate to read: nothing in a folder
    that somebody else may write to is followed or opened.

    Raises:
        FileError: if it cannot be written; the old one is as it was.
    """
    unfinished = path.name + ".part"
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise FileError(f"{path.parent}: cannot be written to: {exc.strerror}") from exc
    try:
        _remove(unfinished, folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(unfinished, flags, 0o600, dir_fd=folder)
        with os.fdopen(handle, "wb") as file:
            owner = os.fstat(folder)
            if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(handle, owner.st_uid, owner.st_gid)
            os.fchmod(handle, mode)
            file.write(content)
            file.flush()
            os.fsync(handle)
        os.replace(unfinished, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    except OSError as exc:
        raise FileError(f"{path}: cannot be written: {exc.strerror}") from exc
    finally:
        os.close(folder)


def write_in_place(path: Path, content: bytes) -> None:
    """Write a file over where it lies: on FAT, and where a sector is all there is.

    A file of another size is made that long first: keep to one size, and a cut leaves either.

    Raises:
        FileError: if it cannot be written, or is a link.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o600)
        with os.fdopen(handle, "wb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise FileError(f"{path}: is no plain file; remove it")
            if os.fstat(handle).st_size != len(content):
                os.ftruncate(handle, len(content))
            file.write(content)
            file.flush()
            os.fsync(handle)
    except OSError as exc:
        raise FileError(f"{path}: cannot be written: {exc.strerror}") from exc


def remove(path: Path) -> None:
    """Remove a file, durably; one that is not there is removed.

    Raises:
        FileError: if it stays.
    """
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as exc:
        raise FileError(f"{path.parent}: cannot be opened: {exc.strerror}") from exc
    try:
        _remove(path.name, folder)
        os.fsync(folder)
    except OSError as exc:
        raise FileError(f"{path}: cannot be removed: {exc.strerror}") from exc
    finally:
        os.close(folder)


def _remove(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
