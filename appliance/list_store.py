"""The pieces of the gate's lists: fetched, opened and installed as a whole, or set aside.

Called by the list keeper, which has believed the manifests before. What a gate has already is
neither fetched nor gone over again: an update costs what has changed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from admission.errors import DigestError
from admission.ticketlist.columns import Buffer
from admission.ticketlist.manifest import Manifest, pieces_of
from admission.ticketlist.overlay import NO_CHANGES, Overlay
from admission.ticketlist.packed import PackedList
from admission.ticketlist.pieces import PieceRef
from admission.ticketlist.sealed_file import SealedFile
from appliance.errors import StorageError
from appliance.holdings import HeldList, open_list
from appliance.link_ports import ServerLink
from appliance.ports import Memory

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Damage:
    """A piece that is not as it was signed any more.

    Attributes:
        ref: which one.
        reason: what is wrong with it.
    """

    ref: PieceRef
    reason: DigestError | StorageError


@dataclass(frozen=True, slots=True)
class _Known:
    """What of a list was opened and checked before.

    Attributes:
        packed: the snapshot, or None.
        segments: how many of its segments are in the overlay.
        overlay: what they came to.
    """

    packed: PackedList | None = None
    segments: int = 0
    overlay: Overlay = NO_CHANGES


def _known(manifest: Manifest, base: HeldList | None) -> _Known:
    if base is None or not base.is_trusted:
        return _Known()
    old = base.manifest
    if old.snapshot != manifest.snapshot or len(old.classes) > len(manifest.classes):
        return _Known()
    if manifest.segments[: len(old.segments)] != old.segments:
        return _Known(base.packed)
    return _Known(base.packed, len(old.segments), base.overlay)


class ListStore:
    """Opens lists and looks after their files.

    Args:
        memory: the disk.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._files = memory.files

    async def open(
        self,
        manifest: Manifest,
        list_key: bytes,
        base: HeldList | None = None,
        downloads: Mapping[str, Path] | None = None,
    ) -> HeldList:
        """Open a list whose pieces are there.

        Args:
            manifest: what was believed.
            list_key: the performance's.
            base: the list in use, whose pieces were checked; those are used again.
            downloads: by digest, the pieces that are not kept yet.

        Raises:
            ListError: if a piece is not what was signed; a kept one is set aside.
            StorageError: if one is not there.
        """
        known, fetched = _known(manifest, base), downloads or {}
        snapshot = known.packed or await self._piece("snapshot", manifest.snapshot, fetched)
        segments: list[bytes] = []
        for ref in manifest.segments[known.segments :]:
            raw = await self._piece(f"segment {ref.version}", ref, fetched)
            segments.append(raw[: ref.size])
        return await asyncio.to_thread(
            open_list, manifest, snapshot, list_key, segments, known.overlay
        )

    async def with_attributes(
        self,
        held: HeldList,
        base: HeldList | None = None,
        downloads: Mapping[str, Path] | None = None,
    ) -> HeldList:
        """Give an opened list with its sealed records; arguments and errors as those of `open`."""
        manifest, fetched = held.manifest, downloads or {}
        known = (
            {} if base is None else dict(zip(base.manifest.attributes, base.sealed, strict=False))
        )
        sealed: list[SealedFile] = []
        for ref in manifest.attributes:
            if ref not in known:
                raw = await self._piece(f"attributes {ref.version}", ref, fetched)
                known[ref] = SealedFile(raw, manifest.performance)
            sealed.append(known[ref])
        return replace(held, sealed=tuple(sealed))

    async def _piece(self, what: str, ref: PieceRef, fetched: Mapping[str, Path]) -> Buffer:
        download = fetched.get(ref.sha256)
        try:
            return await self._files.open(what, ref, download)
        except DigestError:
            if download is None:
                await self.set_aside(ref)
            raise

    async def find_damage(self, manifest: Manifest) -> Damage | None:
        """Read every piece of a list in use again, until one is not as it was signed."""
        for what, ref in pieces_of(manifest):
            try:
                await self._files.check(what, ref)
            except (DigestError, StorageError) as exc:
                return Damage(ref, exc)
        return None

    async def set_aside(self, ref: PieceRef) -> None:
        """Put a damaged piece where it is used no more, as far as the card still lets us."""
        try:
            await self._files.set_aside(ref.sha256)
        except StorageError as exc:  # it is checked before each use, so nothing rests on this
            log.warning("damaged list stays where it is", extra={"reason": str(exc)})

    @asynccontextmanager
    async def fetched(self, manifest: Manifest, link: ServerLink) -> AsyncIterator[dict[str, Path]]:
        """Fetch the pieces that are not there, for as long as the context lasts: by digest.

        Raises:
            LinkError: if one cannot be fetched.
            StorageError: if one cannot be written.
        """
        downloads: dict[str, Path] = {}
        pieces = [ref for _, ref in pieces_of(manifest)]
        missing = await self._files.missing(pieces)
        try:
            for ref in pieces:
                if ref.sha256 in missing and ref.sha256 not in downloads:
                    to = downloads[ref.sha256] = self._files.new_download()
                    await link.download(manifest.performance, ref.sha256, ref.size, to)
            yield downloads
        finally:
            for download in downloads.values():
                download.unlink(missing_ok=True)

    async def sweep(self, manifests: Iterable[Manifest]) -> None:
        """Remove the pieces that none of these names.

        Raises:
            StorageError: if one cannot be removed.
        """
        wanted = {ref.sha256 for manifest in manifests for _, ref in pieces_of(manifest)}
        await self._files.sweep(wanted)
