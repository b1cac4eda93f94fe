"""What the gate's trust remembers, in its database. Each step is one commit."""

import sqlite3
from typing import Any

from appliance.errors import StorageError
from appliance.storage.database import Database


class SqliteTrust:
    """Implements `trust_ports.TrustMemory`."""

    def __init__(self, database: Database) -> None:
        """Take what `open_database` gave."""
        self._database = database

    async def roots(self, after: int) -> list[bytes]:
        """Give the envelopes of the roots that follow a version, in order."""
        rows = await self._run(
            "SELECT envelope FROM roots WHERE version > ? ORDER BY version", (after,)
        )
        return [row[0] for row in rows]

    async def remember_root(
        self, version: int, envelope: bytes, *, forget_lists: bool, forget_status: bool
    ) -> None:
        """Remember a root; a trigger of the schema forgets, within the same commit."""
        await self._run(
            "INSERT INTO roots (version, envelope, forget_lists, forget_status) "
            "VALUES (?, ?, ?, ?)",
            (version, envelope, forget_lists, forget_status),
        )

    async def status_version(self) -> int:
        """Give the greatest version of a status document that was taken, 0 for none."""
        rows = await self._run("SELECT version FROM status")
        return int(rows[0][0]) if rows else 0

    async def remember_status(self, version: int) -> None:
        """Remember a greater one."""
        await self._run(
            "INSERT INTO status (one, version) VALUES (1, ?) ON CONFLICT (one) "
            "DO UPDATE SET version = max(version, excluded.version)",
            (version,),
        )

    async def _run(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return await self._database.run("what the gate trusts cannot be used", sql, values)
        except sqlite3.IntegrityError as exc:
            raise StorageError(f"root or status is there already: {exc}") from exc
