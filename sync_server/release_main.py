"""Puts the store of releases together for the command line: bundles that lie on the server already.

Called by `portillon server add-release|releases|withdraw-release`. The running server sees what
was done at once: both read one database.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Final

from sync_server.errors import ConfigError, StorageError
from sync_server.fleet_entities import Release
from sync_server.ledger import Ledger
from sync_server.main import BUNDLES, DATABASE, SystemClock
from sync_server.releasing import Releasing
from sync_server.storage.bundle_files import BundleFolder
from sync_server.storage.database import Database, open_database

CHUNK_BYTES: Final = 1 << 20


async def add_release(data: Path, file: Path, version: str, compatible: str, note: str) -> Release:
    """Take a bundle in.

    Args:
        data: the server's folder.
        file: the bundle.
        version: of what is in it.
        compatible: machines that it is for.
        note: for people.

    Raises:
        ConfigError: if the folder was not set up, or the file cannot be read.
        InvalidError: if something that was said of it cannot be, or it is no bundle.
        ConflictError: if there is a release of that version for those machines.
        StorageError: if the disk does not take it.
    """
    try:
        opened = await asyncio.to_thread(file.open, "rb")
    except OSError as exc:
        raise ConfigError(f"{file}: cannot be read ({exc.strerror}); name the bundle") from exc
    with opened:
        async with _releasing(data) as (releasing, _):
            return await releasing.add(None, version, compatible, note, _chunks(opened, file))


async def list_releases(data: Path) -> list[Release]:
    """Give all releases, those added last first.

    Raises:
        ConfigError: if the folder was not set up.
        StorageError: if the database cannot be used.
    """
    async with _releasing(data) as (_, database), database.read() as transaction:
        return await transaction.fleet.releases()


async def withdraw_release(data: Path, release_id: str) -> None:
    """Offer a release to nobody any more.

    Raises:
        ConfigError: if the folder was not set up.
        NotFoundError: if there is none.
        StorageError: if the database cannot be used.
    """
    async with _releasing(data) as (releasing, _):
        await releasing.withdraw(None, release_id)


@asynccontextmanager
async def _releasing(data: Path) -> AsyncIterator[tuple[Releasing, Database]]:
    if not (data / DATABASE).is_file():
        raise ConfigError(f"{data}: is no server's folder; run `portillon server init`")
    async with open_database(data / DATABASE) as database:
        ledger = Ledger(SystemClock(), os.urandom)
        yield Releasing(database, ledger, BundleFolder(data / BUNDLES)), database


async def _chunks(opened: BinaryIO, file: Path) -> AsyncIterator[bytes]:
    try:
        while chunk := await asyncio.to_thread(opened.read, CHUNK_BYTES):
            yield chunk
    except OSError as exc:
        raise StorageError(f"{file}: cannot be read: {exc.strerror}") from exc
