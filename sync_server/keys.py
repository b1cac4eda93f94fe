"""Private keys on disk: 32 bytes each, readable by nobody else. Called by `main` and ceremonies."""

import os
import stat
from pathlib import Path
from typing import Final

from sync_server.errors import ConfigError

KEY_BYTES: Final = 32
_MODE: Final = 0o600


def make_key(path: Path, secret: bytes) -> None:
    """Write a new key so that it survives a power cut.

    Raises:
        ConfigError: if the file is there already.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    except FileExistsError:
        raise ConfigError(f"{path}: is there already; a key is never written over") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_key(path: Path) -> bytes:
    """Read a key.

    Raises:
        ConfigError: if it is missing, no key, or readable by others.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            secret = file.read(KEY_BYTES + 1)
    except OSError as exc:
        raise ConfigError(
            f"{path}: cannot be read ({exc.strerror}); run `portillon server init`"
        ) from exc
    if mode & 0o077:
        raise ConfigError(f"{path}: others may read it; run chmod 600 {path}")
    if len(secret) != KEY_BYTES:
        raise ConfigError(f"{path}: is no key of {KEY_BYTES} bytes; bring it back from a backup")
    return secret


class KeyFolder:
    """The `Keyring` of `trust_ports`: every `*.key` of a folder, whatever its role.

    Args:
        folder: of mode 0700; the role in a file's name is for people.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def private_keys(self) -> list[bytes]:
        """Give all of them, as they are on the disk now."""
        return [read_key(path) for path in sorted(self._folder.glob("*.key"))]

    def add(self, role: str, public: bytes, secret: bytes) -> Path:
        """Keep a new key, durably; give where.

        Raises:
            ConfigError: if the folder cannot be written.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._folder / f"{role}-{public.hex()[:12]}.key"
            make_key(path, secret)
        except OSError as exc:
            raise ConfigError(f"{self._folder}: cannot be written ({exc.strerror})") from exc
        return path
