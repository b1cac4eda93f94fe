"""Builds the files of what tickets say: each record sealed under its own ticket's number.

Called by publishing, beside the list's own files and after the same rules: what has changed since
is a further file, the whole is sealed anew where much has, or where other fields may travel now.
"""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from admission.errors import ListError
from admission.limits import SEGMENTS_MAX
from admission.ticketlist.attributes import NOTHING, decode_attributes, limited, pack_record
from admission.ticketlist.columns import Buffer
from admission.ticketlist.pieces import AttributesRef, check_piece
from admission.ticketlist.sealed_file import SealedFile, find_record, pack_sealed
from admission.trust.sealing import seal_record
from sync_server.entities import FileKind, ListFile, Performance
from sync_server.ports import SnapshotFiles, Transaction
from sync_server.ticket_ports import SaidTicket

log = logging.getLogger(__name__)

FURTHER_SHARE: Final = 10  # further files over a tenth of the whole: it is sealed anew
_Record = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class BuiltAttributes:
    """The files of what tickets say, kept on disk.

    Attributes:
        refs: as the manifest names them, in order.
        new: records of those that were not published before.
    """

    refs: tuple[AttributesRef, ...] = ()
    new: tuple[ListFile, ...] = ()


@dataclass(frozen=True, slots=True)
class _Task:
    """What is sealed, for whom, and what of it."""

    performance: Performance
    version: int
    fields: frozenset[str]

    @property
    def words(self) -> str:
        """The fields in one text."""
        return ",".join(sorted(self.fields))


class AttributeBuilding:
    """The builder.

    Args:
        files: where the files are kept.
    """

    def __init__(self, files: SnapshotFiles) -> None:
        self._files = files

    async def build(self, transaction: Transaction, performance: Performance) -> BuiltAttributes:
        """Build the files as the database has it now; none where no ticket ever said anything.

        Args:
            transaction: one view of the database.
            performance: whose tickets.
        """
        task = _Task(
            performance, performance.published_version + 1, frozenset(performance.gate_fields)
        )
        published = await transaction.pieces.attribute_files(performance.id)
        if not published and not await transaction.tickets.says_anything(performance.id):
            return BuiltAttributes()
        if published and published[-1].fields == task.words and len(published) <= SEGMENTS_MAX:
            opened = await self._open(performance.id, published)
            room = published[0].count // FURTHER_SHARE - sum(file.count for file in published[1:])
            changes = await transaction.pieces.changes(performance.id, max(0, room))
            if opened is not None and changes.is_complete:
                said = await transaction.tickets.said_among(performance.id, changes.identifiers)
                return await self._following(task, published, opened, said)
        return await self._whole(transaction, task)

    async def _following(
        self,
        task: _Task,
        published: Sequence[ListFile],
        opened: Sequence[SealedFile],
        said: Sequence[SaidTicket],
    ) -> BuiltAttributes:
        refs = tuple(_ref(file) for file in published)
        records = await asyncio.to_thread(_differences, task, opened, said)
        if not records:
            return BuiltAttributes(refs)
        new = await self._keep(task, records, published[0].version)
        return BuiltAttributes((*refs, _ref(new)), (new,))

    async def _whole(self, transaction: Transaction, task: _Task) -> BuiltAttributes:
        records: list[_Record] = []
        async for batch in transaction.tickets.said(task.performance.id):
            sealed = await asyncio.to_thread(_sealed, task, batch)
            records += [(identifier, record) for identifier, record, is_any in sealed if is_any]
        new = await self._keep(task, records, task.version)
        return BuiltAttributes((_ref(new),), (new,))

    async def _keep(self, task: _Task, records: list[_Record], base: int) -> ListFile:
        raw = await asyncio.to_thread(pack_sealed, task.performance.id, records)
        digest = hashlib.sha256(raw).digest()
        await self._files.keep(digest.hex(), raw)
        return ListFile(
            performance_id=task.performance.id,
            version=task.version,
            kind=FileKind.ATTRIBUTES,
            sha256=digest,
            size_bytes=len(raw),
            count=len(records),
            base_version=base,
            fields=task.words,
        )

    async def _open(
        self, performance_id: str, published: Sequence[ListFile]
    ) -> list[SealedFile] | None:
        """Open what was published last; None where it is not there as it was."""
        raw = [await self._files.open(file.sha256.hex()) for file in published]
        try:
            return await asyncio.to_thread(_opened, performance_id, published, raw)
        except ListError as exc:
            fields = {"performance": performance_id, "reason": str(exc)}
            log.error("published records are damaged: sealed anew", extra=fields)  # noqa: TRY400
            return None


def _opened(
    performance_id: str, published: Sequence[ListFile], raw: Sequence[Buffer | None]
) -> list[SealedFile]:
    found = []
    for file, one in zip(published, raw, strict=True):
        check_piece("published records", _ref(file), b"" if one is None else one)
        found.append(SealedFile(b"" if one is None else one, performance_id))
    return found


def _differences(
    task: _Task, opened: Sequence[SealedFile], said: Sequence[SaidTicket]
) -> list[_Record]:
    """Give the records that are not as they are published; sealing anew gives the same bytes."""
    found: list[_Record] = []
    for identifier, record, is_any in _sealed(task, said):
        was = find_record(opened, identifier)
        if was != record and (is_any or was is not None):
            found.append((identifier, record))
    return found


def _sealed(task: _Task, said: Sequence[SaidTicket]) -> list[tuple[bytes, bytes, bool]]:
    """Seal records; tell of each whether it says anything."""
    key = task.performance.list_key
    found = []
    for identifier, number, words in said:
        attributes = limited(decode_attributes(words), task.fields)
        record = seal_record(pack_record(attributes), key, number)
        found.append((identifier, record, attributes != NOTHING))
    return found


def _ref(file: ListFile) -> AttributesRef:
    return AttributesRef(
        version=file.version,
        size=file.size_bytes,
        sha256=file.sha256.hex(),
        count=file.count,
    )
