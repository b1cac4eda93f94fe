"""The rules of believing a list: who signed it, whose it is, how old it is.

Called by the installer. Each refusal is an error of its own, so that the gate can say which check
failed. What was installed stays installed: these functions change nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from admission.errors import (
    DigestError,
    ForeignListError,
    ListExpiredError,
    RollbackError,
)
from admission.ticketlist.columns import Buffer
from admission.ticketlist.manifest import Manifest, decode_manifest, list_key_id
from admission.ticketlist.pieces import bases, check_piece
from admission.ticketlist.segment import Columns, read_segment
from admission.trust.envelope import MANIFEST_TYPE, open_envelope
from admission.trust.root import Signers


@dataclass(frozen=True, slots=True)
class Installed:
    """What is remembered of the list that a gate holds; it never goes back.

    Attributes:
        version: of the list.
        chain: of the list, so that one version is never two lists.
    """

    version: int
    chain: str


def accept_manifest(
    raw: bytes,
    *,
    performance: str,
    trusted: Signers,
    installed: Installed | None,
    now: datetime | None,
) -> Manifest:
    """Check a signed manifest before anything it names is fetched.

    Args:
        raw: the envelope as received.
        performance: id of the performance that was asked for.
        trusted: who may sign for the list role.
        installed: what this gate holds, or None.
        now: aware trusted time, or None where the clock is not trusted (expiry is then left to
            the gate's policy).

    Raises:
        ListFormatError: if it is no manifest.
        SignatureError: if no trusted key signed it.
        ForeignListError: if it is another performance's.
        RollbackError: if it is older than what is installed, or the same version in other words.
        ListExpiredError: if its `not_after` has passed.
    """
    manifest = decode_manifest(open_envelope(raw, MANIFEST_TYPE, trusted.keys, trusted.threshold))
    require_performance(manifest, performance)
    if installed is not None:
        _refuse_rollback(manifest, installed)
    if now is not None and manifest.not_after is not None and now >= manifest.not_after:
        raise ListExpiredError(
            f"version {manifest.version} expired at {manifest.not_after.isoformat()}"
        )
    return manifest


def require_performance(manifest: Manifest, performance: str) -> None:
    """Make sure that a manifest is the wanted performance's.

    Raises:
        ForeignListError: if it is not.
    """
    if manifest.performance != performance:
        raise ForeignListError(
            f"asked for the list of {performance}, got that of {manifest.performance[:80]}"
        )


def _refuse_rollback(manifest: Manifest, installed: Installed) -> None:
    if manifest.version < installed.version:
        raise RollbackError(f"list version went back: {installed.version} -> {manifest.version}")
    if manifest.version == installed.version and manifest.chain != installed.chain:
        raise RollbackError(f"version {manifest.version} came a second time with another content")


def check_list_key(manifest: Manifest, list_key: bytes) -> None:
    """Make sure that a list key is the one the list was made with.

    Raises:
        ForeignListError: if it is not.
    """
    if list_key_id(list_key) != manifest.list_key_id:
        raise ForeignListError(f"the list key is not the one of version {manifest.version}")


def check_snapshot(manifest: Manifest, snapshot: Buffer) -> None:
    """Make sure that a file is the snapshot that the manifest answers for.

    Raises:
        DigestError: if it was cut off or altered.
    """
    check_piece("snapshot", manifest.snapshot, snapshot)


def check_segments(manifest: Manifest, raw: Sequence[bytes], after: int = 0) -> list[Columns]:
    """Make sure that files are the last segments the manifest answers for, and read them.

    Args:
        manifest: names them.
        raw: the files, in order.
        after: how many of the manifest's segments come before them, and were checked before.

    Raises:
        DigestError: if one is missing, was cut off or altered.
        ListFormatError: if one is no segment, or follows another piece.
        ForeignListError: if one belongs to another performance.
    """
    refs = manifest.segments[after:]
    if len(raw) != len(refs):
        raise DigestError(f"{len(raw)} segments are there, the manifest names {len(refs)}")
    before = list(bases(manifest.snapshot, manifest.segments))[after:]
    read = []
    for ref, base, file in zip(refs, before, raw, strict=False):
        check_piece(f"segment {ref.version}", ref, file)
        read.append(read_segment(file, manifest.performance, base))
    return read
