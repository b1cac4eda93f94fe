"""The rules of believing a list: who signed it, whose it is, how old it is.

Called by the installer. Each refusal is an error of its own, so that the gate can say which check
failed. What was installed stays installed: these functions change nothing.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from admission.errors import (
    DigestError,
    ForeignListError,
    ListExpiredError,
    RollbackError,
)
from admission.ticketlist.manifest import Manifest, decode_manifest, list_key_id
from admission.ticketlist.packed import Buffer
from admission.trust.envelope import MANIFEST_TYPE, open_envelope


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
    trusted_keys: Iterable[bytes],
    installed: Installed | None,
    now: datetime | None,
) -> Manifest:
    """Check a signed manifest before anything it names is fetched.

    Args:
        raw: the envelope as received.
        performance: id of the performance that was asked for.
        trusted_keys: public keys of the list role.
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
    manifest = decode_manifest(open_envelope(raw, MANIFEST_TYPE, trusted_keys))
    if manifest.performance != performance:
        raise ForeignListError(
            f"asked for the list of {performance}, got that of {manifest.performance[:80]}"
        )
    if installed is not None:
        _refuse_rollback(manifest, installed)
    if now is not None and manifest.not_after is not None and now >= manifest.not_after:
        raise ListExpiredError(
            f"version {manifest.version} expired at {manifest.not_after.isoformat()}"
        )
    return manifest


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
    """Make sure that a file is the one the manifest answers for: loading is verifying.

    Raises:
        DigestError: if it was cut off or altered.
    """
    if len(snapshot) != manifest.snapshot.size:
        raise DigestError(
            f"snapshot has {len(snapshot)} bytes, the manifest says {manifest.snapshot.size}"
        )
    if hashlib.sha256(snapshot).hexdigest() != manifest.snapshot.sha256:  # type: ignore[arg-type]
        raise DigestError("snapshot is not the one that was signed: its digest differs")
