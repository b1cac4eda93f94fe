"""Secrets of the device that are not in its database. They implement `ports.DeviceSecret`.

`OtpSecret` reads the device-specific private key that a Raspberry Pi 4 or 5 holds in its
one-time-programmable memory, through the firmware's property mailbox (`/dev/vcio`, tag 0x00030081,
as `vcmailbox` and `rpi-otp-private-key` do). It is on no memory card. Whoever is root on the
running board can read it: it protects a card, not a whole gate. A board whose key was never
programmed yields zeros, and counts as having none. Not verifiable without such a board.

`FileSecret` is a file outside the data folder, for its owner alone to read. It protects the data
folder by itself: a copy, a backup, a support bundle. It does not protect a card that holds both,
and is called "file beside" wherever people read of it.
"""

import asyncio
import fcntl
import hashlib
import os
import secrets
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from appliance.errors import StorageError
from appliance.storage.lasting_file import write_lasting

SECRET_BYTES: Final = 32
_MAILBOX: Final = Path("/dev/vcio")
_MAILBOX_PROPERTY: Final = 0xC0000000 | struct.calcsize("P") << 16 | 100 << 8  # _IOWR(100, 0, ptr)
_GET_PRIVATE_KEY: Final = 0x00030081
_ROWS: Final = 8  # of 32 bits: what both the BCM2711 and the BCM2712 have
_ANSWERED: Final = 0x80000000
_HEAD_WORDS: Final = 7  # size, code, tag, its size, its code, first row, rows


def device_secrets(data: Path, beside: Path | None) -> "tuple[OtpSecret, FileSecret]":
    """Give what this machine may have, the best first.

    Args:
        data: the gate's data folder.
        beside: the configured file; None is one beside that folder.
    """
    return OtpSecret(), FileSecret(beside or data.with_name(data.name + ".secret"))


class OtpSecret:
    """A key derived from the board's one-time-programmable memory.

    Args:
        exchange: hands a property buffer to the firmware and gives its answer.
    """

    kind: Final = "otp"

    def __init__(self, exchange: Callable[[bytes], bytes] | None = None) -> None:
        self._exchange = exchange or _ask_firmware

    async def read(self) -> bytes | None:
        """Give the secret; None on a board that has none, or does not let this user read it."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> bytes | None:
        value_bytes = 4 * (2 + _ROWS)
        words = (_GET_PRIVATE_KEY, value_bytes, value_bytes, 0, _ROWS, *[0] * _ROWS, 0)
        size = 4 * (2 + len(words))
        try:
            answer = self._exchange(struct.pack(f"<{size // 4}I", size, 0, *words))
        except OSError:
            return None
        if len(answer) != size:
            return None
        read = struct.unpack(f"<{size // 4}I", answer)
        rows = read[_HEAD_WORDS : _HEAD_WORDS + _ROWS]
        if read[1] != _ANSWERED or not read[4] & _ANSWERED or not any(rows):
            return None
        return hashlib.sha256(b"portillon-device-secret-1\0" + struct.pack(">8I", *rows)).digest()


def _ask_firmware(request: bytes) -> bytes:
    buffer = bytearray(request)
    device = os.open(_MAILBOX, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(device, _MAILBOX_PROPERTY, buffer, True)
    finally:
        os.close(device)
    return bytes(buffer)


class FileSecret:
    """Random bytes in a file, made the first time they are asked for.

    Args:
        path: outside the data folder; its folder has to be there, or to be makeable.
    """

    kind: Final = "file_beside"

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self) -> bytes | None:
        """Give the secret.

        Raises:
            StorageError: if it can neither be read nor made, or others may read it.
        """
        return await asyncio.to_thread(self._read)

    def _read(self) -> bytes:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make()
            with self._path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                secret = file.read(SECRET_BYTES + 1)
        except OSError as exc:
            raise StorageError(
                f"{self._path}: device secret cannot be read or made: {exc.strerror}"
            ) from exc
        if mode & 0o077:
            raise StorageError(f"{self._path}: others may read it; run chmod 600 {self._path}")
        if len(secret) != SECRET_BYTES:
            raise StorageError(f"{self._path}: is no device secret; remove it to have one made")
        return secret

    def _make(self) -> None:
        """Write it whole under another name first: a power cut must not leave half a secret."""
        if self._path.exists():
            return
        write_lasting(self._path, secrets.token_bytes(SECRET_BYTES))
