"""The PINs of the gate's page: one JSON file in the data folder, 0600, a salted scrypt hash each.

Made by `portillon gate pin`, or on the page itself at its first use. There is no default PIN. The
hash is slow, but six digits stay six digits: whoever can copy the file can find the PIN out.
"""

import asyncio
import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Final

import msgspec

from appliance.errors import StorageError
from appliance.page_ports import PIN_CHARACTERS_MAX, PageRole, pin_problem
from appliance.storage.lasting_file import write_lasting

PIN_FILE: Final = "page-pins.json"
_FILE_BYTES_MAX: Final = 4096
_SALT_BYTES: Final = 16
_N, _R, _P = 1 << 15, 8, 1  # 32 MB, about a tenth of a second on this machine, four on a Pi
_MEMORY_BYTES_MAX: Final = 64 << 20
_COST_MAX: Final = 1 << 18  # of a file: nobody's file may keep the gate busy for minutes


class _Hash(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    salt: bytes
    digest: bytes
    n: int = _N
    r: int = _R
    p: int = _P


class PinFile:
    """Implements `page_ports.PinStore`."""

    def __init__(self, data: Path) -> None:
        """Take the gate's data folder; the file need not be there."""
        self._path = data / PIN_FILE
        self._hashing = asyncio.Lock()  # one at a time: each takes 32 MB

    async def stamps(self) -> dict[PageRole, str]:
        """Give, for each role whose PIN is set, a text that another PIN changes."""
        known = await asyncio.to_thread(self._read)
        return {role: hashed.salt.hex() for role, hashed in known.items()}

    async def is_right(self, role: PageRole, pin: str) -> bool:
        """Check a PIN; False where none is set."""
        async with self._hashing:
            return await asyncio.to_thread(self._is_right, role, pin)

    async def choose(self, role: PageRole, pin: str) -> None:
        """Set a PIN; "" removes it."""
        if pin and (problem := pin_problem(role, pin)):
            raise ValueError(f"the {role.value}'s PIN is too {problem}; choose another")
        async with self._hashing:
            await asyncio.to_thread(self._choose, role, pin)

    def _is_right(self, role: PageRole, pin: str) -> bool:
        hashed = self._read().get(role)
        if hashed is None or not pin or len(pin) > PIN_CHARACTERS_MAX:
            return False
        return hmac.compare_digest(_digest(pin, hashed), hashed.digest)

    def _choose(self, role: PageRole, pin: str) -> None:
        known = self._read()
        known.pop(role, None)
        if pin:
            empty = _Hash(secrets.token_bytes(_SALT_BYTES), b"")
            known[role] = msgspec.structs.replace(empty, digest=_digest(pin, empty))
        try:
            content = msgspec.json.encode({role.value: one for role, one in known.items()})
            write_lasting(self._path, content)
        except OSError as exc:
            raise StorageError(f"{self._path}: cannot be written: {exc.strerror}") from exc

    def _read(self) -> dict[PageRole, _Hash]:
        try:
            with self._path.open("rb") as file:
                raw = file.read(_FILE_BYTES_MAX)
        except FileNotFoundError:
            return {}
        except OSError as exc:
            raise StorageError(f"{self._path}: cannot be read: {exc.strerror}") from exc
        try:
            known = msgspec.json.decode(raw, type=dict[PageRole, _Hash])
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise StorageError(
                f"{self._path}: holds no PINs: {exc}; remove it and choose them anew"
            ) from exc
        if any(not 0 < one.n * one.r * one.p <= _COST_MAX * _R for one in known.values()):
            raise StorageError(f"{self._path}: asks for too much; remove it and choose PINs anew")
        return known


def _digest(pin: str, hashed: _Hash) -> bytes:
    try:
        return hashlib.scrypt(
            pin.encode(),
            salt=hashed.salt,
            n=hashed.n,
            r=hashed.r,
            p=hashed.p,
            maxmem=_MEMORY_BYTES_MAX,
            dklen=32,
        )
    except ValueError as exc:  # a power of two is wanted, and no more memory than that
        raise StorageError(f"a PIN's hash cannot be made: {exc}; choose the PIN anew") from exc
