"""Binds a stick's dealings with the server together. Called by `portillon stick`.

Export writes what each gate would be told, signed and sealed as it would be; import takes journals
as if their gates had sent them. Both work beside a running server.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from admission.errors import AdmissionError
from admission.sync import stick
from admission.sync.stick import decode_carried
from admission.ticketlist.manifest import decode_manifest, pieces_of
from admission.trust.envelope import MANIFEST_TYPE, unverified_body
from admission.trust.status import REVOKED_MAX
from sync_server.carrying import Carrying
from sync_server.commanding import Commanding
from sync_server.entities import Gate, Standing
from sync_server.errors import ConfigError, NotFoundError, ServerError
from sync_server.keys import KeyFolder
from sync_server.ledger import Ledger
from sync_server.main import DATABASE, KEYS, LISTS, SystemClock
from sync_server.publishing import Publishing
from sync_server.quarantine import Quarantine
from sync_server.reconciling import Reconciling, Taken
from sync_server.storage.database import Database, open_database
from sync_server.storage.snapshot_files import Folder
from sync_server.storage.stick_folder import StickFolder
from sync_server.trusting import Trust

log = logging.getLogger(__name__)

BATCHES_MAX: Final = 100_000  # of one stick; each is one of a journal's thousands


class _NoNews:
    """Nobody is told: the running server, if there is one, is another process."""

    def streams_grew(self, streams: object) -> None:
        """Nobody is told."""

    def lists_changed(self) -> None:
        """Nobody is told."""

    def report_changed(self) -> None:
        """Nobody is told."""

    def order(self, gates: object, envelope: bytes) -> int:
        """Nobody is connected to this process."""
        del gates, envelope
        return 0


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written for a gate.

    Attributes:
        gate: its name.
        lists: how many.
    """

    gate: str
    lists: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one part of a journal.

    Attributes:
        path: where it lies on the stick.
        gate: name of the gate, "" where it is none of ours.
        records: how many it holds.
        said: "taken", "held apart" for a revoked gate's, or why it was refused.
    """

    path: str
    gate: str
    records: int
    said: str


@dataclass(frozen=True, slots=True)
class _House:
    store: Database
    trust: Trust
    publishing: Publishing
    carrying: Carrying
    commanding: Commanding
    files: Folder
    clock: SystemClock


@asynccontextmanager
async def _opened(data: Path) -> AsyncIterator[_House]:
    if not await asyncio.to_thread((data / DATABASE).is_file):
        raise ConfigError(f"{data}: is no server's folder; run `portillon server init`")
    clock, nobody = SystemClock(), _NoNews()
    ledger, files = Ledger(clock, os.urandom), Folder(data / LISTS)
    async with open_database(data / DATABASE) as database:
        trust = Trust(database, ledger, KeyFolder(data / KEYS))
        await trust.refresh()
        reconciling = Reconciling(database, clock)
        quarantine = Quarantine(database, ledger, nobody, reconciling)
        yield _House(
            store=database,
            trust=trust,
            publishing=Publishing(database, files, ledger, nobody, trust),
            carrying=Carrying(database, reconciling, quarantine),
            commanding=Commanding(database, ledger, trust, nobody),
            files=files,
            clock=clock,
        )


async def export_stick(data: Path, to: Path, gates: Sequence[str] = ()) -> list[Exported]:
    """Write what gates are told onto a stick.

    Args:
        data: the server's folder.
        to: where the stick is mounted.
        gates: ids; () is every gate that is in force.

    Raises:
        ConfigError: if the folder is no server's, or the stick cannot be written.
        NotFoundError: if one of the gates is not in force.
    """
    folder = StickFolder(to)
    async with _opened(data) as house:
        wanted = await _in_force(house, gates)
        for version in range(1, house.trust.root.version + 1):
            raw = await house.trust.root_of_version(version)
            await folder.put(stick.root_path(version), raw)
        return [Exported(gate.name, await _export_gate(house, folder, gate)) for gate in wanted]


async def _in_force(house: _House, gates: Sequence[str]) -> list[Gate]:
    async with house.store.read() as transaction:
        root = await transaction.organizations.root()
        branch = [] if root is None else await transaction.organizations.branch(root.id)
        found = await transaction.gates.gates([one.id for one in branch])
    in_force = [gate for gate in found if gate.standing is Standing.IN_FORCE]
    if set(gates) - {gate.id for gate in in_force}:
        raise NotFoundError("gate")
    return [gate for gate in in_force if not gates or gate.id in gates]


async def _export_gate(house: _House, folder: StickFolder, gate: Gate) -> int:
    """Write one gate's documents, what is named before what names it; give how many lists."""
    assignment = await house.publishing.assignment(gate.id)
    lines = await house.publishing.lines(gate.id)
    for performance in lines:
        await _export_list(house, folder, gate, performance)
    async with house.store.read() as transaction:
        revoked = await transaction.gates.revoked()
    status = house.trust.status("", lines, tuple(revoked[:REVOKED_MAX]))
    await folder.put(stick.gate_path(gate.id, "assignment"), assignment)
    await folder.put(stick.gate_path(gate.id, "status"), status)
    order = await house.commanding.standing(gate.id)
    if order is not None:
        await folder.put(stick.gate_path(gate.id, "order"), order)
    return len(lines)


async def _export_list(house: _House, folder: StickFolder, gate: Gate, performance: str) -> None:
    raw = await house.publishing.manifest(gate.id, performance)
    manifest = decode_manifest(unverified_body(raw, MANIFEST_TYPE))
    for _, ref in pieces_of(manifest):
        await folder.copy(house.files.path(ref.sha256), stick.piece_path(ref.sha256))
    key = await house.publishing.sealed_key(gate.id, performance)
    await folder.put(stick.list_path(gate.id, performance, "key"), key)
    await folder.put(stick.list_path(gate.id, performance, "manifest"), raw)


async def import_stick(data: Path, folder: Path) -> list[Imported]:
    """Take the journals that gates have written onto a stick; taking them again changes nothing.

    Args:
        data: the server's folder.
        folder: where the stick is mounted.

    Raises:
        ConfigError: if the folder is no server's, or the stick cannot be read.
    """
    source = StickFolder(folder)
    async with _opened(data) as house:
        paths = await source.batches(BATCHES_MAX)
        return [await _import(house, source, path) for path in paths]


async def _import(house: _House, source: StickFolder, path: stick.Path) -> Imported:
    shown = "/".join(path[2:])
    try:
        carried = decode_carried(await source.read(path, stick.CARRIED_BYTES_MAX))
        gate = await _gate(house, carried.gate)
    except (AdmissionError, ServerError) as exc:
        return Imported(shown, "", 0, _why(exc))
    name, records = "" if gate is None else gate.name, len(carried.batch.blobs)
    try:
        taken = await house.carrying.take(carried)
    except (AdmissionError, ServerError) as exc:
        return Imported(shown, name, records, _why(exc))
    return Imported(shown, name, records, _said(taken))


def _said(taken: Taken) -> str:
    ack = taken.ack
    if ack.conflict and not ack.held:
        return f"does not continue what is held up to {ack.head}"
    if taken.is_apart:
        return "held apart"
    return f"taken beside what is held up to {ack.head}" if ack.conflict else "taken"


async def _gate(house: _House, gate_id: str) -> Gate | None:
    async with house.store.read() as transaction:
        return await transaction.gates.gate(gate_id)


def _why(exc: AdmissionError | ServerError) -> str:
    return exc.message if isinstance(exc, ServerError) else str(exc)
