"""The status document: the server's signed word of now. Which lists are the newest, who is revoked.

Asked for with a nonce, its answer is a statement of the time, too: nobody can have signed it
before the nonce was thought of (docs/adr/0008-chain-of-trust.md). It plays the part of TUF's
timestamp and snapshot roles: freshness, and which versions belong together.
"""

from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec

from admission.errors import (
    ForeignListError,
    ListError,
    ListExpiredError,
    ListFormatError,
    RollbackError,
)
from admission.trust.envelope import STATUS_TYPE, open_envelope, unverified_body
from admission.trust.reading import Digest, Name, Text, Version, read_document
from admission.trust.root import Signers

LISTS_MAX: Final = 200  # of one gate: those it controls, and those it only holds
REVOKED_MAX: Final = 1000
PINS_MAX: Final = 8
LIFE_MAX: Final = timedelta(days=7)  # a longer one would be no heartbeat
NONCE_CHARACTERS_MAX: Final = 64


class ListLine(msgspec.Struct, frozen=True, kw_only=True):
    """The newest manifest of a performance.

    Attributes:
        version: of the list.
        sha256: of the manifest's own bytes.
    """

    version: Version
    sha256: Digest


class ServerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says of now.

    Attributes:
        version: never goes down.
        time: aware; when it was signed.
        expires_at: aware; afterwards it says nothing of what is new.
        nonce: the asker's, "" where nobody asked (a stick, say).
        root_version: of the newest root.
        lists: newest manifest by performance, of the lists that the asker holds.
        revoked_gates: ids of gates that get nothing any more.
        tls_pins: SHA-256 digests that the server may be recognised by, the present one first.
    """

    version: Version
    time: datetime
    expires_at: datetime
    nonce: Annotated[str, msgspec.Meta(max_length=NONCE_CHARACTERS_MAX)] = ""
    root_version: Version
    lists: Annotated[dict[Name, ListLine], msgspec.Meta(max_length=LISTS_MAX)] = {}
    revoked_gates: Annotated[tuple[Name, ...], msgspec.Meta(max_length=REVOKED_MAX)] = ()
    tls_pins: Annotated[tuple[Text, ...], msgspec.Meta(max_length=PINS_MAX)] = ()


def encode_status(status: ServerStatus) -> bytes:
    """Write a status as JSON."""
    return msgspec.json.encode(status)


def answers_nobody(raw: bytes) -> bool:
    """Tell whether a status was signed to be carried: it repeats no nonce. Nothing is believed."""
    try:
        body = unverified_body(raw, STATUS_TYPE)
        return read_document("status", body, ServerStatus).nonce == ""
    except ListError:
        return False


def accept_status(
    raw: bytes,
    *,
    trusted: Signers,
    nonce: str,
    version_installed: int,
    root_version: int,
    now: datetime | None,
) -> ServerStatus:
    """Check a signed status.

    Args:
        raw: the envelope as received.
        trusted: who may sign for the status role.
        nonce: what was asked with; "" where it was not asked for.
        version_installed: greatest version taken so far, 0 for none.
        root_version: of the gate's root; a status of an older root is one from before.
        now: aware trusted time, for what was not asked for; None where it is not known. An
            answer to our own nonce is as new as the question.

    Raises:
        ListFormatError: if it is no status, or one for longer than a heartbeat may last.
        SignatureError: if no trusted key signed it.
        ForeignListError: if it answers another question.
        RollbackError: if it is older than one that was taken before.
        ListExpiredError: if its time is over.
    """
    body = open_envelope(raw, STATUS_TYPE, trusted.keys, trusted.threshold)
    status = read_document("status", body, ServerStatus)
    if status.nonce != nonce:
        raise ForeignListError("the status answers another question than ours")
    if not timedelta(0) < status.expires_at - status.time <= LIFE_MAX:  # a sum may have no date
        raise ListFormatError("status: expires_at must be after time, by a week at the most")
    if status.version < version_installed:
        raise RollbackError(f"status went back: {version_installed} -> {status.version}")
    if status.root_version < root_version:
        raise RollbackError(f"status speaks of root {status.root_version}, not of {root_version}")
    if not nonce and now is not None and now >= status.expires_at:
        raise ListExpiredError(f"status expired at {status.expires_at.isoformat()}")
    return status
