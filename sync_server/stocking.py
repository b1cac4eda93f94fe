"""What a site server has in stock for its gates: documents and pieces of lists, from upstream.

Everything in it is what upstream would have given the gate itself: signed by a role, or sealed for
the gate. The site can neither alter nor open it. With upstream there, gates are given what upstream
says now; without it, what is in stock. Called by the site's desk and its uplink.
"""

import asyncio
import hashlib
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

from admission.errors import AdmissionError
from admission.ticket import Performance
from admission.ticketlist.manifest import decode_manifest, performance_of, pieces_of
from admission.trust.envelope import MANIFEST_TYPE, STATUS_TYPE, unverified_body
from admission.trust.reading import read_document
from admission.trust.status import ServerStatus
from sync_server.entities import Standing, instant
from sync_server.errors import ConflictError, NotFoundError, UpstreamError
from sync_server.ledger import Ledger
from sync_server.ports import SnapshotFiles, Store, Transaction
from sync_server.site_book import SiteBook, is_of
from sync_server.site_ports import Document
from sync_server.upstream_ports import Upstream

log = logging.getLogger(__name__)

_GATE_KINDS: Final = ("status", "assignment", "key", "order")
_NOT_FOUND: Final = 404


class Stock:
    """The stock.

    Args:
        store: the database.
        ledger: the time.
        files: the pieces of lists, each named by its digest.
        book: whom the site serves.
        upstream: where everything comes from.

    Attributes:
        is_up: whether upstream is there, as far as the live connection tells.
        filled_ms: when it last had all that gates may ask for; 0 if never since the start.
    """

    def __init__(
        self, store: Store, ledger: Ledger, files: SnapshotFiles, book: SiteBook, upstream: Upstream
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._files = files
        self._book = book
        self._upstream = upstream
        self._one_piece: dict[str, asyncio.Lock] = {}
        self._checked: set[str] = set()  # pieces that were gone over since the start
        self.is_up = False
        self.filled_ms = 0

    async def root(self, version: int) -> bytes:
        """Give one root document; it never changes.

        Raises:
            NotFoundError: if there is none of that version, or it is not here.
        """
        kept = await self._kept("root", str(version))
        if kept is not None:
            return kept.raw
        return await self._fresh("root", str(version), lambda: self._upstream.root(version))

    async def status(self, gate: str, nonce: str) -> bytes:
        """Give upstream's word of now, or the last one that was signed to be carried.

        Raises:
            ConflictError: if there is none that still says anything.
            NotFoundError: if upstream has none for this gate.
        """
        if self.is_up:
            try:
                return await self._upstream.status(gate, nonce)
            except UpstreamError as exc:
                _note_missing("status", exc)
        kept = await self._kept("status", gate)
        if kept is None or self._is_over(kept.raw):
            raise ConflictError("upstream_away", "upstream is away, and has signed nothing lately")
        return kept.raw

    def _is_over(self, raw: bytes) -> bool:
        try:
            said = read_document("status", unverified_body(raw, STATUS_TYPE), ServerStatus)
        except AdmissionError:
            return True
        return said.expires_at <= instant(self._ledger.now_us())

    async def assignment(self, gate: str) -> bytes:
        """Give a gate's assignment."""
        return await self._fresh("assignment", gate, lambda: self._upstream.assignment(gate))

    async def manifest(self, gate: str, performance: str) -> bytes:
        """Give a performance's newest manifest, to a gate that holds it."""
        self._book.require_held(gate, performance)
        return await self._fresh(
            "manifest", performance, lambda: self._upstream.manifest(gate, performance)
        )

    async def list_key(self, gate: str, performance: str) -> bytes:
        """Give a list key as it was sealed for a gate."""
        self._book.require_held(gate, performance)
        return await self._fresh(
            "key", f"{gate}/{performance}", lambda: self._upstream.list_key(gate, performance)
        )

    async def piece(self, gate: str, performance: str, sha256: str) -> Path:
        """Give a piece of a list, fetched where it is not here yet.

        Raises:
            NotFoundError: if the gate does not hold the performance, or the piece is not to be had.
        """
        self._book.require_held(gate, performance)
        try:
            path = self._files.path(sha256)
        except ValueError:
            raise NotFoundError("list") from None
        async with self._one_piece.setdefault(sha256, asyncio.Lock()):
            if sha256 not in self._checked and not await asyncio.to_thread(_is_good, path, sha256):
                if not self.is_up:
                    raise NotFoundError("list")
                await self._fetch_piece(gate, performance, sha256, path)
            self._checked.add(sha256)
        self._one_piece.pop(sha256, None)
        return path

    async def _fetch_piece(self, gate: str, performance: str, sha256: str, path: Path) -> None:
        draft = path.with_suffix(f".{os.getpid()}.part")
        await asyncio.to_thread(path.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
        try:
            await self._upstream.download(gate, performance, sha256, draft)
            await asyncio.to_thread(_settle, draft, path)
        except UpstreamError as exc:
            await asyncio.to_thread(draft.unlink, missing_ok=True)
            log.warning("piece not fetched", extra={"reason": exc.message})
            raise NotFoundError("list") from exc

    async def showing(self, transaction: Transaction, performance: str) -> Performance | None:
        """Give a performance as its manifest describes it, None where that is not here."""
        kept = await transaction.freight.document("manifest", performance)
        if kept is None:
            return None
        try:
            return performance_of(decode_manifest(unverified_body(kept.raw, MANIFEST_TYPE)))
        except AdmissionError:
            return None

    async def keep_order(self, gate: str, raw: bytes) -> None:
        """Keep the lock or unlock that stands for a gate."""
        await self._keep("order", gate, raw)

    async def order(self, gate: str) -> bytes | None:
        """Give the lock or unlock that was last told for a gate, or None."""
        kept = await self._kept("order", gate)
        return None if kept is None else kept.raw

    async def _fresh(self, kind: str, name: str, fetch: Callable[[], Awaitable[bytes]]) -> bytes:
        """Give what upstream says now; where it is away, what it said before.

        Raises:
            NotFoundError: if upstream has none, or it is away and has said none before.
        """
        if self.is_up:
            try:
                raw = await fetch()
            except UpstreamError as exc:
                _note_missing(kind, exc)
            else:
                await self._keep(kind, name, raw)
                return raw
        kept = await self._kept(kind, name)
        if kept is None:
            raise NotFoundError(kind)
        return kept.raw

    async def _kept(self, kind: str, name: str) -> Document | None:
        async with self._store.read() as transaction:
            return await transaction.freight.document(kind, name)

    async def _keep(self, kind: str, name: str, raw: bytes) -> None:
        kept = await self._kept(kind, name)
        if kept is not None and kept.raw == raw:
            return
        async with self._store.write() as transaction:
            await transaction.freight.keep(kind, name, Document(raw, self._ledger.now_ms()))

    async def fill(self) -> None:
        """Fetch what gates may ask for while upstream is away, and forget what nobody may.

        Raises:
            UpstreamError: if upstream is not reached.
        """
        roster = self._book.roster
        if roster is None:
            return
        for version in range(1, roster.root + 1):
            await _where_there_is(self.root(version))
        for line in self._book.gates:
            if line.standing in (Standing.IN_FORCE, Standing.REVOKED):
                await self._keep("status", line.id, await self._upstream.status(line.id, ""))
            if line.standing == Standing.IN_FORCE:
                await self._fill_for(line.id, line.lists)
        await self._sweep()
        self.filled_ms = self._ledger.now_ms()

    async def _fill_for(self, gate: str, published: Iterable[str]) -> None:
        await _where_there_is(self.assignment(gate))
        for performance in published:
            raw = await _where_there_is(self.manifest(gate, performance))
            kept = await self._kept("key", f"{gate}/{performance}")
            if kept is None:
                await _where_there_is(self.list_key(gate, performance))
            for sha256 in _pieces(raw):
                await _where_there_is(self.piece(gate, performance, sha256))

    async def _sweep(self) -> None:
        """Forget documents of gates and performances that are none of ours any more."""
        gates = {line.id for line in self._book.gates}
        held = set(self._book.streams)
        async with self._store.write() as transaction:
            freight = transaction.freight
            for kind in _GATE_KINDS:
                names = await freight.names(kind)
                gone = [name for name in names if not any(is_of(name, one) for one in gates)]
                await freight.drop(kind, gone)
            keys = [name for name in await freight.names("key") if name.split("/")[1] not in held]
            await freight.drop("key", keys)
            manifests = [name for name in await freight.names("manifest") if name not in held]
            await freight.drop("manifest", manifests)
            wanted: set[str] = set()
            for name in await freight.names("manifest"):
                kept = await freight.document("manifest", name)
                wanted |= set(_pieces(None if kept is None else kept.raw))
        folder = self._files.path(hashlib.sha256().hexdigest()).parent
        await asyncio.to_thread(_sweep_folder, folder, wanted)
        self._checked &= wanted


def _pieces(manifest: bytes | None) -> list[str]:
    """Give the digests that a manifest names; a site believes nothing more of it."""
    if manifest is None:
        return []
    try:
        read = decode_manifest(unverified_body(manifest, MANIFEST_TYPE))
    except AdmissionError:
        return []
    return [ref.sha256 for _, ref in pieces_of(read)]


async def _where_there_is(one: Awaitable[object]) -> bytes | None:
    try:
        found = await one
    except NotFoundError:
        return None
    return found if isinstance(found, bytes) else None


def _note_missing(kind: str, exc: UpstreamError) -> None:
    """Note that upstream did not answer, so that stock stands in; unless it said there is none."""
    if exc.status == _NOT_FOUND:
        raise NotFoundError(kind) from exc
    log.warning("upstream did not answer", extra={"kind": kind, "reason": exc.message})


def _is_good(path: Path, sha256: str) -> bool:
    """Tell whether a piece is there, and still what it was: a card may have lost a bit of it."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _settle(draft: Path, path: Path) -> None:
    """Have a fetched file be there for good, over a power cut too."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _sweep_folder(folder: Path, wanted: set[str]) -> None:
    for path in folder.glob("*.tgl"):
        if path.stem not in wanted:
            path.unlink(missing_ok=True)
