"""The files that a list version is made of, as its manifest names them, and the chain over them.

chain(0) = SHA-256 of the snapshot; chain(n) = SHA-256(chain(n-1) | SHA-256 of segment n). Whoever
holds the pieces up to n needs only those after it.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Protocol

import msgspec

from admission.errors import DigestError, ListFormatError
from admission.limits import (
    ATTRIBUTES_BYTES_MAX,
    SEGMENT_ENTRIES_MAX,
    SEGMENTS_MAX,
    SNAPSHOT_ENTRIES_MAX,
)
from admission.ticketlist.columns import Buffer
from admission.ticketlist.packed import ENTRY_BYTES, HEADER_BYTES
from admission.ticketlist.sealed_file import SEALED_HEADER_BYTES, least_bytes
from admission.ticketlist.segment import SEGMENT_HEADER_BYTES, Base, segment_bytes

_SNAPSHOT_BYTES_MAX: Final = HEADER_BYTES + SNAPSHOT_ENTRIES_MAX * ENTRY_BYTES

Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Version = Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]


class PieceRef(Protocol):
    """A file that a manifest answers for, whatever is in it."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def sha256(self) -> str:
        """Hexadecimal digest."""
        ...


class FileRef(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot.

    Attributes:
        version: list version that it brought.
        size: bytes.
        sha256: hexadecimal digest.
        count: tickets in it.
    """

    version: Version
    size: Annotated[int, msgspec.Meta(ge=HEADER_BYTES, le=_SNAPSHOT_BYTES_MAX)]
    sha256: Digest
    count: Annotated[int, msgspec.Meta(ge=0, le=SNAPSHOT_ENTRIES_MAX)]


class SegmentRef(msgspec.Struct, frozen=True, kw_only=True):
    """A segment.

    Attributes:
        version: list version that it brought.
        size: bytes.
        sha256: hexadecimal digest.
        count: tickets in it.
    """

    version: Version
    size: Annotated[
        int, msgspec.Meta(ge=SEGMENT_HEADER_BYTES, le=segment_bytes(SEGMENT_ENTRIES_MAX))
    ]
    sha256: Digest
    count: Annotated[int, msgspec.Meta(ge=1, le=SEGMENT_ENTRIES_MAX)]


class AttributesRef(msgspec.Struct, frozen=True, kw_only=True):
    """A file of sealed records; a later one says what has changed since.

    Attributes:
        version: list version that it brought.
        size: bytes.
        sha256: hexadecimal digest.
        count: tickets in it.
    """

    version: Version
    size: Annotated[int, msgspec.Meta(ge=SEALED_HEADER_BYTES, le=ATTRIBUTES_BYTES_MAX)]
    sha256: Digest
    count: Annotated[int, msgspec.Meta(ge=0, le=SNAPSHOT_ENTRIES_MAX)]


SealedFiles = Annotated[tuple[AttributesRef, ...], msgspec.Meta(max_length=SEGMENTS_MAX + 1)]
Segments = Annotated[tuple[SegmentRef, ...], msgspec.Meta(max_length=SEGMENTS_MAX)]


def bases(snapshot: FileRef, segments: Sequence[SegmentRef]) -> Iterator[Base]:
    """Give the piece before each segment, and at last the newest one: one more than segments."""
    chain = bytes.fromhex(snapshot.sha256)
    yield Base(snapshot.version, chain)
    for segment in segments:
        chain = hashlib.sha256(chain + bytes.fromhex(segment.sha256)).digest()
        yield Base(segment.version, chain)


def chain_of(snapshot: FileRef, segments: Sequence[SegmentRef]) -> str:
    """Give the chain value over all pieces, hexadecimal."""
    *_, last = bases(snapshot, segments)
    return last.chain.hex()


def check_pieces(
    version: int, chain: str, snapshot: FileRef, segments: Sequence[SegmentRef]
) -> None:
    """Make sure that what a manifest says of its pieces fits together, before any is fetched.

    Args:
        version: the manifest's.
        chain: the manifest's.
        snapshot: as it names it.
        segments: as it names them, in order.

    Raises:
        ListFormatError: if a size is not that of so many tickets, versions do not rise, there are
            more changes than a gate holds, or the chain is another.
    """
    if snapshot.size != HEADER_BYTES + snapshot.count * ENTRY_BYTES:
        raise ListFormatError(
            f"manifest: {snapshot.size} bytes are no snapshot of {snapshot.count} tickets"
        )
    before = snapshot.version
    for segment in segments:
        if segment.size != segment_bytes(segment.count):
            raise ListFormatError(
                f"manifest: {segment.size} bytes are no segment of {segment.count} tickets"
            )
        if segment.version <= before:
            raise ListFormatError(f"manifest: segment {segment.version} follows {before}")
        before = segment.version
    if before > version:
        raise ListFormatError(f"manifest: version {version} has a piece of version {before}")
    if sum(segment.count for segment in segments) > SEGMENT_ENTRIES_MAX:
        raise ListFormatError(f"manifest: segments hold over {SEGMENT_ENTRIES_MAX} tickets")
    if chain != chain_of(snapshot, segments):
        raise ListFormatError("manifest: chain is not that of the snapshot and its segments")


def check_attributes(version: int, files: Sequence[AttributesRef]) -> None:
    """Make sure that what a manifest says of its sealed records fits together.

    Raises:
        ListFormatError: if a size is less than that of so many tickets, versions do not rise, or
            they are more than a gate has room for.
    """
    before = 0
    for file in files:
        if file.size < least_bytes(file.count):
            raise ListFormatError(f"manifest: {file.size} bytes are no {file.count} records")
        if not before < file.version <= version:
            raise ListFormatError(f"manifest: records of version {file.version} follow {before}")
        before = file.version
    if sum(file.size for file in files) > ATTRIBUTES_BYTES_MAX:
        raise ListFormatError(f"manifest: sealed records are over {ATTRIBUTES_BYTES_MAX} bytes")


def check_piece(what: str, ref: PieceRef, raw: Buffer) -> None:
    """Make sure that a file is the one the manifest answers for: loading is verifying.

    Args:
        what: which piece, for the message.
        ref: what the manifest says of it.
        raw: the file.

    Raises:
        DigestError: if it was cut off or altered.
    """
    if len(raw) != ref.size:
        raise DigestError(f"{what} has {len(raw)} bytes, the manifest says {ref.size}")
    if hashlib.sha256(raw).hexdigest() != ref.sha256:  # type: ignore[arg-type]
        raise DigestError(f"{what} is not the one that was signed: its digest differs")
