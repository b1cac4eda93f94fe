"""The gate's configuration file, as its own page shows and changes it. Bound by `page_opening`.

The file stays the one source: what is saved was checked whole as at a start, the one before is kept
beside it, and nothing of it counts before the daemon is started again.
"""

import asyncio
import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from appliance.config import load_config
from appliance.errors import ConfigError, StorageError
from appliance.page_ports import SettingsText
from appliance.storage.lasting_file import write_lasting

BEFORE: Final = ".before"  # behind the file's name: what it said before the last change
BYTES_MAX: Final = 65_536
_FILE_MODE: Final = 0o640


class SettingsFile:
    """Implements `page_ports.Settings` over one file."""

    def __init__(self, path: Path) -> None:
        """Take the file that the daemon was started with."""
        self._path = path
        self._saving = asyncio.Lock()

    async def read(self) -> SettingsText:
        """Give what the file says now."""
        return await asyncio.to_thread(self._read)

    async def check(self, text: str) -> str:
        """Give what is wrong with another text, as a start would; "" for nothing."""
        return await asyncio.to_thread(self._check, text)

    async def save(self, text: str, seen: str) -> str:
        """Put another text in the file's place, checked; give what is wrong with it."""
        async with self._saving:
            if (await self.read()).digest != seen:
                return "changed"
            if problem := await self.check(text):
                return problem
            await asyncio.to_thread(self._save, text)
        return ""

    def _read(self) -> SettingsText:
        try:
            with self._path.open("rb") as file:
                raw = file.read(BYTES_MAX + 1)
        except OSError as exc:
            raise StorageError(f"{self._path}: cannot be read: {exc.strerror}") from exc
        if len(raw) > BYTES_MAX:
            raise StorageError(f"{self._path}: is over {BYTES_MAX} bytes; shorten it")
        return SettingsText(raw.decode("utf-8", "replace"), hashlib.sha256(raw).hexdigest())

    def _check(self, text: str) -> str:
        """Load it as a start does, from a file that only this user may read."""
        if len(text.encode()) > BYTES_MAX:
            return f"over {BYTES_MAX} bytes; shorten it"
        handle, name = tempfile.mkstemp(prefix="gate-", suffix=".toml")
        trial = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode())
            load_config(trial)
        except ConfigError as exc:
            return str(exc).removeprefix(f"{trial}: ")
        except OSError as exc:
            raise StorageError(f"{trial}: cannot be written: {exc.strerror}") from exc
        finally:
            with suppress(OSError):
                trial.unlink()
        return ""

    def _save(self, text: str) -> None:
        before = self._path.with_name(self._path.name + BEFORE)
        try:
            mode = stat.S_IMODE(self._path.stat().st_mode) or _FILE_MODE
            write_lasting(before, self._path.read_bytes(), mode)
            write_lasting(self._path, text.encode(), mode)
        except OSError as exc:
            raise StorageError(f"{self._path}: cannot be written: {exc.strerror}") from exc
